"""What a training run is asked to do."""

from dataclasses import dataclass
from pathlib import Path

DEFAULT_ARCHITECTURE = "tf_efficientnet_lite0"


@dataclass(frozen=True)
class Settings:
    """train.py's options of the same names.

    data: folder or zip. output: the model folder to write. arch: timm body. image_size: pixels.
    lr: of the head; None means by the learning-rate finder. split: one of splits.KINDS, or the
    path of a splits.csv. boxes: BBox_List_2017.csv.
    """

    data: Path
    output: Path
    arch: str = DEFAULT_ARCHITECTURE
    image_size: int = 320
    epochs: int = 8
    freeze_epochs: int = 1
    lr: float | None = None
    split: str = "patient"
    boxes: Path | None = None
    seed: int = 42
