"""Synthetic images in NIH's layout, with marks for findings at known positions."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 128
# Each finding has a mark of a different shape, at a random position.
MARKS = {
    "Mass": np.pad(np.ones((20, 20)), 2),
    "Effusion": np.tile([1.0, -1.0, 1.0, -1.0, 1.0, -1.0], (24, 4)),
}
BOX_SCALE = 1024 / SIDE  # the box file has pixels of the 1024x1024 originals


def make_folder(folder: Path, patients: int, seed: int = 0) -> Path:
    """Writes sample_labels.csv, images/ and BBox_List_2017.csv; returns the folder.

    Each patient has two images, and each finding is on about a third of the images.
    """
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    rows, boxes = [], []
    for patient in range(1, patients + 1):
        for visit in range(2):
            name = f"{patient:08d}_{visit:03d}.png"
            pixels, marks = _image(rng)
            Image.fromarray(pixels).save(folder / "images" / name)
            found = "|".join(marks) or "No Finding"
            sex, view = rng.choice(["M", "F"]), rng.choice(["PA", "AP"])
            age = f"{rng.integers(20, 80):03d}Y"
            rows.append([name, found, visit, patient, age, sex, view])
            boxes += [[name, finding, *box] for finding, box in marks.items()]
    header = ["Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age"]
    _write(folder / "sample_labels.csv", [*header, "Patient Gender", "View Position"], rows)
    _write(folder / "BBox_List_2017.csv", ["Image Index", "Finding Label", "Bbox [x,y,w,h]"], boxes)
    return folder


def _image(rng: np.random.Generator) -> tuple[np.ndarray, dict[str, list[float]]]:
    """A noisy grey image and the boxes of its marks in pixels of the originals."""
    blur = Image.fromarray(rng.normal(0.45, 0.25, (8, 8)).astype(np.float32))
    image = np.array(blur.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    image += rng.normal(0, 0.03, image.shape)
    marks: dict[str, list[float]] = {}
    for finding, mark in MARKS.items():
        if rng.random() < 1 / 3:
            height, width = mark.shape
            y, x = rng.integers(8, SIDE - height - 8), rng.integers(8, SIDE - width - 8)
            image[y : y + height, x : x + width] += 0.35 * mark
            marks[finding] = [v * BOX_SCALE for v in (x, y, width, height)]
    return np.clip(image * 255, 0, 255).astype(np.uint8), marks


def _write(path: Path, header: list[str], rows: list[list]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
