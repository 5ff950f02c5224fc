"""How time and memory grow with the number of images, and how busy the cores are."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from benchmarks import child, folders, unavoidable
from benchmarks.child import Run
from benchmarks.metric import Metric, below
from cxr import machine
from cxr.model import model_folder

RELEASE = ("112120", "30805")  # images and patients
ROUNDS = 3
_SMALL = 256  # pixels; side of the images that are decoded by the thousand


def cores(data: Path, model: Path) -> list[Metric]:
    """Images a second that two processes decode into the cache, relative to one process.

    The ceiling is what two processes reach that only compute, on the same cores at the same time.
    """
    few, many = (_links(data, "decoded", count) for count in (64, 576))
    size = model_folder.load(model).image_size

    def decoding(processes: int) -> float:
        """Seconds of 512 images (16 tasks); the time of the start cancels out."""
        return _build(many, size, processes).seconds - _build(few, size, processes).seconds

    rounds = [(decoding(1) / decoding(2), 2 * _computing(1) / _computing(2)) for _ in range(ROUNDS)]
    ours, ceiling = (statistics.median(values) for values in zip(*rounds, strict=True))
    what = "images/s of 1024x1024 PNG into the cache, two processes / one"
    return [
        Metric(what, ours, below(ceiling, 1.8), "higher"),
        Metric(
            "the same of two processes that only compute (upper bound)", ceiling, None, "higher"
        ),
    ]


def cache(data: Path, model: Path) -> list[Metric]:
    """Time per image and memory at four times as many images."""
    small = _reduced(data, data.parent / "small")
    start, few, many = (_links(small, "small_linked", count) for count in (64, 1000, 4000))
    size, times, memory = model_folder.load(model).image_size, [], []
    for _ in range(ROUNDS):
        start_run, few_run, many_run = (
            _build(f, size, machine.cores()) for f in (start, few, many)
        )
        an_image = (few_run.seconds - start_run.seconds) / (1000 - 64)
        times.append((many_run.seconds - start_run.seconds) / (4000 - 64) / an_image)
        memory.append(_held(many_run) / _held(few_run))
    return [
        Metric(
            "seconds per image into the cache: 4,000 images / 1,000",
            statistics.median(times),
            1.15,
            "lower",
        ),
        Metric(
            "MB of memory for that: 4,000 images / 1,000", statistics.median(memory), 1.1, "lower"
        ),
    ]


def release(data: Path, model: Path) -> list[Metric]:
    """All metrics with intervals and subgroups, for as many images as the full release has."""
    run = child.run("-m", "benchmarks.predictions", *RELEASE, str(model))
    seconds, before = map(float, run.output.split())
    what = "1,000 resamples over 112,120 images of 30,805 patients, with subgroups"
    return [
        Metric(f"seconds of {what}", seconds, 30, "lower"),
        Metric("MB of memory for that, with libraries and predictions", run.memory, 1000, "lower"),
        Metric("MB of that which measuring took", run.memory - before, 500, "lower"),
    ]


def predict(data: Path, model: Path) -> list[Metric]:
    """`predict` on a folder: speed, how busy the cores are, memory at four times as many images."""
    few, many = (_links(data, "predicted", count) / "images" for count in (80, 320))
    images = folders.images_of(data) * 10
    memory, speed, busy = [], [], []
    for _ in range(ROUNDS):
        raw, raw_busy = _raw(images, model)
        few_run, many_run = (_predict(folder, model) for folder in (few, many))
        taken = many_run.seconds - few_run.seconds  # the time of the start cancels out
        memory.append(many_run.memory / few_run.memory)
        speed.append((320 - 80) / taken / raw)
        busy.append((many_run.processor - few_run.processor) / taken / raw_busy)
    what = "images/s of `predict` on a folder / decode + resize + run on all cores"
    return [
        Metric(what, statistics.median(speed), 0.8, "higher"),
        Metric("busy cores during that / the same", statistics.median(busy), 0.9, "higher"),
        Metric("MB of memory for that: 320 images / 80", statistics.median(memory), 1.1, "lower"),
    ]


def _links(data: Path, name: str, count: int) -> Path:
    """A folder with `count` links to the images."""
    return folders.labelled(data, data.parent / f"{name}_{count}", count)


def _reduced(data: Path, folder: Path) -> Path:
    """A folder with 24 of the images, reduced to a quarter of their side."""
    (folder / "images").mkdir(parents=True)
    for path in sorted((data / "images").iterdir())[:24]:
        with Image.open(path) as image:
            image.convert("L").resize((_SMALL, _SMALL)).save(folder / "images" / path.name)
    return folder


def _build(folder: Path, size: int, processes: int) -> Run:
    return child.run("-m", "benchmarks.decode", str(folder), str(size), str(processes))


def _held(build: Run) -> float:
    """MB of the process and its workers at their peaks."""
    return build.memory + machine.cores() * build.worker


def _predict(folder: Path, model: Path) -> Run:
    with tempfile.TemporaryDirectory() as scratch:
        output = ("--csv", "--output", f"{scratch}/results.csv")
        return child.run("-m", "cxr", "predict", str(model), str(folder), *output)


def _raw(images: list[bytes], model: Path) -> tuple[float, float]:
    """Images a second of the unavoidable steps, and how many cores they keep busy."""
    begun, used = time.perf_counter(), time.process_time()
    rate = unavoidable.rate(images, model)
    return rate, (time.process_time() - used) / (time.perf_counter() - begun)


def _computing(processes: int) -> float:
    """Seconds that this many processes take when each computes the same sums."""
    command = [sys.executable, "-c", "sum(i * i for i in range(15_000_000))"]
    begun = time.perf_counter()
    running = [subprocess.Popen(command) for _ in range(processes)]
    for process in running:
        process.wait()
    return time.perf_counter() - begun
