"""The films that the page offers: those of the model folder first, then those of the project."""

import csv
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cxr import model_folder, radiograph
from cxr.serving import folder_files

PROJECT = Path(__file__).parents[2] / "examples"
TABLE = "examples.csv"  # file, labels, source
MOST = 24  # films of one folder that are offered; each is read when the page starts
_LARGEST = 2**20  # bytes of the table
_LONGEST = 1000  # letters of a text in the table


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
    return read(folder / model_folder.EXAMPLES) + read(PROJECT)


def read(folder: Path) -> list[ExampleFilm]:
    """The films of one folder of examples, as its table lists them; none where it has no table."""
    table = folder / TABLE
    try:
        if table.stat().st_size > _LARGEST:
            return []
        with table.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            rows = list(islice(csv.DictReader(file), MOST))
    except (OSError, csv.Error):
        return []
    films = [
        ExampleFilm(folder / name, labels[:_LONGEST], source[:_LONGEST])
        for name, labels, source in (
            [row.get(column) or "" for column in ("file", "labels", "source")] for row in rows
        )
    ]
    return [film for film in films if _is_a_film_of(folder, film.path)]


def _is_a_film_of(folder: Path, path: Path) -> bool:
    """Whether the file lies in the folder itself and can be read: the table may be anybody's."""
    if not folder_files.lies_in(folder, path):
        return False
    try:
        radiograph.read(path)
    except radiograph.RadiographError:
        return False
    return True
