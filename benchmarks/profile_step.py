"""Where the milliseconds of one training step go."""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import torch
from fastai.callback.core import Callback

from benchmarks import learning, timing
from cxr.training import augment, learner

STEPS = 6


def profile(data: Path, model: Path) -> dict[str, float]:
    """Milliseconds of each part of a step at train.py's own size and batch, {part: median}.

    The parts of the input are measured by themselves, one after the other, the rest while a
    network trains. data: films in the Kaggle sample's layout. model: the network to train.
    """
    with learning.learning(data, model) as learn:
        found = _input(learn.dls.train)
        clock = _Clock()
        turns = learning.Turns(learn.dls.train, STEPS // 2)
        learning.train_on(learn, turns, [learner.WeightAverage(), clock, _Between(clock)])
    return found | clock.milliseconds()


def _input(loader) -> dict[str, float]:
    """The making of a batch, part by part."""
    rows = list(range(loader.bs))
    batch = loader.create_batch(rows)
    films = batch[0].as_subclass(torch.Tensor)
    drawing, mixing = augment.AugmentFilms(), augment.MixFilms(p=1.0)
    drawing.before_call((films,), 0)
    noise, lines, columns, kernels, shift, grain, qualities, _ = drawing.drawn_for(films)
    moved = augment.in_parts(_move, films, lines, columns)
    exposed = augment.in_parts(_expose, moved, kernels, shift)
    mixing.before_call((films,), 0)
    return {
        "read the cache": _median(lambda: loader.create_batch(rows)),
        "draw": _median(lambda: drawing.before_call((films,), 0)),
        "to float and move": _median(lambda: augment.in_parts(_move, films, lines, columns)),
        "expose": _median(lambda: augment.in_parts(_expose, moved, kernels, shift)),
        "noise": _median(lambda: augment.in_parts(_add_noise, exposed, noise, grain)),
        "JPEG's marks, on half": _median(lambda: augment.compress(exposed, qualities)),
        # Half of the batches are mixed.
        "mix, every other batch": _median(lambda: mixing.encodes(augment.TensorFilm(exposed))) / 2,
    }


def _move(films, lines, columns, out) -> None:
    out.copy_(augment.move(films.float(), lines, columns))


def _expose(films, kernels, shift, out) -> None:
    out.copy_(augment.expose(films, kernels, shift))


def _add_noise(films, noise, grain, out) -> None:
    torch.addcmul(films, noise, grain, out=out).clamp_(0, 1)


def _median(work: Callable[[], object]) -> float:
    def done() -> None:
        work()
        learning.wait_for_gpu()

    done()
    return 1000 * statistics.median(timing.once(done) for _ in range(STEPS))


class _Clock(Callback):
    """Notes when the parts of each step end; the first step is not counted."""

    order = 100  # behind everything that belongs to a part

    def before_fit(self):
        self.spent = defaultdict(list)

    def before_batch(self):
        self.since = time.perf_counter()

    def after_pred(self):
        self.note("forward")

    def after_loss(self):
        self.note("loss")

    def after_backward(self):
        self.note("backward")

    def before_step(self):
        self.since = time.perf_counter()

    def after_step(self):
        self.note("weight average")

    def milliseconds(self) -> dict[str, float]:
        return {part: 1000 * statistics.median(each[1:]) for part, each in self.spent.items()}

    def note(self, part: str):
        if not self.training:
            return
        learning.wait_for_gpu()
        now = time.perf_counter()
        self.spent[part].append(now - self.since)
        self.since = now


class _Between(Callback):
    """Tells the clock when the optimiser is done and the weights are not yet averaged."""

    order = learner.WeightAverage.order - 1

    def __init__(self, clock: _Clock):
        self.clock = clock

    def after_step(self):
        self.clock.note("optimiser")
