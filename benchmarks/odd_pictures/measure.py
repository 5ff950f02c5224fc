"""What screening says of odd pictures, of chest films, and of chest films turned or inverted."""

import csv
import io
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.odd_pictures import KINDS
from cxr import model_folder, radiograph
from cxr.radiograph import Radiograph
from cxr.serving.predictor import Predictor
from cxr.serving.screening import Verdict

# What is done to a chest film; pixels uint8 [h, w].
TRANSFORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda film: film,
    "inverted": lambda film: 255 - film,
    "a quarter to the left": lambda film: np.rot90(film),
    "upside down": lambda film: np.rot90(film, 2),
    "a quarter to the right": lambda film: np.rot90(film, 3),
    "cropped to a corner": lambda film: film[: len(film) // 2, : film.shape[1] // 2],
}
# Copies of a film as people save them; JPEG by quality.
COPIES = {"JPEG 90": 90, "JPEG 50": 50}

Counts = dict[str, int]


def odd_pictures(predictor: Predictor) -> dict[str, Counts]:
    """{kind: {"pictures", "refused", "warned"}} of the pictures that are not chest films."""
    return {
        kind: counts(judge(predictor, (as_film(picture) for _, picture in pictures())))
        for kind, pictures in KINDS.items()
    }


def chest_films(predictor: Predictor, files: list[Path]) -> dict[str, Counts]:
    """{copy or transform: counts} of chest films, each file in every way."""
    films = [radiograph.read(file) for file in files]
    found = {}
    for name, change in TRANSFORMS.items():
        changed = (_with_pixels(film, change(_bytes(film))) for film in films)
        found[name] = counts(judge(predictor, changed))
    for name, quality in COPIES.items():
        copied = (as_jpeg(film, quality) for film in films)
        found[name] = counts(judge(predictor, copied))
    return found


def judge(predictor: Predictor, films: Iterable[Radiograph]) -> list[Verdict]:
    """The verdicts on films as read, one at a time."""
    return [predictor.predict([film])[0].verdict for film in films]


def counts(verdicts: list[Verdict]) -> Counts:
    """How many there are, were refused, and were accepted with a warning."""
    return {
        "pictures": len(verdicts),
        "refused": sum(verdict.refused is not None for verdict in verdicts),
        "warned": sum(bool(verdict.warnings) for verdict in verdicts),
    }


def as_film(picture: Image.Image) -> Radiograph:
    """A picture as the reader hands it over when it is uploaded as PNG."""
    # A few slices are smaller than the reader takes: a person would enlarge them.
    scale = max(1, math.ceil(radiograph.MIN_SIDE / min(picture.size)))
    file = io.BytesIO()
    picture.resize((picture.width * scale, picture.height * scale)).save(file, "PNG")
    return radiograph.read(file.getvalue())


def as_jpeg(film: Radiograph, quality: int) -> Radiograph:
    """The film as it comes back from a JPEG file of that quality."""
    file = io.BytesIO()
    Image.fromarray(_bytes(film)).save(file, "JPEG", quality=quality)
    return radiograph.read(file.getvalue())


def files_of(folder: Path, films: Path, split: str) -> list[Path]:
    """The films of a split of the model folder's splits.csv that lie in films/images."""
    with (folder / model_folder.SPLITS).open(newline="") as file:
        names = [row["image_index"] for row in csv.DictReader(file) if row["split"] == split]
    return [path for name in names if (path := films / "images" / name).is_file()]


def report(kinds: dict[str, Counts], transforms: dict[str, Counts]) -> dict[str, Any]:
    """The object that the command writes."""
    pictures = sum(kind["pictures"] for kind in kinds.values())
    refused = sum(kind["refused"] for kind in kinds.values())
    return {
        "kinds": kinds,
        "pictures": pictures,
        "refused_share": refused / pictures,
        "ci95": wilson(refused, pictures),
        "chest_transforms": transforms,
    }


def wilson(successes: int, trials: int) -> list[float]:
    """95 % interval of a share (Wilson 1927)."""
    z = 1.959964
    share = successes / trials
    centre = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return [(centre + sign * half) / (1 + z * z / trials) for sign in (-1, 1)]


def _with_pixels(film: Radiograph, grey: np.ndarray) -> Radiograph:
    return Radiograph(np.ascontiguousarray(grey), film.facts)


def _bytes(film: Radiograph) -> np.ndarray:
    return np.rint(film.pixels * 255).astype(np.uint8)
