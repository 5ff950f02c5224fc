"""The films that the page offers: those of the model folder first, then those of the project."""

import csv
from dataclasses import dataclass
from pathlib import Path

from cxr import model_folder

PROJECT = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class ExampleFilm:
    """A film offered on the page: its file, true labels ("A|B", "" if unknown) and source."""

    path: Path
    labels: str
    source: str

    @property
    def caption(self) -> str:
        """A few words under its picture: its labels, or its name where they are not known."""
        words = self.labels.replace("|", ", ") or self.path.stem
        return words.replace("_", " ")


def find(folder: Path) -> list[ExampleFilm]:
    """The example films of a model folder and of the project, as their examples.csv list them."""
    return _read(folder / model_folder.EXAMPLES) + _read(PROJECT)


def _read(folder: Path) -> list[ExampleFilm]:
    table = folder / "examples.csv"
    if not table.is_file():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    # Only the bare name: a table from elsewhere must not point out of its folder.
    films = [
        ExampleFilm(folder / Path(row["file"]).name, row["labels"], row["source"]) for row in rows
    ]
    return [film for film in films if film.path.is_file()]
