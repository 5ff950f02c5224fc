"""What grows with the images, and what must not: time in step, memory flat, all cores busy."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from benchmarks import child, layout, unavoidable
from benchmarks.child import Run
from benchmarks.figure import Figure
from cxr import machine
from cxr.model import model_folder

RELEASE = ("112120", "30805")  # images and patients
ROUNDS = 3
_SMALL = 256  # px; of images that are decoded by the thousand


def cores(data: Path, model: Path) -> list[Figure]:
    """Images a second that two processes decode into the cache, against one.

    Beside it what two processes reach that only compute, on these cores at this time.
    """
    few, many = (_links(data, "decoded", count) for count in (64, 576))
    size = model_folder.load(model).image_size

    def decoding(processes: int) -> float:
        """Seconds of 512 images, 16 tasks: what the start takes is in both runs, and drops out."""
        return _build(many, size, processes).seconds - _build(few, size, processes).seconds

    rounds = [(decoding(1) / decoding(2), 2 * _computing(1) / _computing(2)) for _ in range(ROUNDS)]
    ours, ceiling = (statistics.median(values) for values in zip(*rounds, strict=True))
    what = "images/s of 1024x1024 PNG into the cache, two processes / one"
    return [
        Figure(what, ours, 1.8, "higher"),
        Figure("the same of two processes that only compute: the ceiling", ceiling, 1.8, "higher"),
    ]


def cache(data: Path, model: Path) -> list[Figure]:
    """Time for an image, and memory, at four times as many images."""
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
        Figure(
            "seconds an image into the cache: 4,000 / 1,000",
            statistics.median(times),
            1.15,
            "lower",
        ),
        Figure("MB held meanwhile: 4,000 / 1,000", statistics.median(memory), 1.1, "lower"),
    ]


def figures(data: Path, model: Path) -> list[Figure]:
    """All figures with their intervals, groups and all, of as many images as the release has."""
    run = child.run("-m", "benchmarks.predictions", *RELEASE, str(model))
    seconds, before = map(float, run.output.split())
    what = "1,000 resamples over 112,120 images of 30,805 patients, groups and all"
    return [
        Figure(f"seconds of {what}", seconds, 30, "lower"),
        Figure("MB held meanwhile, libraries and predictions with them", run.memory, 1000, "lower"),
        Figure("MB of them that measuring took", run.memory - before, 500, "lower"),
    ]


def predict(data: Path, model: Path) -> list[Figure]:
    """`predict` over a folder: its speed, how busy the cores are, memory at four times as many."""
    few, many = (_links(data, "predicted", count) / "images" for count in (80, 320))
    images = layout.images_of(data) * 10
    memory, against, busy = [], [], []
    for _ in range(ROUNDS):
        raw, raw_busy = _raw(images, model)
        few_run, many_run = (_predict(folder, model) for folder in (few, many))
        taken = many_run.seconds - few_run.seconds  # without the start
        memory.append(many_run.memory / few_run.memory)
        against.append((320 - 80) / taken / raw)
        busy.append((many_run.processor - few_run.processor) / taken / raw_busy)
    against_raw = "images/s of `predict` over a folder / decode + resize + run on all cores"
    return [
        Figure(against_raw, statistics.median(against), 0.8, "higher"),
        Figure("cores that it keeps busy / the same", statistics.median(busy), 0.9, "higher"),
        Figure("MB that it holds: 320 images / 80", statistics.median(memory), 1.1, "lower"),
    ]


def _links(data: Path, name: str, count: int) -> Path:
    """So many links to the images, in a folder of their own."""
    return layout.labelled(data, data.parent / f"{name}_{count}", count)


def _reduced(data: Path, folder: Path) -> Path:
    """Each image once, at a quarter of its side."""
    (folder / "images").mkdir(parents=True)
    for path in sorted((data / "images").iterdir())[:24]:
        with Image.open(path) as image:
            image.convert("L").resize((_SMALL, _SMALL)).save(folder / "images" / path.name)
    return folder


def _build(folder: Path, size: int, processes: int) -> Run:
    return child.run("-m", "benchmarks.build", str(folder), str(size), str(processes))


def _held(build: Run) -> float:
    """MB of the process and its workers."""
    return build.memory + machine.cores() * build.worker


def _predict(folder: Path, model: Path) -> Run:
    with tempfile.TemporaryDirectory() as scratch:
        output = ("--csv", "--output", f"{scratch}/answers.csv")
        return child.run("-m", "cxr", "predict", str(model), str(folder), *output)


def _raw(images: list[bytes], model: Path) -> tuple[float, float]:
    """Images a second of what cannot be avoided, and how many cores it keeps busy."""
    begun, used = time.perf_counter(), time.process_time()
    rate = unavoidable.rate(images, model)
    return rate, (time.process_time() - used) / (time.perf_counter() - begun)


def _computing(processes: int) -> float:
    """Seconds of so many processes that each do the same sums."""
    command = [sys.executable, "-c", "sum(i * i for i in range(15_000_000))"]
    begun = time.perf_counter()
    running = [subprocess.Popen(command) for _ in range(processes)]
    for process in running:
        process.wait()
    return time.perf_counter() - begun
