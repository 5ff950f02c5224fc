"""The example images that the page offers: those of the model folder, then those of the project."""

import csv
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cxr import imaging
from cxr.model import folder_files, model_folder

PROJECT = Path(__file__).parents[2] / "examples"
TABLE = "examples.csv"  # file, labels, source
MOST = 24  # images of one folder; the page reads each of them when it starts
_MAX_BYTES = 2**20  # of the table
_MAX_LENGTH = 1000  # characters of a text in the table


@dataclass(frozen=True)
class ExampleImage:
    """An example image.

    Attributes:
        path: Its file.
        labels: Its true labels, "A|B"; "" if unknown.
        source: Where it comes from, a sentence.
    """

    path: Path
    labels: str
    source: str

    @property
    def caption(self) -> str:
        """Its labels for readers, or its name if they are unknown."""
        words = self.labels.replace("|", ", ") or self.path.stem
        return words.replace("_", " ")


def find(folder: Path) -> list[ExampleImage]:
    """The images of a model folder and of the project that can be read."""
    listed_images = listed(folder / model_folder.EXAMPLES) + listed(PROJECT)
    return [image for image in listed_images if _is_readable(image.path)]


def listed(folder: Path) -> list[ExampleImage]:
    """The images that the table of a folder of examples lists; none if it has no table.

    The table may be anybody's: only image files in the folder itself count. They are not decoded.
    """
    table = folder / TABLE
    try:
        if table.stat().st_size > _MAX_BYTES:
            return []
        with table.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            rows = list(islice(csv.DictReader(file), MOST))
    except (OSError, csv.Error):
        return []
    images = [
        ExampleImage(folder / name, labels[:_MAX_LENGTH], source[:_MAX_LENGTH])
        for name, labels, source in (
            [row.get(column) or "" for column in ("file", "labels", "source")] for row in rows
        )
    ]
    return [image for image in images if _is_image_in(folder, image.path)]


def _is_image_in(folder: Path, path: Path) -> bool:
    is_image = path.suffix.lower() in imaging.SUFFIXES
    return is_image and folder_files.lies_in(folder, path) and os.path.isfile(path)


def _is_readable(path: Path) -> bool:
    try:
        imaging.read_image(path)
    except imaging.ImageError:
        return False
    return True
