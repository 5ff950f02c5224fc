"""How good a model's scores and boxes were when they were measured, from its metrics.json.

A model folder may be anybody's: what is not there, or is no figure, is None or left out.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cxr import model_folder
from cxr_labels import LABELS

_LARGEST = 16 * 2**20  # bytes; those of training runs have some 100,000
_OVERLAPPING = "0.5"  # intersection over union that is over half


@dataclass(frozen=True)
class Figure:
    """A share or an area, 0..1, with its 95 % interval where one is known."""

    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Answers:
    """The same figure of the maps and of two answers that never look at the film.

    model: the evidence maps. constant: the place or box that suits most training boxes of each
    finding. random: a random place or box.
    """

    model: Figure
    constant: Figure | None = None
    random: Figure | None = None


@dataclass(frozen=True)
class Measured:
    """What metrics.json holds of that.

    auroc: mean over the findings.
    boxes: that radiologists drew on test films, on which the maps were measured.
    pointing: share of boxes that hold the highest point of the map.
    overlap: share of boxes that the map's box overlaps by over half (IoU).
    findings: {label: its pointing}, boxes_of: {label: number of its boxes}, where it has any.
    """

    auroc: Figure | None = None
    boxes: int | None = None
    pointing: Answers | None = None
    overlap: Answers | None = None
    findings: dict[str, Answers] = field(default_factory=dict)
    boxes_of: dict[str, int] = field(default_factory=dict)


def read(folder: Path) -> Measured:
    """The figures of a model folder."""
    metrics = _content(folder / model_folder.METRICS)
    found = _at(metrics, "localisation")
    each = _at(found, "pointing", "findings")
    findings = {label: answers for label in LABELS if (answers := _finding(found, label))}
    return Measured(
        auroc=_figure(metrics, "mean_auroc", "mean_auroc_ci95"),
        boxes=_count(_at(found, "pointing", "boxes")),
        pointing=_answers(
            _figure(_at(found, "pointing"), "mean"),
            lambda control: _figure(_at(found, "controls", control), "pointing"),
        ),
        overlap=_answers(
            _figure(_at(found, "iou", "thresholds", _OVERLAPPING), "share"),
            lambda control: _figure(
                _at(found, "controls", control, "iou", "thresholds", _OVERLAPPING), "share"
            ),
        ),
        findings=findings,
        boxes_of={
            label: boxes
            for label in findings
            if (boxes := _count(_at(each, label, "boxes"))) is not None
        },
    )


def _content(path: Path) -> Any:
    try:
        if path.stat().st_size > _LARGEST:
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _finding(found: Any, label: str) -> Answers | None:
    return _answers(
        _figure(_at(found, "pointing", "findings", label), "pointing"),
        lambda control: _figure(_at(found, "controls", control, "findings", label), "pointing"),
    )


def _answers(model: Figure | None, control: Callable[[str], Figure | None]) -> Answers | None:
    return Answers(model, control("constant_box"), control("random_map")) if model else None


def _figure(of: Any, name: str, interval: str = "ci95") -> Figure | None:
    value = _share(_at(of, name))
    if value is None:
        return None
    ends = _at(of, interval)
    if not isinstance(ends, list) or len(ends) != 2:
        return Figure(value)
    low, high = map(_share, ends)
    return Figure(value, None if low is None or high is None else (low, high))


def _at(part: Any, *path: str) -> Any:
    """What stands there, None where nothing does."""
    for name in path:
        part = part.get(name) if isinstance(part, dict) else None
    return part


def _share(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None  # false of nan


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
