"""The official boxes: where radiologists marked a finding on an image."""

import csv
import io
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import cxr_labels
from cxr.datasets.files import DataError
from cxr.datasets.nih import IMAGE
from cxr_labels import LabelError

ORIGINAL_SIDE = 1024  # boxes are in pixels of the release's 1024x1024 images
GRID = 32  # side of the box maps that training uses
_TOLERANCE = 1  # pixels that a box may exceed the far edges by: its numbers are rounded

Box = tuple[int, float, float, float, float]


@dataclass(frozen=True)
class Boxes:
    """The boxes of a data set.

    Attributes:
        of_image: {image name: boxes}, each box as (label index, x, y, w, h) in fractions of the
            image's sides, 0..1.
    """

    of_image: dict[str, list[Box]] = field(default_factory=dict)

    def images_known(self, names: set[str]) -> int:
        """Counts the images among `names` that have a box."""
        return len(names & self.of_image.keys())

    def map_of(self, image: str) -> np.ndarray:
        """Returns the box maps of an image: the share of each cell that a box covers.

        Returns:
            uint8 [15, 32, 32], 0..255.
        """
        maps = np.zeros((len(cxr_labels.LABELS), GRID, GRID), np.uint8)
        for label, x, y, w, h in self.of_image.get(image, ()):
            cover = np.outer(_cover(y, h), _cover(x, w))
            maps[label] = np.maximum(maps[label], np.rint(255 * cover))
        return maps


def read(path: str | Path) -> Boxes:
    """Reads BBox_List_2017.csv. Raises DataError and LabelError as `parse` does."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"The box file {str(path)!r} cannot be read.") from error
    return parse(content, str(path))


def parse(content: bytes, name: str = "BBox_List_2017.csv") -> Boxes:
    """Parses the list of boxes: image, finding, x, y, w, h in pixels of the 1024x1024 images.

    Args:
        content: The bytes of the file.
        name: The name of the file, for messages.

    Raises:
        DataError: It is not such a list, or a box is not on its image.
        LabelError: A finding is unknown.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"The box file {name!r} cannot be read.") from error
    of_image: dict[str, list[Box]] = {}
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        if [cell.strip() for cell in next(rows, [])[:2]] != [IMAGE, "Finding Label"]:
            raise DataError(
                f"{name!r} is not the release's list of boxes: its first line should name "
                f"{IMAGE!r} and 'Finding Label'."
            )
        for cells in rows:
            if any(cell.strip() for cell in cells):
                box = _box(cells, f"Row {rows.line_num} of {name!r}")
                of_image.setdefault(cells[0].strip(), []).append(box)
    except csv.Error as error:
        raise DataError(
            f"The box file {name!r} is not a complete CSV file; download it again."
        ) from error
    return Boxes(of_image)


def _box(cells: list[str], place: str) -> Box:
    """The box of a row; the header spells "Bbox [x,y,w,h]" over four columns."""
    try:
        label = cxr_labels.parse_label(cells[1] if len(cells) > 1 else "")
    except LabelError as error:
        raise LabelError(f"{place}: {error}") from error
    if label == cxr_labels.NO_FINDING:
        raise DataError(f"{place} has a box of {label!r}, which has no place on an image.")
    try:
        x, y, w, h = map(float, cells[2:6])
    except ValueError as error:  # also raised for fewer than four
        raise DataError(f"{place} has a box without four numbers.") from error
    if not all(map(math.isfinite, (x, y, w, h))):
        raise DataError(f"{place} has a box without four finite numbers.")
    end = ORIGINAL_SIDE + _TOLERANCE
    on_image = 0 <= x < ORIGINAL_SIDE and 0 <= y < ORIGINAL_SIDE and x + w <= end and y + h <= end
    if not (w > 0 and h > 0 and on_image):
        raise DataError(f"{place} has a box that does not lie on the image of 1024x1024 pixels.")
    side = ORIGINAL_SIDE
    return cxr_labels.index(label), x / side, y / side, w / side, h / side


def _cover(start: float, length: float) -> np.ndarray:
    """The share of each of the 32 cells along one side that [start, start + length] covers."""
    edges = np.arange(GRID + 1) / GRID
    overlap = np.minimum(edges[1:], start + length) - np.maximum(edges[:-1], start)
    return np.clip(overlap, 0, None) * GRID
