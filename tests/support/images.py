"""Small images of noise in NIH's layouts, for tests of files and patients.

`planted` has images that a network can learn from.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

KAGGLE_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImageWidth,OriginalImageHeight,OriginalImagePixelSpacing_x,OriginalImagePixelSpacing_y"
)
# The header of the full release: a bracket extends over two columns, and rows end with a comma.
RELEASE_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)
# The edition of 2020 has the same header without the comma at the end.
RELEASE_2020_HEADER = RELEASE_HEADER.removesuffix(",")


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


def encode(pixels: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The bytes of an image file. kind: the format's name in Pillow."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def make_rows(
    patients: int, seed: int = 0, labels: Sequence[str] = ("Mass", "Effusion")
) -> list[Row]:
    """Rows of 1 to 3 images per patient; each image has each label with probability 0.35."""
    rng = np.random.default_rng(seed)
    rows = []
    for patient in range(1, patients + 1):
        sex, age = rng.choice(["M", "F"]), f"{rng.integers(20, 90):03d}Y"
        for visit in range(rng.integers(1, 4)):
            found = "|".join(label for label in labels if rng.random() < 0.35) or "No Finding"
            view = rng.choice(["PA", "AP"])
            rows.append(Row(f"{patient:08d}_{visit:03d}.png", found, patient, age, sex, view))
    return rows


def make_nih_folder(path: Path, rows: Sequence[Row], size: int = 64) -> Path:
    """Writes the Kaggle sample's layout: sample_labels.csv and PNG images of `size` pixels.

    The images are different noise. Returns the path.
    """
    _write_images([path / "images"], rows, size)
    write_table(path / "sample_labels.csv", rows)
    return path


def make_release_folder(path: Path, rows: Sequence[Row], header: str = RELEASE_HEADER) -> Path:
    """Writes the full release's layout: Data_Entry_2017.csv, images_001/images/, images_002/..."""
    _write_images([path / f"images_{k:03d}" / "images" for k in (1, 2)], rows, 64)
    write_table(path / "Data_Entry_2017.csv", rows, header)
    return path


def write_table(path: Path, rows: Sequence[Row], header: str = KAGGLE_HEADER) -> None:
    """Writes a label table; rows end with a comma if the header does."""
    end = "," if header.endswith(",") else ""
    path.write_text("\n".join([header, *(row.line(end) for row in rows)]) + "\n", encoding="utf-8")


def make_zip(path: Path, folder: Path, below: str = "") -> Path:
    """Packs a folder into a zip. below: folder inside the zip, such as "sample/sample/"."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, below + file.relative_to(folder).as_posix())
    return path


def spoil_zip_member(path: Path, member: str) -> None:
    """Damages the compressed bytes of one member of a zip; the zip's directory stays intact."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(member)
    data = bytearray(path.read_bytes())
    start = info.header_offset + 30 + len(member)  # of the member's compressed bytes
    for i in range(start, start + info.compress_size):
        data[i] ^= 0xFF
    path.write_bytes(data)


def _write_images(folders: Sequence[Path], rows: Sequence[Row], size: int) -> None:
    rng = np.random.default_rng(0)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for i, row in enumerate(rows):
        pixels = rng.integers(0, 256, (size, size), dtype=np.uint8)
        (folders[i % len(folders)] / row.image).write_bytes(encode(pixels))
