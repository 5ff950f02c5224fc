"""The checkpoint after each epoch, from which an interrupted training resumes.

It holds the weights, their average, the state of the optimiser and of all random number generators,
so that on a CPU a resumed training gives the result of an uninterrupted one, bit by bit.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.callback.core import Callback
from fastai.distributed import DistributedDL

from cxr import atomic
from cxr.training import distributed

FILE = "checkpoint.pt"


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message is one sentence for users."""


@dataclass(frozen=True)
class Progress:
    """What a training has done so far.

    Attributes:
        fingerprint: What its result depends on, {option: value}; a resumed training needs the same.
        rate: The head's learning rate; 0 before it is known.
        phase: The phase of the last finished epoch; "" before any.
        epochs: Finished epochs of that phase.
        history: One row per finished epoch of all phases.
        state: The state of `Checkpoint` after the last of them.
    """

    fingerprint: dict[str, Any]
    rate: float = 0.0
    phase: str = ""
    epochs: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    state: dict[str, Any] | None = None


def write(path: Path, progress: Progress) -> None:
    """Writes a checkpoint, which replaces the previous one."""
    with atomic.replacing(path) as part:
        torch.save(vars(progress), part)


def read(path: Path, fingerprint: dict[str, Any]) -> Progress | None:
    """Reads a checkpoint.

    Args:
        path: The file.
        fingerprint: That of the run that resumes, to be compared.

    Returns:
        What the training has done; None when there is no file.

    Raises:
        CheckpointError: The file is damaged, or its training had other options.
    """
    if not path.is_file():
        return None
    try:
        progress = Progress(**torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch's readers raise exceptions of many kinds
        raise CheckpointError(
            f"The checkpoint {str(path)!r} is damaged; delete it to start the training again."
        ) from error
    for option, value in fingerprint.items():
        if progress.fingerprint.get(option) != value:
            raise CheckpointError(
                f"The training in {str(path.parent)!r} was started with another {option} "
                f"({progress.fingerprint.get(option)}, now {value}); use the same, or another "
                "--output."
            )
    return progress


class Checkpoint(Callback):
    """Writes `Progress` after each epoch of a phase, and restores the state of an earlier run.

    With several processes the main one writes, with the random numbers of all of them.
    """

    order = 80  # after the average, which is part of the state

    def __init__(self, path: Path, progress: Progress, phase: str, average: Callback):
        """average: the WeightAverage of the phase."""
        self.path, self.phase, self.average = path, phase, average
        self.reached = progress

    def before_fit(self):
        if self.reached.phase == self.phase and self.reached.state:
            self._restore(self.reached.state)

    def after_epoch(self):
        row = _plain(dict(zip(self.recorder.metric_names, self.recorder.log, strict=True)))
        self.reached = Progress(
            self.reached.fingerprint,
            self.reached.rate,
            self.phase,
            self.epoch + 1,
            [*self.reached.history, row | {"phase": self.phase}],
            self._state(),
        )
        if distributed.is_main():
            write(self.path, self.reached)

    def _state(self) -> dict[str, Any]:
        smooth = self.recorder.smooth_loss
        return {
            "net": distributed.bare(self.model).state_dict(),
            "average": self.average.average.state_dict(),
            "optimiser": _plain(self.opt.state_dict()),
            "smooth_loss": [smooth.count, smooth.val.as_subclass(torch.Tensor)],
            "random": distributed.gathered(_random_state(self.dls.train)),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        distributed.bare(self.model).load_state_dict(state["net"])
        self.average.average.load_state_dict(state["average"])
        self.opt.load_state_dict(state["optimiser"])
        smooth = self.recorder.smooth_loss
        smooth.count, smooth.val = state["smooth_loss"]
        _set_random_state(self.dls.train, state["random"][distributed.rank()])


def _plain(value: Any) -> Any:
    """Replaces NumPy's numbers by Python's: torch reads only those without running code."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    return value.item() if isinstance(value, np.generic) else value


def _random_state(loader: Any) -> dict[str, Any]:
    """The state of all random number generators of a training, that of the shuffling included."""
    numpy = np.random.get_state(legacy=False)
    return {
        "python": random.getstate(),
        # A list, because torch does not read arrays without running code.
        "numpy": numpy | {"state": numpy["state"] | {"key": numpy["state"]["key"].tolist()}},
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "shuffling": _shuffler(loader).rng.getstate(),
    }


def _set_random_state(loader: Any, state: dict[str, Any]) -> None:
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    _shuffler(loader).rng.setstate(state["shuffling"])


def _shuffler(loader: Any) -> Any:
    """The loader that shuffles the images; with several processes it is wrapped by another."""
    return loader.dl if isinstance(loader, DistributedDL) else loader
