"""Makes thumbnail.jpg, the picture that is shown where somebody links to the Space.

    python docs/thumbnail.py

It shows an example film that may be shared, and over it the starter's evidence for the finding with
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
from cxr.model_folder import NOT_FOR_CLINICAL_USE  # noqa: E402
from cxr.serving import analysis, heatmap, model_source  # noqa: E402
from cxr.serving.predictor import Predictor  # noqa: E402

PICTURE = ROOT / "docs" / "thumbnail.jpg"
FILM = ROOT / "examples" / "chest_rg1.png"
SIZE = (1200, 648)  # px, what link previews crop to
_HEIGHT = 520  # px, of the films on it
_DARK, _LIGHT = (17, 24, 39), (243, 244, 246)


def draw() -> Image.Image:
    """The film and the film with its evidence, side by side, on a dark ground."""
    found = analysis.analyze(Predictor(model_source.find(None)), FILM)
    label = max(cxr_labels.FINDINGS, key=lambda finding: found.prediction.probabilities[finding])
    plain = Image.fromarray(heatmap.preview(found.film.pixels)).convert("RGB")
    marked = Image.fromarray(found.overlay_of(label))
    picture = Image.new("RGB", SIZE, _DARK)
    width = round(_HEIGHT * plain.width / plain.height)
    left = (SIZE[0] - 2 * width) // 3
    for number, film in enumerate((plain, marked)):
        picture.paste(film.resize((width, _HEIGHT)), (left + number * (width + left), 36))
    words = f"Where the evidence for a {cxr_labels.DISPLAY[label].lower()} lies"
    words = f"{words}. {NOT_FOR_CLINICAL_USE}"
    pen = ImageDraw.Draw(picture)
    pen.text((SIZE[0] // 2, 600), words, _LIGHT, ImageFont.load_default(30), anchor="mm")
    return picture


def main() -> None:
    """Writes the picture in one step."""
    content = io.BytesIO()
    draw().save(content, "JPEG", quality=80, optimize=True)
    with atomic.replacing(PICTURE) as part:
        part.write_bytes(content.getvalue())


if __name__ == "__main__":
    main()
