"""The official boxes: where on a film radiologists marked a finding."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

import cxr_labels
from cxr.training.nih import IMAGE, DataError

ORIGINAL_SIDE = 1024  # boxes are given in pixels of the release's 1024x1024 films
GRID = 32  # side of the box maps that training uses


@dataclass(frozen=True)
class Boxes:
    """Boxes by film, each (label index, x, y, w, h) with lengths as shares of the side, 0..1."""

    of_film: dict[str, list[tuple[int, float, float, float, float]]] = field(default_factory=dict)

    def films_known(self, names: set[str]) -> int:
        """How many of the named films have a box."""
        return len(names & self.of_film.keys())

    def map_of(self, film: str) -> np.ndarray:
        """uint8 [15, 32, 32]: the share of each cell that a box of the label covers, 0..255."""
        maps = np.zeros((len(cxr_labels.LABELS), GRID, GRID), np.uint8)
        for label, x, y, w, h in self.of_film.get(film, ()):
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
    """Reads the list's bytes: film, finding, x, y, w, h in pixels of the 1024x1024 films.

    Raises DataError when they are not such a list, LabelError on an unknown finding.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"The box file {name!r} cannot be read.") from error
    header = text.split("\n", 1)[0].strip().split(",")
    if header[:2] != [IMAGE, "Finding Label"]:
        raise DataError(
            f"{name!r} is not the release's list of boxes: its first line should name "
            f"{IMAGE!r} and 'Finding Label'."
        )
    # The header spells "Bbox [x,y,w,h]" over four columns: columns are taken by place.
    table = pd.read_csv(
        io.StringIO(text), header=None, skiprows=1, usecols=range(6), names=list("fkxywh")
    )
    of_film: dict[str, list[tuple[int, float, float, float, float]]] = {}
    for number, row in enumerate(table.itertuples(index=False), 2):
        label = cxr_labels.parse_label(str(row.k), row=number)
        try:
            x, y, w, h = (float(v) / ORIGINAL_SIDE for v in (row.x, row.y, row.w, row.h))
        except ValueError as error:
            raise DataError(f"Row {number} of {name!r} has a box without numbers.") from error
        if not (w > 0 and h > 0 and 0 <= x < 1 and 0 <= y < 1):
            raise DataError(f"Row {number} of {name!r} has a box that lies off the film.")
        of_film.setdefault(str(row.f), []).append((cxr_labels.index(label), x, y, w, h))
    return Boxes(of_film)


def _cover(start: float, length: float) -> np.ndarray:
    """Share of each of the 32 cells along one side that [start, start + length] covers."""
    edges = np.arange(GRID + 1) / GRID
    overlap = np.minimum(edges[1:], start + length) - np.maximum(edges[:-1], start)
    return np.clip(overlap, 0, None) * GRID
