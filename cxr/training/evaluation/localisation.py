"""Do the evidence maps point at the findings? The pointing game against the official boxes.

A map hits when its highest cell's centre lies in the box of that finding (Zhang et al., "Top-down
neural attention by excitation backprop", 2016). Two controls that never look at the film stand
beside it: the place that most training boxes of the finding cover, and a random place.
"""

from collections.abc import Sequence

import numpy as np

from cxr.training.boxes import GRID, Boxes
from cxr.training.evaluation import bootstrap
from cxr_labels import LABELS

Box = tuple[int, float, float, float, float]


def pointing_game(
    evidence: dict[str, np.ndarray], patients: dict[str, int], boxes: Boxes, train: Sequence[str]
) -> dict | None:
    """Share of boxes that the maps point into, with its interval, per finding, and the controls.

    evidence: {film: float [15, h, w]} of films outside training that have boxes. patients: of
    those films. train: names of the training films, whose boxes make the constant control.
    None when no film has a box.
    """
    cases = [(film, box) for film in sorted(evidence) for box in boxes.of_film.get(film, ())]
    if not cases:
        return None
    places = _best_places(boxes, train)
    owners = [patients[film] for film, _ in cases]
    hits = [_inside(peak(evidence[film][box[0]]), box) for film, box in cases]
    constant = [_inside(places[box[0]], box) for _, box in cases]
    return {
        "pointing": {
            "mean": float(np.mean(hits)),
            "ci95": bootstrap.share_interval(hits, owners),
            "boxes": len(cases),
            "findings": _per_finding([box for _, box in cases], hits),
        },
        "controls": {
            "constant_box": {
                "pointing": float(np.mean(constant)),
                "ci95": bootstrap.share_interval(constant, owners),
            },
            # A random place hits a box by its share of the film: no need to draw.
            "random_map": {"pointing": float(np.mean([box[3] * box[4] for _, box in cases]))},
        },
    }


def peak(evidence: np.ndarray) -> tuple[float, float]:
    """Centre (x, y) of the highest cell of a map [h, w], as shares of the film's sides."""
    row, column = np.unravel_index(int(evidence.argmax()), evidence.shape)
    return (float(column) + 0.5) / evidence.shape[1], (float(row) + 0.5) / evidence.shape[0]


def _inside(point: tuple[float, float], box: Box) -> bool:
    _, x, y, w, h = box
    return x <= point[0] <= x + w and y <= point[1] <= y + h


def _best_places(boxes: Boxes, train: Sequence[str]) -> list[tuple[float, float]]:
    """For each label, the place (x, y) that most training boxes cover: the best constant answer."""
    covered = sum(
        (boxes.map_of(film).astype(np.float32) for film in train if film in boxes.of_film),
        np.zeros((len(LABELS), GRID, GRID), np.float32),
    )
    return [peak(cover) for cover in covered]


def _per_finding(boxes: list[Box], hits: list[bool]) -> dict[str, dict[str, float | int]]:
    by_label: dict[str, list[bool]] = {}
    for box, hit in zip(boxes, hits, strict=True):
        by_label.setdefault(LABELS[box[0]], []).append(hit)
    return {
        label: {"pointing": float(np.mean(found)), "boxes": len(found)}
        for label, found in sorted(by_label.items())
    }
