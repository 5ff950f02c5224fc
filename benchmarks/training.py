"""How fast films are decoded into the cache, and come out of it as batches."""

import contextlib
import io
import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks.figure import Figure
from cxr import model_folder
from cxr_labels import LABELS


def cache(data: Path, model: Path) -> list[Figure]:
    """Films a second that one core decodes into the cache."""
    from cxr.training import nih, pixels

    size = model_folder.load(model).image_size
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

    size = model_folder.load(model).image_size
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


def _epoch(loader) -> float:
    start = time.perf_counter()
    for _ in loader:
        pass
    return time.perf_counter() - start
