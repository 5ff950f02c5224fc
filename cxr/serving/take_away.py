"""The answer for one film as files to keep: JSON, CSV, the evidence over the film, a report."""

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PureWindowsPath

from PIL import Image

from cxr import radiograph
from cxr.serving import analysis, report
from cxr.serving.analysis import Analysis
from cxr.serving.predictor import Predictor

_LONGEST = 80  # letters of a film's name that a file made of it keeps


@dataclass(frozen=True)
class TakeAway:
    """A file: what to call it, its MIME type and its content."""

    name: str
    kind: str
    content: bytes


def as_json(predictor: Predictor, file: str, analyzed: Analysis) -> TakeAway:
    """The object that `/analyze` gives. file: the film's name."""
    found = analysis.answer(predictor, file, analyzed)
    return TakeAway(f"{_stem(file)}.json", "application/json", f"{json.dumps(found)}\n".encode())


def as_csv(predictor: Predictor, file: str, analyzed: Analysis) -> TakeAway:
    """The table that `predict --csv` writes. file: the film's name."""
    found = analysis.answer(predictor, file, analyzed)
    text = csv_text([analysis.csv_columns(), analysis.csv_row(found)])
    return TakeAway(f"{_stem(file)}.csv", "text/csv", text.encode())


def as_overlay(file: str, analyzed: Analysis, finding: str) -> TakeAway:
    """The picture that `/explain` gives, as PNG. file: the film's name."""
    png = io.BytesIO()
    Image.fromarray(analyzed.overlay_of(finding)).save(png, "PNG")
    return TakeAway(f"{_stem(file)}-{_plain(finding)}.png", "image/png", png.getvalue())


def as_report(predictor: Predictor, file: str, analyzed: Analysis, language: str) -> TakeAway:
    """The report, as HTML. file: the film's name. language: "en" or "zh-CN"."""
    page = report.render(analyzed, predictor, file, language, datetime.now(UTC))
    return TakeAway(f"{_stem(file)}-report.html", "text/html", page.encode())


def csv_text(rows: Iterable[list[str]]) -> str:
    """Rows as lines of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _stem(file: str) -> str:
    """A film's name as the beginning of another file's, on any system."""
    path = PureWindowsPath(file)
    # A name without a suffix may have dots, as those of DICOM files do.
    name = path.stem if path.suffix.lower() in radiograph.SUFFIXES else path.name
    return _plain(name) or "film"


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)[:_LONGEST].strip("-._")
