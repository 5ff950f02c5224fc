"""Synthetic films and data folders in NIH's layouts, with a truth that is known.

`make_nih_folder` writes the Kaggle sample's layout, `make_release_folder` the full release's;
`draw_marked` draws films on which every finding of `MARKS` is a mark of its own shape at a
random place, so that what a net should learn, and where it should look, is known.
"""

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

KAGGLE_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImageWidth,OriginalImageHeight,OriginalImagePixelSpacing_x,OriginalImagePixelSpacing_y"
)
# The full release's own spelling: two columns share one bracket, and rows end with a comma.
RELEASE_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)
# The edition of 2020 has the same brackets without the comma at the end.
RELEASE_2020_HEADER = RELEASE_HEADER.removesuffix(",")

Box = tuple[int, int, int, int]  # x, y, width, height in pixels of the film


@dataclass(frozen=True)
class Row:
    """One row of the label table."""

    image: str
    labels: str = "No Finding"
    patient: int | str = 1
    age: str = "060Y"
    sex: str = "M"
    view: str = "PA"

    def line(self, end: str = "") -> str:
        """The row as a line of the table."""
        return (
            f"{self.image},{self.labels},0,{self.patient},{self.age},{self.sex},{self.view},"
            f"2682,2749,0.143,0.143{end}"
        )


Draw = Callable[[Row, int, np.random.Generator], tuple[np.ndarray, dict[str, Box]]]


def encode(pixels: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A picture as the bytes of a file; kind is Pillow's name of the format."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def draw_plain(row: Row, size: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Box]]:
    """Dim noise, uint8 [size, size], different on every film; no marks."""
    return rng.normal(70, 12, (size, size)).clip(0, 255).astype(np.uint8), {}


# The findings that `draw_marked` can show: bright or dark, and the pattern inside a unit square.
MARKS: dict[str, tuple[int, Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {
    "Mass": (235, lambda x, y: x**2 + y**2 < 1),
    "Effusion": (235, lambda x, y: np.abs(y) < 0.3),
    "Pneumothorax": (5, lambda x, y: x**2 + y**2 < 1),
    "Cardiomegaly": (5, lambda x, y: np.abs(x) < 0.3),
}


def draw_marked(row: Row, size: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Box]]:
    """Noise with one mark a finding of the row, a fifth of the side wide, at random places.

    Returns the film and the box of each mark. Marks of one film do not overlap. Raises KeyError
    for a finding that has no mark.
    """
    pixels, boxes = draw_plain(row, size, rng)
    side = size // 5
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    corners = [(j, i) for j in range(4) for i in range(4)]
    names = [] if row.labels == "No Finding" else row.labels.split("|")
    for name, corner in zip(names, rng.permutation(corners), strict=False):
        shade, shape = MARKS[name]
        # Each mark has a quarter of the side to itself and lies anywhere inside.
        top, left = (int(k * size // 4 + rng.integers(0, size // 4 - side + 1)) for k in corner)
        pixels[top : top + side, left : left + side][shape(x, y)] = shade
        boxes[name] = (left, top, side, side)
    return pixels, boxes


def make_rows(patients: int, seed: int = 0, labels: Sequence[str] = tuple(MARKS)) -> list[Row]:
    """Rows of 1 to 3 films a patient; each film carries each label with a chance of 0.35."""
    rng = np.random.default_rng(seed)
    rows = []
    for patient in range(1, patients + 1):
        sex, age = rng.choice(["M", "F"]), f"{rng.integers(20, 90):03d}Y"
        for visit in range(rng.integers(1, 4)):
            found = "|".join(label for label in labels if rng.random() < 0.35) or "No Finding"
            view = rng.choice(["PA", "AP"])
            rows.append(Row(f"{patient:08d}_{visit:03d}.png", found, patient, age, sex, view))
    return rows


def make_nih_folder(
    path: Path, rows: Sequence[Row], draw: Draw = draw_plain, size: int = 96, seed: int = 0
) -> dict[str, dict[str, Box]]:
    """Writes the Kaggle sample's layout: sample_labels.csv and images/NAME, PNG of `size` pixels.

    Returns the boxes of the marks: film name -> finding -> box.
    """
    boxes = _write_films([path / "images"], rows, draw, size, seed)
    write_table(path / "sample_labels.csv", rows)
    return boxes


def make_release_folder(
    path: Path, rows: Sequence[Row], header: str = RELEASE_HEADER, size: int = 96, seed: int = 0
) -> dict[str, dict[str, Box]]:
    """Writes the full release's layout: Data_Entry_2017.csv, images_001/images/, images_002/..."""
    folders = [path / f"images_{k:03d}" / "images" for k in (1, 2)]
    boxes = _write_films(folders, rows, draw_plain, size, seed)
    write_table(path / "Data_Entry_2017.csv", rows, header)
    return boxes


def write_table(path: Path, rows: Sequence[Row], header: str = KAGGLE_HEADER) -> None:
    """Writes a label table; rows end with a comma where the header does."""
    end = "," if header.endswith(",") else ""
    path.write_text("\n".join([header, *(row.line(end) for row in rows)]) + "\n", encoding="utf-8")


def make_zip(path: Path, folder: Path, below: str = "") -> Path:
    """Packs a folder into a zip; below: folder inside the zip, such as "sample/sample/"."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, below + file.relative_to(folder).as_posix())
    return path


def spoil_zip_member(path: Path, member: str) -> None:
    """Damages the packed bytes of one member of a zip; its directory stays whole."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(member)
    data = bytearray(path.read_bytes())
    start = info.header_offset + 30 + len(member)  # the member's packed bytes
    for i in range(start, start + info.compress_size):
        data[i] ^= 0xFF
    path.write_bytes(data)


def _write_films(
    folders: Sequence[Path], rows: Sequence[Row], draw: Draw, size: int, seed: int
) -> dict[str, dict[str, Box]]:
    rng = np.random.default_rng(seed)
    boxes = {}
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for i, row in enumerate(rows):
        pixels, boxes[row.image] = draw(row, size, rng)
        (folders[i % len(folders)] / row.image).write_bytes(encode(pixels))
    return boxes
