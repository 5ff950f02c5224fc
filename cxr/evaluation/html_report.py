"""The report of an evaluation: one HTML file that opens without any network.

Style, plots and small images lie in the file, so it can be sent on as it is. Because it shows
images, it belongs where the images belong, not into a repository.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cxr import html_page
from cxr.evaluation import form
from cxr.inference.boxes import Box
from cxr.inference.overlay import draw_overlay
from cxr.inference.prevalence import NIH
from cxr.model.metrics import Metrics
from cxr.model.model_folder import NOT_FOR_CLINICAL_USE
from cxr_labels import FINDINGS, LABELS, NO_FINDING

FOUND, FALSE_ALARM, MISSED = "found", "false_alarm", "missed"
EACH = 3  # images of a kind

_SIDE = 184  # px of a small image
_QUALITY = 80
_KINDS = {
    FOUND: "Highest probabilities among images with it",
    FALSE_ALARM: "Highest probabilities among images without it",
    MISSED: "Lowest probabilities among images with it",
}
_PLOTS = {  # name of the plot -> what it shows, for those who do not see it
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

    Attributes:
        image: Its name.
        probability: Of that label, at the stated prevalence.
        flagged: Whether that label is flagged.
        labels: The image's labels in the data.
        jpeg: The file that `thumbnail` makes.
    """

    image: str
    probability: float
    flagged: bool
    labels: tuple[str, ...]
    jpeg: bytes


@dataclass(frozen=True)
class Context:
    """What the report shows beside the metrics.

    Attributes:
        model: Name of the model.
        data: Name of the data.
        date: Of the evaluation.
        plots: {name: PNG file} as `plots.evaluation` returns them.
    """

    model: str
    data: str
    date: str
    plots: Mapping[str, Path]


Cases = Mapping[str, Mapping[str, Sequence[Case]]]  # {label: {kind: images}}


def render(metrics: Metrics, cases: Cases, context: Context) -> str:
    """The report as HTML.

    Every text that comes from the data is escaped; what is undefined is a dash.
    """
    located = metrics.localisation
    return html_page.fill(
        __package__,
        "report.html.jinja",
        form.FILTERS | {"jpeg": lambda content: html_page.data_uri(content, "jpeg")},
        m=metrics,
        context=context,
        cases={label: cases[label] for label in LABELS if label in cases},
        kinds=_KINDS,
        plots={
            name: {"alt": _PLOTS[name], "data": html_page.data_uri(file.read_bytes(), "png")}
            for name, file in context.plots.items()
        },
        answers={
            "heatmaps": located.heatmaps,
            "constant answer of each finding": located.constant_box,
            "random answer": located.random_map,
        }
        if located
        else {},
        prevalence="NIH's prevalence"
        if metrics.prevalence == NIH
        else "the prevalence of the training images",
        disclaimer=NOT_FOR_CLINICAL_USE,
        findings=FINDINGS,
        no_finding=NO_FINDING,
    )


def pick_cases(
    targets: np.ndarray, probabilities: np.ndarray, patients: np.ndarray, each: int = EACH
) -> dict[str, dict[str, list[int]]]:
    """Chooses the images to show.

    Args:
        targets: 0 or 1, [N, 15].
        probabilities: [N, 15].
        patients: [N].
        each: Images of a kind, at most.

    Returns:
        {label: {kind: rows}}. "found" are the highest probabilities among images with the label,
        "missed" the lowest among them (without those found), "false_alarm" the highest among
        images without it. A list has one image per patient, because a patient's images look alike.
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

    Args:
        pixels: uint8 [h, w].
        heatmap: float [rows, columns].
        boxes: In fractions of the image's sides.
    """
    height, width = pixels.shape
    scale = _SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return html_page.jpeg(draw_overlay(np.asarray(small), heatmap, boxes), _QUALITY)


def _first_of_patients(rows: Sequence[int], patients: np.ndarray, count: int) -> list[int]:
    """The first rows, one per patient."""
    first: dict[Any, int] = {}
    for row in rows:
        first.setdefault(patients[row], int(row))
        if len(first) == count:
            break
    return list(first.values())
