"""The data of a training run: images, labels, boxes, and the set of each image."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cxr.datasets import boxes, nih, splits
from cxr.datasets.files import DataError
from cxr.datasets.nih import NihData
from cxr.imaging import GreyImage
from cxr.model import model_folder
from cxr.training import pixels
from cxr.training.loaders import Images
from cxr.training.settings import ARTICLE, Settings


@dataclass(frozen=True)
class RunData:
    """The usable images of a run, in one order.

    Attributes:
        data: Their table, labels and files.
        images: What training needs of them.
        split: Array of "train", "valid" or "test", [N].
    """

    data: NihData
    images: Images
    split: np.ndarray

    def rows(self, name: str) -> np.ndarray:
        """Returns the indices of the images of a set."""
        return np.flatnonzero(self.split == name)

    @property
    def patients(self) -> np.ndarray:
        """The patient of each image."""
        return self.data.table.patient.to_numpy()

    def reader(self) -> Callable[[int], GreyImage]:
        """Returns a function that reads an image from the cache by its index."""
        return lambda row: GreyImage(self.images.cache.image(row))

    def splits(self) -> pd.DataFrame:
        """Returns the content of splits.csv."""
        table = self.data.table[["image", "patient"]].rename(columns={"image": "image_index"})
        return table.assign(split=self.split)


def load(settings: Settings, place: Path) -> RunData:
    """Reads and decodes the images, and splits them; prints what was left out.

    Args:
        settings: The settings of the run.
        place: Folder or zip.

    Raises:
        DataError: Nothing can be trained on.
    """
    data = nih.load(place)
    found = boxes.read(settings.boxes) if settings.boxes else boxes.Boxes()
    splits.make(data, settings.split, settings.seed)  # shows its errors before the decoding
    cache = pixels.build(data.source, list(data.table.image), settings.image_size)
    data = data.keep(cache.readable)
    for sentence in data.report.sentences():
        print(f"Note: {sentence}")
    split = splits.make(data, settings.split, settings.seed)
    return RunData(data, Images(cache, data.targets, list(data.table.image), found), split)


def check_start(run: RunData, folders: Iterable[Path]) -> None:
    """Checks that the networks to start from did not see images that are held out now.

    Raises:
        DataError: They did.
    """
    held_out = run.data.table.patient[run.split != splits.TRAIN]
    for folder in folders:
        seen = splits.read(folder / model_folder.SPLITS)
        shared = held_out.isin(seen.patient[seen.split == splits.TRAIN]).sum()
        if shared:
            raise DataError(
                f"{shared:,} of the images held out here are of patients that the model in "
                f"{str(folder)!r} was trained on; use its split: "
                f"--split {folder / model_folder.SPLITS}."
            )


def print_split(run: RunData) -> None:
    """Prints the size of each set, and a warning where patients are in two of them."""
    counts = ", ".join(f"{len(run.rows(name)):,} {name}" for name in splits.NAMES)
    print(f"{len(run.split):,} images of {len(set(run.patients)):,} patients: {counts}")
    shared = splits.shared_images(run.data, run.split)
    if shared:
        share = 100 * shared / len(run.rows(splits.VALID))
        print(
            f"Warning: {shared:,} validation images ({share:.0f} %) are of patients in the "
            "training set; the metrics of this split are too good."
        )


def describe_boxes(run: RunData, settings: Settings) -> str:
    """Returns a sentence on the boxes that the heatmaps are trained with, for the model card."""
    if not settings.boxes:
        return "No boxes were used."
    if settings.recipe == ARTICLE:
        return "The maps were not taught with boxes: the article's way has none."

    def boxed(name: str) -> int:
        return run.images.boxes.images_known({run.images.names[i] for i in run.rows(name)})

    if boxed(splits.TRAIN):
        count = boxed(splits.TRAIN)
        return f"The heatmaps were taught with the boxes of {count:,} training images."
    if settings.split == "official" and boxed(splits.TEST):
        reason = "every boxed image belongs to the official test patients"
    else:
        reason = "no training image has a box"
    sentence = f"The maps were not taught with boxes: {reason}."
    print(f"Note: {sentence}")
    return sentence
