"""Makes thumbnail.jpg, the image that link previews of the Space show.

    python docs/thumbnail.py

It shows an example image of this repository, and the same image with the starter's heatmap for the
most likely finding.
"""

import io
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import cxr  # noqa: E402
import cxr_labels  # noqa: E402
from cxr import atomic  # noqa: E402
from cxr.inference.overlay import preview  # noqa: E402
from cxr.model.model_folder import NOT_FOR_CLINICAL_USE  # noqa: E402

THUMBNAIL = ROOT / "docs" / "thumbnail.jpg"
IMAGE = ROOT / "examples" / "chest_rg1.png"
SIZE = (1200, 648)  # pixels, the shape that link previews show
_HEIGHT = 520  # pixels, of both images
_DARK, _LIGHT = (17, 24, 39), (243, 244, 246)


def draw() -> Image.Image:
    """Draws both images side by side on a dark background, with a line of text below."""
    result = cxr.load(ROOT / "models" / "starter").predict(IMAGE)
    label = max(cxr_labels.FINDINGS, key=lambda finding: result.probabilities[finding])
    images = [Image.fromarray(preview(result.image.grey)).convert("RGB"), result.overlay(label)]
    width = round(_HEIGHT * images[0].width / images[0].height)
    gap = (SIZE[0] - 2 * width) // 3
    thumbnail = Image.new("RGB", SIZE, _DARK)
    for number, image in enumerate(images):
        thumbnail.paste(image.resize((width, _HEIGHT)), (gap + number * (width + gap), 36))
    text = f"Heatmap for a {cxr_labels.DISPLAY[label].lower()}. {NOT_FOR_CLINICAL_USE}"
    font = ImageFont.load_default(30)
    ImageDraw.Draw(thumbnail).text((SIZE[0] // 2, 600), text, _LIGHT, font, anchor="mm")
    return thumbnail


def main() -> None:
    """Writes the image in one step."""
    content = io.BytesIO()
    draw().save(content, "JPEG", quality=80, optimize=True)
    with atomic.replacing(THUMBNAIL) as part:
        part.write_bytes(content.getvalue())


if __name__ == "__main__":
    main()
