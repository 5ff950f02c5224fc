"""How often a model's boxes were right when they were measured, from its metrics.json.

A model folder may be anybody's: what is not there, or is no figure, is left out.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cxr.model import model_folder
from cxr_labels import FINDINGS

_LARGEST = 16 * 2**20  # bytes; those of training runs have some 100,000
_MOST = 10**9  # boxes; more are none that anybody drew
_OVERLAPPING = "0.3"  # intersection over union above which a box counts as right


@dataclass(frozen=True)
class Share:
    """Of the boxes that radiologists drew, 0..1, with its 95 % interval where one is known."""

    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Hits:
    """How often one answer was right.

    pointing: the highest point of the map lies in the radiologist's box.
    overlap: the box drawn overlaps it with an IoU above 0.3.
    boxes: how many radiologists drew.
    """

    pointing: Share | None
    overlap: Share | None
    boxes: int | None = None


@dataclass(frozen=True)
class BoxRecord:
    """over_all: over all findings with boxes. constant: the same of a box for each finding that
    never looks at the image. findings: {label: its hits}, constants: {label: those of its constant
    box}, where it has boxes."""

    over_all: Hits
    constant: Hits
    findings: dict[str, Hits] = field(default_factory=dict)
    constants: dict[str, Hits] = field(default_factory=dict)


def read(folder: Path) -> BoxRecord | None:
    """The record in a model folder; None where boxes were not measured."""
    found = _at(_content(folder / model_folder.METRICS), "localisation")
    pointing, overlap = _at(found, "pointing"), _at(found, "iou")
    constant = _at(found, "controls", "constant_box")
    over_all = Hits(_share(pointing, "mean"), _overlap(overlap), _count(pointing))
    if over_all.boxes is None or over_all.pointing is None:
        return None
    each = {
        label: Hits(
            _share(_at(pointing, "findings", label), "pointing"),
            _overlap(_at(overlap, "findings", label)),
            _count(_at(pointing, "findings", label)),
        )
        for label in FINDINGS
    }
    return BoxRecord(
        over_all,
        Hits(_share(constant, "pointing"), _overlap(_at(constant, "iou"))),
        {label: hits for label, hits in each.items() if hits.boxes and hits.pointing},
        {
            label: Hits(_share(_at(constant, "findings", label), "pointing"), None)
            for label in FINDINGS
        },
    )


def _content(path: Path) -> Any:
    try:
        if path.stat().st_size > _LARGEST:
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _overlap(of: Any) -> Share | None:
    return _share(_at(of, "thresholds", _OVERLAPPING), "share")


def _share(of: Any, name: str) -> Share | None:
    value, ends = _number(_at(of, name)), _at(of, "ci95")
    if value is None:
        return None
    if not isinstance(ends, list) or len(ends) != 2:
        return Share(value)
    low, high = map(_number, ends)
    return Share(value, None if low is None or high is None else (low, high))


def _at(part: Any, *path: str) -> Any:
    """What stands there, None where nothing does."""
    for name in path:
        part = part.get(name) if isinstance(part, dict) else None
    return part


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None  # nan too
    return float(value)


def _count(of: Any) -> int | None:
    boxes = _at(of, "boxes")
    whole = isinstance(boxes, int) and not isinstance(boxes, bool)
    return boxes if whole and 0 < boxes < _MOST else None
