"""The settings of a training run."""

from dataclasses import dataclass
from pathlib import Path

from cxr.model.hub import HubName

DEFAULT, ARTICLE = "default", "article"
# The settings of each recipe, unless the user names others. The article's are those of the 2021
# article: images split one by one, fastai's own augmentation, one threshold from the accuracy plot.
RECIPES = {
    DEFAULT: {"split": "patient", "thresholds": "youden"},
    ARTICLE: {"split": "random", "thresholds": "accuracy"},
}
DEFAULT_ARCHITECTURE = "tf_efficientnet_lite0"


@dataclass(frozen=True)
class Settings:
    """The options of train.py, under the same names.

    Attributes:
        data: Folder, zip, or kaggle:OWNER/NAME.
        output: The model folder to write.
        arch: timm backbone.
        image_size: Side of the network's input in pixels.
        epochs: Epochs of backbone and head.
        freeze_epochs: Epochs of the head alone, before them.
        lr: Learning rate of the head; None to use the learning-rate finder.
        split: One of splits.KINDS, or the path of a splits.csv.
        recipe: One of RECIPES.
        thresholds: The rule that chooses thresholds, as thresholds.parse_rule reads it.
        boxes: BBox_List_2017.csv.
        start: Model folders whose averaged weights the training starts from; none for ImageNet's.
        mirror: Whether half of the training images are mirrored.
        seed: Seed of the split and of the training.
        resume: Whether to resume the interrupted training of `output`.
        overwrite: Whether to replace the finished model in `output`.
        push_to_hub: Where the finished folder is published.
        private: Whether a new repository there is private.
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
    overwrite: bool = False
    push_to_hub: HubName | None = None
    private: bool = False

    @property
    def trains(self) -> bool:
        """Whether there is any epoch to train."""
        return self.epochs + self.freeze_epochs > 0
