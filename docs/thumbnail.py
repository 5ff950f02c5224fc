"""Makes thumbnail.jpg, the image that is shown where somebody links to the Space.

    python docs/thumbnail.py

It shows an example image that may be shared, and over it the starter's heatmap for the finding with
the highest score.
"""

import io
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import cxr_labels  # noqa: E402
from cxr import atomic  # noqa: E402
from cxr.inference.overlay import preview  # noqa: E402
from cxr.inference.predictor import Predictor  # noqa: E402
from cxr.model import resolve  # noqa: E402
from cxr.model.model_folder import NOT_FOR_CLINICAL_USE  # noqa: E402

PICTURE = ROOT / "docs" / "thumbnail.jpg"
IMAGE = ROOT / "examples" / "chest_rg1.png"
SIZE = (1200, 648)  # px, what link previews crop to
_HEIGHT = 520  # px, of the images on it
_DARK, _LIGHT = (17, 24, 39), (243, 244, 246)


def draw() -> Image.Image:
    """The image and the image with its heatmap, side by side, on a dark ground."""
    found = Predictor(resolve.find(None)).analyze(IMAGE)
    label = max(cxr_labels.FINDINGS, key=lambda finding: found.probabilities[finding])
    plain = Image.fromarray(preview(found.image.grey)).convert("RGB")
    marked = found.overlay(label)
    picture = Image.new("RGB", SIZE, _DARK)
    width = round(_HEIGHT * plain.width / plain.height)
    left = (SIZE[0] - 2 * width) // 3
    for number, image in enumerate((plain, marked)):
        picture.paste(image.resize((width, _HEIGHT)), (left + number * (width + left), 36))
    words = f"Where the heatmap for a {cxr_labels.DISPLAY[label].lower()} lies"
    words = f"{words}. {NOT_FOR_CLINICAL_USE}"
    pen = ImageDraw.Draw(picture)
    pen.text((SIZE[0] // 2, 600), words, _LIGHT, ImageFont.load_default(30), anchor="mm")
    return picture


def main() -> None:
    """Writes the image in one step."""
    content = io.BytesIO()
    draw().save(content, "JPEG", quality=80, optimize=True)
    with atomic.replacing(PICTURE) as part:
        part.write_bytes(content.getvalue())


if __name__ == "__main__":
    main()
