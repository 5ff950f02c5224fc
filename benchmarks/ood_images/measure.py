"""Counts what the input check decides about other images and about changed chest X-rays."""

import csv
import io
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.ood_images import KINDS
from cxr import imaging
from cxr.imaging import GreyImage
from cxr.inference.input_check import Verdict
from cxr.inference.predictor import Predictor
from cxr.model import model_folder

# Changes to a chest X-ray; pixels are uint8 [h, w].
TRANSFORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda image: image,
    "inverted": lambda image: 255 - image,
    "a quarter to the left": lambda image: np.rot90(image),
    "upside down": lambda image: np.rot90(image, 2),
    "a quarter to the right": lambda image: np.rot90(image, 3),
    "cropped to a corner": lambda image: image[: len(image) // 2, : image.shape[1] // 2],
}
# Copies of a chest X-ray: name -> JPEG quality.
COPIES = {"JPEG 90": 90, "JPEG 50": 50}

Counts = dict[str, int]  # "images", "rejected", "warned"


def ood_images(predictor: Predictor) -> dict[str, Counts]:
    """Counts of the images that are not chest X-rays, by kind: {kind: Counts}."""
    return {
        kind: counts(judge(predictor, (as_read(image) for _, image in images())))
        for kind, images in KINDS.items()
    }


def chest_xrays(predictor: Predictor, files: list[Path]) -> dict[str, Counts]:
    """Counts of chest X-rays by change and by copy: {change or copy: Counts}."""
    images = [imaging.read_image(file) for file in files]
    found = {}
    for name, change in TRANSFORMS.items():
        changed = (_with_pixels(image, change(imaging.eight_bits(image))) for image in images)
        found[name] = counts(judge(predictor, changed))
    for name, quality in COPIES.items():
        copied = (as_jpeg(image, quality) for image in images)
        found[name] = counts(judge(predictor, copied))
    return found


def judge(predictor: Predictor, images: Iterable[GreyImage]) -> list[Verdict]:
    """The verdicts on images, one at a time."""
    return [predictor.predict([image])[0].verdict for image in images]


def counts(verdicts: list[Verdict]) -> Counts:
    """The number of images, of rejected ones, and of accepted ones with a warning."""
    return {
        "images": len(verdicts),
        "rejected": sum(verdict.rejected is not None for verdict in verdicts),
        "warned": sum(bool(verdict.warnings) for verdict in verdicts),
    }


def as_read(image: Image.Image) -> GreyImage:
    """The image as the reader reads it from a PNG file."""
    # A few slices are smaller than the reader's minimum, and are enlarged.
    scale = max(1, math.ceil(imaging.MIN_SIDE / min(image.size)))
    file = io.BytesIO()
    image.resize((image.width * scale, image.height * scale)).save(file, "PNG")
    return imaging.read_image(file.getvalue())


def as_jpeg(image: GreyImage, quality: int) -> GreyImage:
    """The image as the reader reads it from a JPEG file of this quality."""
    file = io.BytesIO()
    Image.fromarray(imaging.eight_bits(image)).save(file, "JPEG", quality=quality)
    return imaging.read_image(file.getvalue())


def files_of(folder: Path, images: Path, split: str) -> list[Path]:
    """Paths of the images of one set.

    Args:
        folder: Model folder, whose splits.csv names the images of each set.
        images: Folder with the images in `images/`; those that are missing are left out.
        split: Name of the set: "train", "valid" or "test".
    """
    with (folder / model_folder.SPLITS).open(newline="") as file:
        names = [row["image_index"] for row in csv.DictReader(file) if row["split"] == split]
    return [path for name in names if (path := images / "images" / name).is_file()]


def report(kinds: dict[str, Counts], transforms: dict[str, Counts]) -> dict[str, Any]:
    """The object that `python -m benchmarks.ood_images` writes."""
    images = sum(kind["images"] for kind in kinds.values())
    rejected = sum(kind["rejected"] for kind in kinds.values())
    return {
        "kinds": kinds,
        "images": images,
        "rejected_share": rejected / images,
        "ci95": wilson(rejected, images),
        "chest_transforms": transforms,
    }


def wilson(successes: int, trials: int) -> list[float]:
    """95 % interval of a share (Wilson, 1927)."""
    z = 1.959964
    share = successes / trials
    centre = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return [(centre + sign * half) / (1 + z * z / trials) for sign in (-1, 1)]


def _with_pixels(image: GreyImage, grey: np.ndarray) -> GreyImage:
    return GreyImage(np.ascontiguousarray(grey))
