"""How fast the page starts, what it holds in memory, and what it takes on disk."""

import time
import warnings
from pathlib import Path

from benchmarks import child, over_http, pages
from benchmarks.figure import Figure
from benchmarks.timing import ratio
from cxr.model import model_folder


def first_answer(data: Path, model: Path) -> list[Figure]:
    """From the command to the first answer, against a page that serves fastai's export."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export = _export_fastai(model, data.parent)
    peer = data.parent / "fastai_page.py"
    peer.write_text(_FASTAI_PAGE)
    image = sorted((data / "images").iterdir())[0]

    def ours() -> float:
        return _until_answered(image, "app.py", "--model", str(model))

    def theirs() -> float:
        return _until_answered(image, str(peer), str(export), python=pages.EVERYTHING)

    what = "from the command to the first answer: a page on fastai's load_learner / app.py"
    return [
        Figure(what, ratio(theirs, ours, rounds=3), 3, "higher"),
        Figure("seconds from `python app.py` to the first answer", ours(), 5, "lower"),
    ]


def first_page(data: Path, model: Path) -> list[Figure]:
    """From the command to the page, against an empty Gradio app."""
    import httpx

    empty = data.parent / "empty.py"
    empty.write_text(_EMPTY_PAGE)

    def seconds(*command: str) -> float:
        begun = time.perf_counter()
        with pages.running(*command) as (address, _):
            httpx.get(address).raise_for_status()
            return time.perf_counter() - begun

    value = ratio(lambda: seconds("app.py", "--model", str(model)), lambda: seconds(str(empty)))
    return [Figure("from the command to the page / an empty Gradio app", value, 1.5, "lower")]


def memory(data: Path, model: Path) -> list[Figure]:
    """What the page holds after 16 clients were answered and asked for images."""
    from gradio_client import Client, handle_file

    image = handle_file(sorted((data / "images").iterdir())[0])
    with pages.running("app.py", "--model", str(model)) as (address, process):
        over_http.ask(address, data)
        client = Client(address, verbose=False)
        for _ in range(20):
            client.predict(image, "Mass", api_name="/explain")
        resident = child.resident(process.pid)
    return [Figure("MB resident in the app after 192 images of 16 clients", resident, 450, "lower")]


def installed(data: Path, model: Path) -> list[Figure]:
    """What the environment with requirements.txt takes on disk, pip and all."""
    environment = pages.SERVING.parents[1]
    size = sum(path.lstat().st_blocks * 512 for path in environment.rglob("*"))
    return [Figure("MB on disk of the serving half, installed", size / 2**20, 700, "lower")]


def _export_fastai(model: Path, folder: Path) -> Path:
    """Writes the folder's network as a fastai export; returns its path."""
    from cxr.training import export, net

    export.write_fastai(net.load(model), model_folder.load(model).image_size, folder)
    return folder / model_folder.FASTAI


def _until_answered(image: Path, *command: str, python: Path = pages.SERVING) -> float:
    """Seconds from the command until an image is answered."""
    begun = time.perf_counter()
    with pages.running(*command, python=python) as (address, _):
        over_http.answer(address, image.read_bytes())
        return time.perf_counter() - begun


_EMPTY_PAGE = """
import sys

import gradio

with gradio.Blocks() as page:
    gradio.Textbox()
page.launch(server_port=int(sys.argv[-1]))
"""

# As fastai's own guide to Gradio has it, but for the endpoint's name.
_FASTAI_PAGE = """
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
