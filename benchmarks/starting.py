"""How fast the app starts, and how much memory and disk space it takes."""

import time
import warnings
from pathlib import Path

from benchmarks import apps, child, over_http
from benchmarks.metric import Metric
from benchmarks.timing import ratio
from cxr.model import model_folder


def first_result(data: Path, model: Path) -> list[Metric]:
    """From the command to the first result, relative to an app that serves the fastai export."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export = _export_fastai(model, data.parent)
    peer = data.parent / "fastai_app.py"
    peer.write_text(_FASTAI_APP)
    image = sorted((data / "images").iterdir())[0]

    def ours() -> float:
        return _until_result(image, "app.py", "--model", str(model))

    def theirs() -> float:
        return _until_result(image, str(peer), str(export), python=apps.EVERYTHING)

    what = "from the command to the first result: an app on fastai's load_learner / app.py"
    return [
        Metric(what, ratio(theirs, ours, rounds=3), 3, "higher"),
        Metric("seconds from `python app.py` to the first result", ours(), 5, "lower"),
    ]


def first_page(data: Path, model: Path) -> list[Metric]:
    """From the command to the page, relative to an empty Gradio app."""
    import httpx

    empty = data.parent / "empty.py"
    empty.write_text(_EMPTY_APP)

    def seconds(*command: str) -> float:
        begun = time.perf_counter()
        with apps.running(*command) as (address, _):
            httpx.get(address).raise_for_status()
            return time.perf_counter() - begun

    value = ratio(lambda: seconds("app.py", "--model", str(model)), lambda: seconds(str(empty)))
    return [Metric("from the command to the page / an empty Gradio app", value, 1.5, "lower")]


def memory(data: Path, model: Path) -> list[Metric]:
    """Memory of the app after the requests of 16 clients and 20 overlays."""
    from gradio_client import Client, handle_file

    image = handle_file(sorted((data / "images").iterdir())[0])
    with apps.running("app.py", "--model", str(model)) as (address, process):
        over_http.many_clients(address, data)
        client = Client(address, verbose=False)
        for _ in range(20):
            client.predict(image, "Mass", api_name="/explain")
        resident = child.resident(process.pid)
    return [Metric("MB resident in the app after 192 images of 16 clients", resident, 450, "lower")]


def installed(data: Path, model: Path) -> list[Metric]:
    """Disk space of the environment with requirements.txt, pip included."""
    environment = apps.RUNTIME.parents[1]
    size = sum(path.lstat().st_blocks * 512 for path in environment.rglob("*"))
    return [
        Metric("MB on disk of the environment with requirements.txt", size / 2**20, 700, "lower")
    ]


def _export_fastai(model: Path, folder: Path) -> Path:
    """Writes the model's network as a fastai export and returns its path."""
    from cxr.training import export, net

    export.write_fastai(net.load(model), model_folder.load(model).image_size, folder)
    return folder / model_folder.FASTAI


def _until_result(image: Path, *command: str, python: Path = apps.RUNTIME) -> float:
    """Seconds from the command to the result of an image."""
    begun = time.perf_counter()
    with apps.running(*command, python=python) as (address, _):
        over_http.analyze(over_http.connected(address), image.read_bytes())
        return time.perf_counter() - begun


_EMPTY_APP = """
import sys

import gradio

with gradio.Blocks() as page:
    gradio.Textbox()
page.launch(server_port=int(sys.argv[-1]))
"""

# As in fastai's own guide to Gradio, except for the endpoint's name.
_FASTAI_APP = """
import sys

import gradio
from fastai.learner import load_learner

learn = load_learner(sys.argv[1])


def analyze(image, prevalence):
    _, flagged, probabilities = learn.predict(str(image))
    return dict(zip(learn.dls.vocab, map(float, probabilities)))


with gradio.Blocks() as page:
    image, prevalence = gradio.File(visible=False), gradio.Textbox(visible=False)
    gradio.Button(visible=False).click(
        analyze, [image, prevalence], gradio.JSON(visible=False), api_name="analyze"
    )
page.launch(server_port=int(sys.argv[-1]))
"""
