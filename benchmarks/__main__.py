"""Speed, as ratios within one run: `make bench`.

    python -m benchmarks [--films FOLDER] [--model FOLDER]

Each figure is set against a peer or a physical limit measured in the same run, so that the shared
machine's own speed drops out. --films holds 1024x1024 PNG in the Kaggle sample's layout; films
that are computed take their place where it is absent.
"""

import argparse
import contextlib
import io
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
from PIL import Image

from cxr import machine, model_folder
from cxr.serving import analysis
from cxr.serving.predictor import Predictor
from cxr_labels import FINDINGS, LABELS

ROOT = Path(__file__).parents[1]
COPIES = 8  # of each film, so that a pass takes long enough to be measured
ROUNDS = 7


@dataclass(frozen=True)
class Figure:
    """What was measured, its value, and the bar it has to reach."""

    what: str
    value: float
    bar: float
    better: str  # "higher" or "lower"

    @property
    def reached(self) -> bool:
        return self.value >= self.bar if self.better == "higher" else self.value <= self.bar


def main() -> int:
    """Prints every figure as it is measured; the exit status is 1 when one misses its bar."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--films", type=Path, default=ROOT.parent / "shared" / "nih_1024")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "starter")
    options = parser.parse_args()
    missed = 0
    print(f"{'what':<72} {'value':>8} {'bar':>8}")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["CXR_CACHE"] = f"{scratch}/cache"
        data = _lay_out(options.films, Path(scratch) / "data")
        for measure in (serving, request, cache, feed, evaluation, resampling, start, first_page):
            for figure in measure(data, options.model):
                sign = ">=" if figure.better == "higher" else "<="
                note = "" if figure.reached else "  MISSED"
                print(f"{figure.what:<72} {figure.value:>8.2f} {sign} {figure.bar:>5g}{note}")
                missed += not figure.reached
    return int(missed > 0)


def serving(data: Path, model: Path) -> list[Figure]:
    """One film from bytes to probabilities and maps, against the three steps it cannot avoid."""
    predictor = Predictor(model)
    size = predictor.config.image_size
    session = _plain_session(model)
    films = [path.read_bytes() for path in sorted((data / "images").iterdir())[:24]]

    def unavoidable(film: bytes) -> None:
        _decode_and_run(film, size, session)

    def answered(film: bytes) -> None:
        analysis.analyze(predictor, film)

    ratios = [_seconds(answered, films) / _seconds(unavoidable, films) for _ in range(ROUNDS)]
    what = "one 1024x1024 PNG to probabilities and maps / decode + resize + run"
    return [Figure(what, statistics.median(ratios), 1.3, "lower")]


def request(data: Path, model: Path) -> list[Figure]:
    """One film sent to the page and answered over HTTP, above what the predictor itself takes."""
    import httpx

    predictor = Predictor(model)
    films = [path.read_bytes() for path in sorted((data / "images").iterdir())[:24]]
    with _running("app.py", "--model", str(model)) as (address, _):
        asks = httpx.Client(base_url=f"{address}/gradio_api")

        def own(film: bytes) -> None:
            analysis.answer(predictor, "film.png", analysis.analyze(predictor, film))

        def sent(film: bytes) -> None:
            path = asks.post("/upload", files={"files": ("film.png", film)}).json()[0]
            named = {"path": path, "meta": {"_type": "gradio.FileData"}}
            call = asks.post("/call/analyze", json={"data": [named, "nih"]}).json()
            asks.get(f"/call/analyze/{call['event_id']}").raise_for_status()

        over = [(_seconds(sent, films) - _seconds(own, films)) / len(films) for _ in range(ROUNDS)]
    what = "ms of one 1024x1024 PNG over HTTP, above the predictor's own"
    return [Figure(what, 1000 * statistics.median(over), 60, "lower")]


def cache(data: Path, model: Path) -> list[Figure]:
    """Films a second that one core decodes into the cache."""
    from cxr.training import nih, pixels

    size = Predictor(model).config.image_size
    found = nih.load(data)
    names = list(found.table.image)

    def build(films: list[str]) -> float:
        begun = time.perf_counter()
        with contextlib.redirect_stderr(io.StringIO()):
            pixels.build(found.source, films, size, processes=1)
        return time.perf_counter() - begun

    # What a worker needs to start is spent once, however many films there are.
    start = build(names[:1])
    speed = (len(names) - 1) / (build(names) - start)
    return [
        Figure("films/s of 1024x1024 PNG that one core decodes into the cache", speed, 60, "higher")
    ]


def feed(data: Path, model: Path) -> list[Figure]:
    """A cached, augmented epoch against the plain fastai pipeline on the same films."""
    from fastai.data.block import DataBlock, MultiCategoryBlock
    from fastai.data.transforms import IndexSplitter
    from fastai.vision.augment import Resize, ResizeMethod, aug_transforms
    from fastai.vision.core import PILImageBW
    from fastai.vision.data import ImageBlock

    from cxr.training import boxes, learner, nih, pixels
    from cxr.training.films import Films

    size = Predictor(model).config.image_size
    found = nih.load(data)
    names = list(found.table.image)
    built = pixels.build(found.source, names, size)
    films = Films(built, found.targets, names, boxes.Boxes())
    rows = np.arange(len(names))
    cached = learner.make_dls(films, rows, rows[:1], 32)
    plain = DataBlock(
        blocks=(ImageBlock(PILImageBW), MultiCategoryBlock(encoded=True, vocab=list(LABELS))),
        getters=[lambda i: found.source.places[names[i]], lambda i: found.targets[i]],
        splitter=IndexSplitter([0]),
        item_tfms=Resize(size, ResizeMethod.Squish),
        batch_tfms=aug_transforms(do_flip=False),
    ).dataloaders(rows, bs=32, num_workers=0)
    ratios = []
    for _ in range(3):
        slow, quick = (_epoch(dls.train) / len(names) for dls in (plain, cached))
        ratios.append(slow / quick)
    what = "films/s of a cached epoch / plain fastai pipeline"
    return [Figure(what, statistics.median(ratios), 20, "higher")]


def evaluation(data: Path, model: Path) -> list[Figure]:
    """`evaluate` on 1,000 films, report and all, against decoding and running the network alone."""
    from cxr.training import evaluate

    size, session = Predictor(model).config.image_size, _plain_session(model)
    folder = _labelled(data, data.parent / "labelled", 1000)
    films = [path.read_bytes() for path in sorted((folder / "images").iterdir())]
    alone = _seconds(lambda film: _decode_and_run(film, size, session), films)
    begun = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        evaluate.evaluate(model, folder, data.parent / "report", include_training=True)
    whole = time.perf_counter() - begun
    what = "evaluating 1,000 films of 1024x1024 / decode + resize + run"
    return [Figure(what, whole / alone, 1.3, "lower")]


def resampling(data: Path, model: Path) -> list[Figure]:
    """Seconds of all intervals: 1,000 resamples over 858 films and 15 labels."""
    from cxr.training.evaluation import report

    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "patient": rng.integers(0, 480, 858),
            "age": rng.uniform(20, 80, 858),
            "sex": rng.choice(["M", "F"], 858),
            "view": rng.choice(["PA", "AP"], 858),
        }
    )
    targets = (rng.random((858, len(LABELS))) < 0.1).astype(np.uint8)
    scores = np.clip(0.1 + 0.2 * targets + rng.normal(0, 0.1, targets.shape), 0.001, 0.999)
    begun = time.perf_counter()
    predicted = report.Predicted(table, targets, scores)
    report.measure(predicted, Predictor(model).config, "patient", None, 0.5)
    seconds = time.perf_counter() - begun
    return [
        Figure("seconds of 1,000 resamples over 858 films, groups and all", seconds, 5, "lower")
    ]


def start(data: Path, model: Path) -> list[Figure]:
    """The page, from the command to its first answer, and what it then holds in memory."""
    from gradio_client import Client, handle_file

    film = handle_file(sorted((data / "images").iterdir())[0])
    begun = time.perf_counter()
    with _running("app.py", "--model", str(model)) as (address, process):
        client = Client(address, verbose=False)
        client.predict(film, api_name="/predict")
        seconds = time.perf_counter() - begun
        for _ in range(20):
            client.predict(film, "Mass", api_name="/explain")
        status = Path(f"/proc/{process.pid}/status").read_text()
    resident = int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024
    return [
        Figure("seconds from `python app.py` to the first answer", seconds, 5, "lower"),
        Figure("MB resident in the app after 21 answers", resident, 500, "lower"),
    ]


def first_page(data: Path, model: Path) -> list[Figure]:
    """From the command to the page, against an empty Gradio app, one after the other."""
    import httpx

    empty = data.parent / "empty.py"
    empty.write_text(_EMPTY_APP)

    def seconds(*command: str) -> float:
        begun = time.perf_counter()
        with _running(*command) as (address, _):
            httpx.get(address).raise_for_status()
            return time.perf_counter() - begun

    ours = ("app.py", "--model", str(model))
    ratios = [seconds(*ours) / seconds(str(empty)) for _ in range(ROUNDS)]
    what = "from the command to the page / an empty Gradio app"
    return [Figure(what, statistics.median(ratios), 1.5, "lower")]


_EMPTY_APP = """
import sys

import gradio

with gradio.Blocks() as page:
    gradio.Textbox()
page.launch(server_port=int(sys.argv[-1]))
"""


@contextlib.contextmanager
def _running(*command: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """A page with the environment that a Space has, on a port of its own, and its address."""
    python = ROOT / ".venv" / "bin" / "python"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    process = subprocess.Popen(
        [python, "-u", *command, "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"},
    )
    try:
        line = next(line for line in process.stdout or () if "http://" in line)
        yield re.findall(r"http://\S+", line)[0], process
    finally:
        process.terminate()
        process.wait()


def _lay_out(films: Path, folder: Path) -> Path:
    """The films several times under other names, in the Kaggle sample's layout."""
    (folder / "images").mkdir(parents=True)
    pictures = sorted((films / "images").glob("*.png")) if films.is_dir() else []
    contents = [path.read_bytes() for path in pictures] or [_computed(i) for i in range(24)]
    lines = ["Image Index,Finding Labels,Patient ID"]
    for copy in range(COPIES):
        for i, content in enumerate(contents):
            name = f"{copy * len(contents) + i:08d}_000.png"
            (folder / "images" / name).write_bytes(content)
            lines.append(f"{name},No Finding,{copy * len(contents) + i}")
    (folder / "sample_labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def _labelled(data: Path, folder: Path, count: int) -> Path:
    """The same films, linked under `count` names, with labels, groups and boxes made up."""
    (folder / "images").mkdir(parents=True)
    films = sorted((data / "images").iterdir())
    lines = ["Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,View Position"]
    boxes = ["Image Index,Finding Label,Bbox [x,y,w,h]"]
    for i in range(count):
        name, label = f"{i:08d}_000.png", LABELS[i % len(LABELS)]
        os.link(films[i % len(films)], folder / "images" / name)
        lines.append(
            f"{name},{label},{i // 2},{20 + i % 60},{'MF'[i % 2]},{('PA', 'AP')[i % 3 % 2]}"
        )
        if label in FINDINGS and i < count // 8:
            boxes.append(f"{name},{label},200,300,250,200")
    (folder / "sample_labels.csv").write_text("\n".join(lines) + "\n")
    (folder / "BBox_List_2017.csv").write_text("\n".join(boxes) + "\n")
    return folder


def _computed(seed: int) -> bytes:
    """A 1024x1024 PNG that is about as hard to decode as a film."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.normal(128, 60, (16, 16)).astype(np.float32))
    smooth = np.asarray(coarse.resize((1024, 1024), Image.Resampling.BICUBIC))
    noisy = np.clip(smooth + rng.normal(0, 2, smooth.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "PNG")
    return file.getvalue()


def _decode_and_run(film: bytes, size: int, session: onnxruntime.InferenceSession) -> None:
    grey = Image.open(io.BytesIO(film)).convert("L")
    small = np.asarray(grey.resize((size, size), Image.Resampling.BILINEAR), np.float32)
    session.run(None, {"image": small[None, None] / 255})


def _plain_session(model: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = machine.cores()
    return onnxruntime.InferenceSession(str(model / model_folder.ONNX), options)


def _seconds(work: Callable[[bytes], None], films: list[bytes]) -> float:
    work(films[0])
    start = time.perf_counter()
    for film in films:
        work(film)
    return time.perf_counter() - start


def _epoch(loader) -> float:
    start = time.perf_counter()
    for _ in loader:
        pass
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
