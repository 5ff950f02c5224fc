"""The result for one image as a file to download: JSON, CSV, heatmap or report."""

import io
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PureWindowsPath

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from cxr import imaging
from cxr.inference import results
from cxr.inference.prediction import Prediction
from cxr.inference.predictor import Predictor
from cxr.model.model_folder import NOT_FOR_CLINICAL_USE
from cxr.web import report
from cxr_labels import DISPLAY

_LONGEST = 80  # characters of an image's name that the name of its download keeps
_NARROWEST = 200  # px of an image with a caption
_MARGIN = 8  # px around the caption
_GROUND, _INK = (17, 26, 44), (230, 237, 246)  # of the caption


@dataclass(frozen=True)
class Download:
    """A file to download.

    Attributes:
        name: The name of the file.
        mime: Its MIME type.
        content: Its bytes.
    """

    name: str
    mime: str
    content: bytes


def as_json(predictor: Predictor, file: str, prediction: Prediction) -> Download:
    """The object that `/analyze` returns. file: the name of the image."""
    result = results.of_prediction(predictor, file, prediction)
    return Download(f"{_stem(file)}.json", "application/json", f"{json.dumps(result)}\n".encode())


def as_csv(predictor: Predictor, file: str, prediction: Prediction) -> Download:
    """The table that `predict --csv` writes. file: the name of the image."""
    result = results.of_prediction(predictor, file, prediction)
    text = results.csv_text([results.CSV_COLUMNS, results.csv_row(result)])
    return Download(f"{_stem(file)}.csv", "text/csv", text.encode())


def as_overlay(file: str, prediction: Prediction, finding: str) -> Download:
    """The image that `/explain` returns, as a PNG with a caption below.

    Caption and metadata name the finding and say that the image is not for clinical use.

    Args:
        file: The name of the image.
        prediction: Its prediction.
        finding: The label of the finding.
    """
    title = f"Heatmap for: {DISPLAY[finding]}"
    overlay = prediction.overlay(finding)
    described = PngInfo()
    described.add_text("Title", title)
    described.add_text("Comment", results.DISCLAIMER)
    png = io.BytesIO()
    _captioned(overlay, f"{title}. {NOT_FOR_CLINICAL_USE}").save(png, "PNG", pnginfo=described)
    return Download(f"{_stem(file)}-{_plain(finding)}.png", "image/png", png.getvalue())


def as_report(predictor: Predictor, file: str, prediction: Prediction, language: str) -> Download:
    """The report as HTML. file: the name of the image. language: "en" or "zh-CN"."""
    page = report.render(prediction, predictor, file, language, datetime.now(UTC))
    return Download(f"{_stem(file)}-report.html", "text/html", page.encode())


def _captioned(image: Image.Image, caption: str) -> Image.Image:
    """The image with a caption in a strip below it; a narrow image is padded on the right."""
    width = max(image.width, _NARROWEST)
    font = ImageFont.load_default(min(24, max(11, width // 40)))
    lines = [""]
    for word in caption.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width - 2 * _MARGIN:
            lines[-1] = longer
        else:
            lines.append(word)
    text = "\n".join(lines)
    height = int(ImageDraw.Draw(image).multiline_textbbox((0, 0), text, font)[3]) + 2 * _MARGIN
    captioned = Image.new("RGB", (width, image.height + height), _GROUND)
    captioned.paste(image)
    place = _MARGIN, image.height + _MARGIN
    ImageDraw.Draw(captioned).multiline_text(place, text, _INK, font)
    return captioned


def _stem(file: str) -> str:
    """The name of an image as the beginning of another file's name, valid on any system."""
    path = PureWindowsPath(file)
    # A name without a suffix may have dots, as names of DICOM files do.
    name = path.stem if path.suffix.lower() in imaging.SUFFIXES else path.name
    return _plain(name) or "image"


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)[:_LONGEST].strip("-._")
