"""What a training run is asked to do."""

from dataclasses import dataclass
from pathlib import Path

from cxr.model.hub import HubName

DEFAULT, ARTICLE = "default", "article"
# What a recipe takes where the user names nothing else. The article's is the 2021 article's way:
# images split one by one, fastai's own augmentation, one threshold from the accuracy plot.
RECIPES = {
    DEFAULT: {"split": "patient", "thresholds": "youden"},
    ARTICLE: {"split": "random", "thresholds": "accuracy"},
}
DEFAULT_ARCHITECTURE = "tf_efficientnet_lite0"


@dataclass(frozen=True)
class Settings:
    """train.py's options of the same names.

    data: folder, zip, or kaggle:OWNER/NAME. output: the model folder to write. arch: timm body.
    image_size: pixels. lr: of the head; None means by the learning-rate finder. split: one of
    splits.KINDS, or the path of a splits.csv. recipe: one of RECIPES. thresholds: the rule that
    chooses them, as thresholds.parse_rule reads it. boxes: BBox_List_2017.csv. start: model folders
    whose averaged weights the training starts from; none for ImageNet's. mirror: whether half of
    the images are turned left to right. resume: go on with the training that was cut off in output.
    push_to_hub: where the finished folder is published; private: there as a new repository that
    only its owner can see.
    """

    data: Path
    output: Path
    arch: str = DEFAULT_ARCHITECTURE
    image_size: int = 320
    epochs: int = 8
    freeze_epochs: int = 1
    lr: float | None = None
    split: str = RECIPES[DEFAULT]["split"]
    recipe: str = DEFAULT
    thresholds: str = RECIPES[DEFAULT]["thresholds"]
    boxes: Path | None = None
    start: tuple[Path, ...] = ()
    mirror: bool = False
    seed: int = 42
    resume: bool = False
    push_to_hub: HubName | None = None
    private: bool = False
