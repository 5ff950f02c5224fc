"""How far probabilities move when the same image has another size or compression.

    python -m benchmarks.copies MODEL SMALL_IMAGES FULL_SIZE_IMAGES [--output FILE]

SMALL_IMAGES and FULL_SIZE_IMAGES are folders in NIH's layout with the same images at two sizes,
such as 384 and 1024 pixels. Probabilities are at NIH's prevalence.
"""

import argparse
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from cxr import atomic, imaging
from cxr.imaging import GreyImage
from cxr.inference.predictor import Predictor
from cxr_labels import FINDINGS


def main() -> None:
    """Prints and writes the changes of each kind of copy."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("small", type=Path)
    parser.add_argument("full", type=Path)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    changes = measure(Predictor(options.model), options.small, options.full)
    for copy, change in changes.items():
        print(
            f"{copy:<24} mean {change['mean']:.4f}  largest {change['largest']:.3f}  "
            f"flags changed {change['flags_changed']:.3f}"
        )
    if options.output:
        atomic.write_text(options.output, json.dumps(changes, indent=2) + "\n")


def measure(predictor: Predictor, small: Path, full: Path) -> dict[str, dict[str, float]]:
    """Compares copies of the images that both folders have in `images/` with the small images.

    Args:
        predictor: The model.
        small: Folder of the small images.
        full: Folder of the same images at full size.

    Returns:
        {copy: {"images", "mean", "largest", "flags_changed"}}: the number of images, the mean and
        the largest absolute change of a probability, and the share of flags that change, over the
        14 findings.
    """
    names = sorted(
        p.name for p in (full / "images").iterdir() if (small / "images" / p.name).is_file()
    )
    images = [small / "images" / name for name in names]
    copies: dict[str, Callable[[Path], GreyImage]] = {
        "full size": lambda image: imaging.read_image(full / "images" / image.name),
        "JPEG, quality 90": lambda image: _jpeg(image, 90),
        "JPEG, quality 75": lambda image: _jpeg(image, 75),
        "JPEG, quality 50": lambda image: _jpeg(image, 50),
        "full size, JPEG 75": lambda image: _jpeg(full / "images" / image.name, 75),
        "three quarters the size": _smaller,
    }
    originals, flags = _predictions(predictor, [imaging.read_image(image) for image in images])
    changes = {}
    for copy, make in copies.items():
        probabilities, flagged = _predictions(predictor, [make(image) for image in images])
        moved = np.abs(probabilities - originals)
        changes[copy] = {
            "images": len(images),
            "mean": float(moved.mean()),
            "largest": float(moved.max()),
            "flags_changed": float((flagged != flags).mean()),
        }
    return changes


def _predictions(predictor: Predictor, images: list[GreyImage]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities at NIH's prevalence and flags (bool), [N, 14]."""
    found = predictor.predict(images)
    probabilities = [[one.probabilities[finding] for finding in FINDINGS] for one in found]
    flags = [[finding in one.flagged for finding in FINDINGS] for one in found]
    return np.array(probabilities), np.array(flags)


def _jpeg(image: Path, quality: int) -> GreyImage:
    file = io.BytesIO()
    Image.open(image).convert("L").save(file, "JPEG", quality=quality)
    return imaging.read_image(file.getvalue())


def _smaller(image: Path) -> GreyImage:
    file = io.BytesIO()
    whole = Image.open(image).convert("L")
    width, height = (3 * side // 4 for side in whole.size)
    whole.resize((width, height), Image.Resampling.LANCZOS).save(file, "PNG")
    return imaging.read_image(file.getvalue())


if __name__ == "__main__":
    main()
