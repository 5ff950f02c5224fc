"""The images that the page offers: those of the model folder first, then those of the project."""

import csv
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cxr import imaging
from cxr.model import folder_files, model_folder

PROJECT = Path(__file__).parents[2] / "examples"
TABLE = "examples.csv"  # file, labels, source
MOST = 24  # images of one folder that are offered; each is read when the page starts
_LARGEST = 2**20  # bytes of the table
_LONGEST = 1000  # letters of a text in the table


@dataclass(frozen=True)
class ExampleImage:
    """An image offered on the page: its file, true labels ("A|B", "" if unknown) and source."""

    path: Path
    labels: str
    source: str

    @property
    def caption(self) -> str:
        """A few words under its image: its labels, or its name where they are not known."""
        words = self.labels.replace("|", ", ") or self.path.stem
        return words.replace("_", " ")


def find(folder: Path) -> list[ExampleImage]:
    """The example images of a model folder and of the project, as their examples.csv list them."""
    return read(folder / model_folder.EXAMPLES) + read(PROJECT)


def read(folder: Path) -> list[ExampleImage]:
    """The images of one folder of examples, as its table lists them; none where it has no table."""
    table = folder / TABLE
    try:
        if table.stat().st_size > _LARGEST:
            return []
        with table.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            rows = list(islice(csv.DictReader(file), MOST))
    except (OSError, csv.Error):
        return []
    images = [
        ExampleImage(folder / name, labels[:_LONGEST], source[:_LONGEST])
        for name, labels, source in (
            [row.get(column) or "" for column in ("file", "labels", "source")] for row in rows
        )
    ]
    return [image for image in images if _is_an_image_of(folder, image.path)]


def _is_an_image_of(folder: Path, path: Path) -> bool:
    """Whether the file lies in the folder itself and can be read: the table may be anybody's."""
    if not folder_files.lies_in(folder, path):
        return False
    try:
        imaging.read_image(path)
    except imaging.ImageError:
        return False
    return True
