"""How fast images are decoded into the cache, become batches, and are trained on."""

import contextlib
import io
import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks import timing
from benchmarks.metric import Metric
from cxr import machine
from cxr.model import model_folder
from cxr_labels import LABELS

EPOCHS = 31  # of cached images; together they take about as long as one of the plain pipeline


def cache(data: Path, model: Path) -> list[Metric]:
    """Images a second that one core decodes into the cache."""
    from cxr.datasets import nih
    from cxr.training import pixels

    size = model_folder.load(model).image_size
    found = nih.load(data)
    names = list(found.table.image)

    def build(images: list[str]) -> float:
        begun = time.perf_counter()
        with contextlib.redirect_stderr(io.StringIO()):
            pixels.build(found.source, images, size, processes=1)
        return time.perf_counter() - begun

    # A worker's start takes the same time for any number of images, and is subtracted.
    start = build(names[:1])
    speed = (len(names) - 1) / (build(names) - start)
    return [
        Metric(
            "images/s of 1024x1024 PNG that one core decodes into the cache", speed, 60, "higher"
        )
    ]


def feed(data: Path, model: Path) -> list[Metric]:
    """A cached, augmented epoch at the size of train.py, relative to the plain fastai pipeline."""
    from fastai.data.block import DataBlock, MultiCategoryBlock
    from fastai.data.transforms import IndexSplitter
    from fastai.vision.augment import Resize, ResizeMethod, aug_transforms
    from fastai.vision.core import PILImageBW
    from fastai.vision.data import ImageBlock

    from benchmarks import learning
    from cxr.datasets import nih
    from cxr.training import learner, loaders

    machine.keep_freed_memory()  # as in a training; the plain pipeline gains by it too
    images = learning.images_of(data)
    rows = np.arange(len(images.names))
    cached = loaders.make_dls(images, rows, rows[:1], learner.batch_size())
    places = nih.load(data).source.places
    plain = DataBlock(
        blocks=(ImageBlock(PILImageBW), MultiCategoryBlock(encoded=True, vocab=list(LABELS))),
        getters=[lambda i: places[images.names[i]], lambda i: images.targets[i]],
        splitter=IndexSplitter([0]),
        item_tfms=Resize(images.cache.size, ResizeMethod.Squish),
        batch_tfms=aug_transforms(do_flip=False),
    ).dataloaders(rows, bs=learner.batch_size(), num_workers=0)
    ratio = timing.ratio(lambda: _epoch(plain.train), lambda: _epochs(cached.train), rounds=3)
    what = "images/s of a cached, augmented epoch at 320 px / plain fastai pipeline"
    return [Metric(what, ratio, 25, "higher")]


def step(data: Path, model: Path) -> list[Metric]:
    """A training step with a new batch, relative to a step on one repeated batch."""
    from benchmarks import learning
    from cxr.training.callbacks import WeightAverage

    with learning.learning(data, model) as learn:
        turns = learning.Turns(learn.dls.train, turns=8)
        learning.train_on(learn, turns, [WeightAverage()])
    # In pairs, because the speed of a shared machine drifts.
    pairs = zip(turns.seconds["repeated"], turns.seconds["fresh"], strict=True)
    share = statistics.median(repeated / fresh for repeated, fresh in pairs)
    what = "training steps/s at 320 px with input / on one repeated batch"
    return [Metric(what, share, 0.95, "higher")]


def _epoch(loader) -> float:
    from benchmarks import learning

    def through() -> None:
        for _ in loader:
            pass
        learning.wait_for_gpu()

    return timing.once(through)


def _epochs(loader) -> float:
    """Median seconds of an epoch.

    The plain pipeline leaves all cores but one idle, and a virtual machine takes seconds to give
    idle cores back. A training of minutes is not affected by that, so neither may this be.
    """
    return statistics.median(_epoch(loader) for _ in range(EPOCHS))
