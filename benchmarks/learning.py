"""A learner as in `train.py`, to measure training steps."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.learner import Learner
from fastcore.basics import GetAttr

from cxr import machine
from cxr.datasets import boxes, nih
from cxr.training import learner, loaders, net, pixels
from cxr.training.loaders import Images
from cxr.training.settings import Settings

SIZE = Settings.image_size  # side in pixels


def images_of(data: Path, size: int = SIZE) -> Images:
    """All images of a folder in the Kaggle sample's layout, decoded at `size`, without boxes."""
    found = nih.load(data)
    names = list(found.table.image)
    return Images(pixels.build(found.source, names, size), found.targets, names, boxes.Boxes())


@contextmanager
def learning(data: Path, model: Path, size: int = SIZE) -> Iterator[Learner]:
    """A learner in the phase that takes most of a training; on a CPU the early layers are frozen.

    As in a training, the process keeps freed memory from then on.
    """
    machine.keep_freed_memory()
    learner.seed_everything(0)  # also selects the GPU's convolution algorithms
    images = images_of(data, size)
    rows = np.arange(len(images.names))
    with tempfile.TemporaryDirectory() as folder:
        dls = loaders.make_dls(images, rows, rows[:1], learner.batch_size())
        trained = net.load(model).train()
        learn = learner.make_learner(dls, trained, learner.BOX_WEIGHT, Path(folder))
        learn.remove_cb(learn.progress)
        if learn.dls.device.type == "cpu":
            learner.freeze(learn, 1)
        yield learn


def train_on(learn: Learner, batches: Any, callbacks: list) -> None:
    """Trains the learner for one epoch of these batches and prints nothing."""
    loaders = learn.dls.loaders
    learn.dls.loaders = [batches, loaders[1]]
    try:
        with redirect_stdout(StringIO()):
            learn.fit(1, 1e-5, cbs=callbacks)
    finally:
        learn.dls.loaders = loaders


class Turns(GetAttr):
    """A loader that yields new batches and one repeated batch in turns, and times the steps.

    On a GPU 20 steps of a kind follow each other, and their mean counts. The next batch is prepared
    there while the current one is used, so single steps would do each other's work.

    Attributes:
        seconds: Seconds of a step, including the preparation of its batch, by kind of batch:
            {"fresh": [], "repeated": []}.
    """

    _default = "loader"  # GetAttr takes every other attribute from the loader

    def __init__(self, loader: Any, turns: int):
        self.loader, self.turns = loader, turns
        self.in_a_row = 20 if torch.cuda.is_available() else 1
        self.seconds: dict[str, list[float]] = {"fresh": [], "repeated": []}

    def __len__(self) -> int:
        return 2 * self.turns * self.in_a_row + 1

    def __iter__(self) -> Iterator[tuple]:
        batches = _endless(self.loader)
        repeated = next(batches)
        yield repeated  # not measured, because the first step is slower
        for _ in range(self.turns):
            for kind, seconds in self.seconds.items():
                wait_for_gpu()
                begun = time.perf_counter()
                for _ in range(self.in_a_row):
                    yield next(batches) if kind == "fresh" else repeated
                wait_for_gpu()
                seconds.append((time.perf_counter() - begun) / self.in_a_row)


def wait_for_gpu() -> None:
    """Returns when the GPU has finished its work; at once if there is no GPU."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _endless(loader: Any) -> Iterator[tuple]:
    while True:
        yield from loader
