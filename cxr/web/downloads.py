"""The answer for one image as files to keep: JSON, CSV, the heatmap over the image, a report."""

import io
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PureWindowsPath

from cxr import imaging
from cxr.inference import results
from cxr.inference.prediction import Prediction
from cxr.inference.predictor import Predictor
from cxr.web import report

_LONGEST = 80  # letters of an image's name that a file made of it keeps


@dataclass(frozen=True)
class Download:
    """A file: what to call it, its MIME type and its content."""

    name: str
    kind: str
    content: bytes


def as_json(predictor: Predictor, file: str, prediction: Prediction) -> Download:
    """The object that `/analyze` gives. file: the image's name."""
    found = results.of_prediction(predictor, file, prediction)
    return Download(f"{_stem(file)}.json", "application/json", f"{json.dumps(found)}\n".encode())


def as_csv(predictor: Predictor, file: str, prediction: Prediction) -> Download:
    """The table that `predict --csv` writes. file: the image's name."""
    found = results.of_prediction(predictor, file, prediction)
    text = results.csv_text([results.CSV_COLUMNS, results.csv_row(found)])
    return Download(f"{_stem(file)}.csv", "text/csv", text.encode())


def as_overlay(file: str, prediction: Prediction, finding: str) -> Download:
    """The image that `/explain` gives, as PNG. file: the image's name."""
    png = io.BytesIO()
    prediction.overlay(finding).save(png, "PNG")
    return Download(f"{_stem(file)}-{_plain(finding)}.png", "image/png", png.getvalue())


def as_report(predictor: Predictor, file: str, prediction: Prediction, language: str) -> Download:
    """The report, as HTML. file: the image's name. language: "en" or "zh-CN"."""
    page = report.render(prediction, predictor, file, language, datetime.now(UTC))
    return Download(f"{_stem(file)}-report.html", "text/html", page.encode())


def _stem(file: str) -> str:
    """An image's name as the beginning of another file's, on any system."""
    path = PureWindowsPath(file)
    # A name without a suffix may have dots, as those of DICOM files do.
    name = path.stem if path.suffix.lower() in imaging.SUFFIXES else path.name
    return _plain(name) or "image"


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)[:_LONGEST].strip("-._")
