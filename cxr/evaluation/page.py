"""The report of an evaluation: one HTML file that opens without any network.

Style, figures and images of images lie in the file, so that it may be sent on as it is. With
images of images in it, it belongs where the images belong, not into a repository.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from cxr import html_page
from cxr.inference.boxes import Box
from cxr.inference.overlay import draw_overlay
from cxr.inference.prevalence import NIH, TRAINING
from cxr.model.model_folder import NOT_FOR_CLINICAL_USE
from cxr_labels import DISPLAY, FINDINGS, LABELS, NO_FINDING

FOUND, FALSE_ALARM, MISSED = "found", "false_alarm", "missed"
EACH = 3  # images of a kind
DASH = "–"  # for what is undefined

_SIDE = 184  # px of an image's image
_QUALITY = 80
_KINDS = {
    FOUND: "Highest scores among images with it",
    FALSE_ALARM: "Highest scores among images without it",
    MISSED: "Lowest scores among images with it",
}
_FIGURES = {  # name of the figure -> what it shows to those who do not see it
    "auroc": "Dot plot: AUROC of each label with its 95 % interval, highest first; the table of "
    "findings has the numbers.",
    "roc": "ROC curves of the 15 labels: sensitivity against 1 - specificity.",
    "precision_recall": "Precision against recall of the 15 labels, with the share of images that "
    "carry each as its floor.",
    "reliability": "Share of images with the label against predicted probability, one small plot a "
    "label, with the line on which both are equal.",
    "thresholds": "Sensitivity and specificity against the threshold, one small plot a finding, "
    "with the chosen threshold.",
    "accuracy": "Accuracy over 15 labels against the threshold, with what constant answers reach.",
    "subgroups": "Dot plots: mean AUROC, sensitivity and underdiagnosis of each group of patients "
    "with 95 % intervals; the tables beside it have the numbers.",
}


@dataclass(frozen=True)
class Case:
    """An image that the report shows for a label.

    probability: of that label, at the stated prevalence. labels: what the data says of the image.
    image: JPEG, as `thumbnail` makes it.
    """

    image: str
    probability: float
    flagged: bool
    labels: tuple[str, ...]
    picture: bytes


@dataclass(frozen=True)
class Context:
    """What the report says beside the measurements.

    literature: one paragraph that compares with published figures, "" where none do.
    figures: {name: PNG file} as `figures.evaluation` returns them.
    """

    model: str
    data: str
    date: str
    literature: str
    figures: Mapping[str, Path]


Cases = Mapping[str, Mapping[str, Sequence[Case]]]


def render(metrics: Mapping[str, Any], cases: Cases, context: Context) -> str:
    """The report as HTML. metrics: the content of metrics.json. cases: {label: {kind: images}}.

    Every text that comes from the data is escaped; what is undefined is a dash.
    """
    return html_page.fill(
        __package__,
        "report.html.jinja",
        _FILTERS,
        m=metrics,
        context=context,
        cases={label: cases[label] for label in LABELS if label in cases},
        kinds=_KINDS,
        figures={
            name: {"alt": _FIGURES[name], "data": html_page.data_uri(file.read_bytes(), "png")}
            for name, file in context.figures.items()
        },
        answers=_answers(metrics.get("localisation")),
        prevalence=_prevalence(metrics["prevalence"]),
        disclaimer=NOT_FOR_CLINICAL_USE,
        findings=FINDINGS,
        no_finding=NO_FINDING,
    )


def pick_cases(
    targets: np.ndarray, probabilities: np.ndarray, patients: np.ndarray, each: int = EACH
) -> dict[str, dict[str, list[int]]]:
    """Rows of the images to show: {label: {"found": [...], "false_alarm": [...], "missed": [...]}}.

    found: the highest scores among images with the label; missed: the lowest among them, but for
    those found; false_alarm: the highest among images without it. Each list has at most `each`
    images, and one a patient, whose images look alike.

    targets, probabilities: [N, 15]; patients: [N].
    """
    picked = {}
    for k, label in enumerate(LABELS):
        falling = np.argsort(-probabilities[:, k], kind="stable")
        with_label = targets[falling, k].astype(bool)
        found = _first_of_patients(falling[with_label], patients, each)
        rest = [row for row in falling[with_label][::-1] if row not in found]
        picked[label] = {
            FOUND: found,
            FALSE_ALARM: _first_of_patients(falling[~with_label], patients, each),
            MISSED: _first_of_patients(rest, patients, each),
        }
    return picked


def thumbnail(pixels: np.ndarray, heatmap: np.ndarray, boxes: Sequence[Box]) -> bytes:
    """A small JPEG of an image with a label's heatmap and boxes over it.

    pixels: uint8 [h, w]. heatmap: [rows, columns]. boxes: in fractions of the image's sides.
    """
    height, width = pixels.shape
    scale = _SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return html_page.jpeg(draw_overlay(np.asarray(small), heatmap, boxes), _QUALITY)


def _first_of_patients(rows: Sequence[int], patients: np.ndarray, count: int) -> list[int]:
    """The first rows, one a patient."""
    first: dict[Any, int] = {}
    for row in rows:
        first.setdefault(patients[row], int(row))
        if len(first) == count:
            break
    return list(first.values())


def _answers(found: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The maps and the two controls, in one shape: name, pointing, ci95, iou, iobb."""
    if not found:
        return []
    pointing, controls = found["pointing"], found.get("controls", {})
    model = {"pointing": pointing["mean"], "ci95": pointing["ci95"]}
    rows = [{"name": "heatmaps", **model, "iou": found.get("iou"), "iobb": found.get("iobb")}]
    names = {
        "constant_box": "constant answer of each finding",
        "random_map": "random answer",
    }
    return rows + [{"name": names[key], **controls[key]} for key in names if key in controls]


def _prevalence(stated: str) -> str:
    named = {NIH: "NIH's prevalence", TRAINING: "the prevalence of the training images"}
    return named.get(stated, f"the prevalence {stated}, other labels at NIH's")


def _defined(value: Any) -> bool:
    return value is not None and not isinstance(value, jinja2.Undefined)


def _number(value: float | None) -> str:
    return f"{value:.3f}" if _defined(value) else DASH


def _percent(value: float | None) -> str:
    return f"{100 * value:.1f} %" if value is not None and _defined(value) else DASH


def _count(value: int | None) -> str:
    return f"{value:,}" if _defined(value) else DASH


def _images(value: int | None) -> str:
    return "1 image" if value == 1 else f"{_count(value)} images"


_FILTERS: dict[str, Callable] = {
    "number": _number,
    "percent": _percent,
    "count": _count,
    "images": _images,
    "display": lambda label: DISPLAY.get(label, label),
    "jpeg": lambda picture: html_page.data_uri(picture, "jpeg"),
}
