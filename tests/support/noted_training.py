"""Runs train.py in one of several processes and notes what this process did.

    accelerate launch ... tests/support/noted_training.py NOTES_FOLDER [options of train.py]

Writes NOTES_FOLDER/RANK.json: the images of each pass over the training and validation images, how
many answers the metric counted and what it came to, a digest of the network at the end, and what
only the main process should do.
"""

# ruff: noqa: E402 (the path must be right before the imports)

import hashlib
import json
import sys
from pathlib import Path

# In place of this folder, whose `html.py` would hide Python's own module.
sys.path[0] = str(Path(__file__).parents[2])

import torch
from fastai.callback.core import Callback

import train
from cxr.datasets import splits
from cxr.evaluation import plots
from cxr.training import choose, distributed, learner, loaders, pixels, run

notes: dict = {"train": [], "valid": [], "counted": [], "auroc": [], "did": []}
passes: list[list[str]] = [[]]


class Note(Callback):
    """Notes each pass over the images; behind all others."""

    order = 90

    def before_train(self):
        passes.append([])
        notes["train"].append(passes[-1])

    def before_validate(self):
        passes.append([])
        notes["valid"].append(passes[-1])

    def after_validate(self):
        (metric,) = self.learn.metrics
        notes["counted"].append(sum(map(len, metric.targets)))
        notes["auroc"].append(metric.value)


def digest(net: torch.nn.Module) -> str:
    """A digest of all weights and running means."""
    state = sorted(net.state_dict().items())
    parts = (value.cpu().contiguous().numpy().tobytes() for _, value in state)
    return hashlib.sha256(b"".join(parts)).hexdigest()


def note(module, name: str, noted) -> None:
    """Has `noted` called with the arguments of each call of a module's function."""
    function = getattr(module, name)

    def both(*arguments):
        noted(*arguments)
        return function(*arguments)

    setattr(module, name, both)


def main() -> int:
    folder, *options = sys.argv[1:]
    note(
        loaders,
        "read_batch",
        lambda images, rows, _: passes[-1].extend(images.names[i] for i in rows),
    )
    note(learner, "fit", lambda learn, *_: learn.add_cb(Note()))
    only_main = ((pixels, "_decode"), (splits, "write"), (plots, "history"), (choose, "choose"))
    for module, name in only_main:
        note(module, name, lambda *_, name=name: notes["did"].append(name))
    nets: list[torch.nn.Module] = []
    note(run, "_fit", lambda _settings, net, *_: nets.append(net))
    status = train.main(options)
    notes["digest"] = digest(nets[0])
    Path(folder, f"{distributed.rank()}.json").write_text(json.dumps(notes))
    return status


if __name__ == "__main__":
    sys.exit(main())
