"""What a training keeps after each epoch, so that one that was killed goes on from there.

Nothing is lost but the running epoch: weights, their average, the optimiser's state and all random
numbers to come are kept, so that on a CPU the result is the unbroken run's, bit by bit.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.callback.core import Callback
from fastai.distributed import DistributedDL
from fastcore.foundation import L

from cxr import atomic
from cxr.training import distributed

FILE = "checkpoint.pt"


class CheckpointError(ValueError):
    """A checkpoint that cannot be gone on from; the message is one sentence for a layman."""


@dataclass(frozen=True)
class Progress:
    """How far a training has come.

    begun: what its result depends on, {option: value}; going on asks for the same.
    rate: the head's learning rate, 0 before it is found. phase: the one of the last finished epoch,
    "" before any. epochs: finished in that phase. history: a row for each finished epoch, of all
    phases. state: of `Checkpoint`, after the last of them.
    """

    begun: dict[str, Any]
    rate: float = 0.0
    phase: str = ""
    epochs: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    state: dict[str, Any] | None = None


def write(path: Path, progress: Progress) -> None:
    """Keeps it, in place of the one before."""
    with atomic.replacing(path) as part:
        torch.save(vars(progress), part)


def read(path: Path, begun: dict[str, Any]) -> Progress | None:
    """What was kept there, None if nothing was.

    Raises CheckpointError when it is damaged, or of a training that was begun otherwise.
    """
    if not path.is_file():
        return None
    try:
        progress = Progress(**torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch's readers raise whatever they stumble over
        raise CheckpointError(
            f"The checkpoint {str(path)!r} is damaged; delete it to begin the training anew."
        ) from error
    for option, value in begun.items():
        if progress.begun.get(option) != value:
            raise CheckpointError(
                f"The training in {str(path.parent)!r} was begun with another {option} "
                f"({progress.begun.get(option)}, now {value}); give the same, or name another "
                "--output."
            )
    return progress


def remove(folder: Path) -> None:
    """Takes the checkpoint out of a folder, and what a kill left half written of one."""
    for path in [folder / FILE, *folder.glob(f".{Path(FILE).stem}.*.part*")]:
        path.unlink(missing_ok=True)


class Checkpoint(Callback):
    """Writes `Progress` after each epoch of a phase, and takes up the state of an earlier one.

    average: the WeightAverage of the phase. Of several processes the main one writes, with the
    random numbers of all; running means of batch norms go on from the main one's.
    """

    order = 80  # behind the average, which is part of what is kept

    def __init__(self, path: Path, progress: Progress, phase: str, average: Callback):
        self.path, self.phase, self.average = path, phase, average
        self.reached = progress

    def before_fit(self):
        if self.reached.phase == self.phase and self.reached.state:
            self._take_up(self.reached.state)

    def after_epoch(self):
        row = _plain(dict(zip(self.recorder.metric_names, self.recorder.log, strict=True)))
        self.reached = Progress(
            self.reached.begun,
            self.reached.rate,
            self.phase,
            self.epoch + 1,
            [*self.reached.history, row | {"phase": self.phase}],
            self._state(),
        )
        if distributed.is_main():
            write(self.path, self.reached)

    def _state(self) -> dict[str, Any]:
        optimiser = self.opt.state_dict()
        smooth = self.recorder.smooth_loss
        return {
            "net": distributed.bare(self.model).state_dict(),
            "average": self.average.average.state_dict(),
            "optimiser": [list(map(_plain, optimiser[part])) for part in ("state", "hypers")],
            "smooth_loss": [smooth.count, smooth.val.as_subclass(torch.Tensor)],
            "random": distributed.gathered(_random_state(self.dls.train)),
        }

    def _take_up(self, state: dict[str, Any]) -> None:
        device = self.dls.device
        distributed.bare(self.model).load_state_dict(state["net"])
        self.average.average.load_state_dict(state["average"])
        parts, hypers = state["optimiser"]
        on_device = [{name: _to(device, value) for name, value in part.items()} for part in parts]
        self.opt.load_state_dict({"state": on_device, "hypers": L(hypers)})
        smooth = self.recorder.smooth_loss
        smooth.count, smooth.val = state["smooth_loss"]
        _set_random_state(self.dls.train, state["random"][distributed.rank()])


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """NumPy's numbers as Python's, for only those are read back without running code."""
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in values.items()}


def _to(device: torch.device, value: Any) -> Any:
    return value.to(device) if isinstance(value, torch.Tensor) else value


def _random_state(loader: Any) -> dict[str, Any]:
    """Of all sources of random numbers that a training draws from, the shuffling too."""
    numpy = np.random.get_state(legacy=False)
    return {
        "python": random.getstate(),
        # Lists, for arrays are not among what torch reads back without running code.
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
    """The loader that deals out the images; of several processes another wraps it."""
    return loader.dl if isinstance(loader, DistributedDL) else loader
