"""The next batch is made while a GPU still learns from the last.

A CPU has no hands free for that, and there the input is two percent of a step
(docs/performance.md): batches are made in turn. On an H100 a step of 64 images at 320 px takes 26.8
ms with new images and 25.8 ms on one repeated batch. What is drawn for an image is drawn by the CPU's
generator, which no layer of the network on a GPU uses: draws keep their order.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import torch
from fastai.callback.core import Callback
from fastcore.basics import GetAttr

from cxr.training import distributed


class MakeAhead(Callback):
    """Trains and validates on batches that are made ahead, by one."""

    order = 12  # behind fastai's DistributedTrainer, which wraps the loader too

    def before_train(self):
        self.learn.dl = Ahead(self.dl)

    def before_validate(self):
        self.learn.dl = Ahead(self.dl)

    def after_loss(self):
        # Not before: the way forward is Python's work as the making is, and each would hold up the
        # other. The way back is not. Nor in validation by several processes: what fills up the
        # last batch is told by how many batches were made, which the metric asks for behind this.
        if self.training or distributed.processes() == 1:
            self.dl.begin()


class Ahead(GetAttr):
    """A fastai loader whose next batch is made in a thread, from `begin` on, or when asked for.

    On a GPU it is made on a stream of its own, so that copying and augmenting overlap with the
    network. Where the loop is left early, the batch that was begun is finished and dropped.
    """

    _default = "dl"  # everything else is the loader's own

    def __init__(self, dl: Any):
        self.dl = dl
        self.coming: Future[_Made | None] | None = None

    def __len__(self) -> int:
        return len(self.dl)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        device = torch.device(self.dl.device or "cpu")
        stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        batches = iter(self.dl)
        with ThreadPoolExecutor(1, "ahead") as thread:
            self.coming = None
            self.submit = lambda: thread.submit(_make, batches, stream)
            while made := self.begin().result():
                self.coming = None
                yield made.taken()

    def begin(self) -> "Future[_Made | None]":
        """Begins the next batch of the loop that is under way, if it is not begun."""
        self.coming = self.coming or self.submit()
        return self.coming


class _Made(NamedTuple):
    """A batch, and when it is complete on the device."""

    batch: tuple[torch.Tensor, ...]
    complete: torch.cuda.Event | None

    def taken(self) -> tuple[torch.Tensor, ...]:
        """The batch for the stream that asks: it waits there, and the memory waits for it."""
        if self.complete:
            asking = torch.cuda.current_stream(self.batch[0].device)
            asking.wait_event(self.complete)
            for part in self.batch:
                part.record_stream(asking)
        return self.batch


def _make(
    batches: Iterator[tuple[torch.Tensor, ...]], stream: torch.cuda.Stream | None
) -> _Made | None:
    """The next batch, None behind the last."""
    with torch.cuda.stream(stream):  # without a stream of no effect
        batch = next(batches, None)
        if batch is None:
            return None
        return _Made(batch, stream.record_event() if stream else None)
