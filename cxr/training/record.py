"""What config.json says about how the network was trained; for people, not for the program."""

import subprocess
from pathlib import Path
from typing import Any

from cxr.datasets import splits
from cxr.model import model_folder
from cxr.model.config import Config
from cxr.training.data import RunData
from cxr.training.settings import Settings

# What the record of a run says about the runs that it starts from.
_KEPT = (
    "recipe",
    "seed",
    "freeze_epochs",
    "epochs",
    "mirror",
    "learning_rate",
    "device",
    "boxes",
    "start",
)


def make(settings: Settings, run: RunData, boxes: str, fitted: dict[str, Any]) -> dict[str, Any]:
    """Returns the record of a run.

    Args:
        settings: Its settings.
        run: Its data.
        boxes: The sentence on the boxes, of `data.describe_boxes`.
        fitted: Learning rate, device and speed, of `fit`; empty when nothing was trained.
    """
    return {
        "data": settings.data.name,
        "images": len(run.split),
        "patients": len(set(run.patients)),
        "train_images": len(run.rows(splits.TRAIN)),
        "valid_images": len(run.rows(splits.VALID)),
        # Not the path of a splits.csv, which is a place on this machine.
        "split": settings.split if settings.split in splits.KINDS else "reused",
        "boxes": boxes,
        "commit": _commit(),
        **origin(settings),
        **fitted,
    }


def origin(settings: Settings) -> dict[str, Any]:
    """Returns where the weights come from: this run's training, and under "start" the earlier ones.

    The record of a run that only measures an earlier network is that of the earlier run.
    """
    earlier = [_summary(model_folder.load(folder)) for folder in settings.start]
    if len(earlier) == 1 and not settings.trains:
        return earlier[0]
    own = {
        "recipe": settings.recipe,
        "seed": settings.seed,
        "freeze_epochs": settings.freeze_epochs,
        "epochs": settings.epochs,
        "image_size": settings.image_size,
        "mirror": settings.mirror,
        "start": earlier,
    }
    if not settings.trains:  # the boxes of this run were used for measuring only
        own["boxes"] = " ".join(dict.fromkeys(one["boxes"] for one in earlier if "boxes" in one))
    return own


def _summary(config: Config) -> dict[str, Any]:
    known = {name: config.training[name] for name in _KEPT if name in config.training}
    return {"image_size": config.image_size, "start": [], **known}


def _commit() -> str | None:
    """The commit of the code; None outside a git checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
