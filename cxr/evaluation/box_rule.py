"""Choosing the rule that turns heatmaps into boxes, on the boxes of validation images."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cxr.datasets.boxes import Boxes
from cxr.evaluation.localisation import Box, overlaps, typical_size
from cxr.inference.boxes import find_boxes
from cxr.model.config import BoxRule
from cxr_labels import LABELS

# Two numbers, common to all findings, on a coarse grid: about 80 boxes do not support more.
HEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
PULLS = (0.0, 0.25, 0.5, 0.75, 1.0)
FINE = 4  # a 20x20 heatmap has cells as wide as most nodules
MIN_BOXES = 20  # with fewer, the untuned rule is as good a guess


def tune(heatmaps: dict[str, np.ndarray], boxes: Boxes, train: Iterable[str]) -> BoxRule:
    """Chooses the rule whose boxes overlap best, by mean IoU, with those of validation images.

    The mean IoU is used instead of a share of boxes above some IoU, because it moves with every
    box. Of the rules on the grid, the one is taken that does best together with its neighbours:
    the middle of a broad top rather than a lucky point beside it.

    Args:
        heatmaps: {image: float [15, h, w]} of validation images.
        boxes: The official boxes. Those of other images are not used.
        train: Names of the training images, whose boxes give the typical sizes.

    Returns:
        The untuned rule if there are under 20 boxes to tune on, or if it does better.
    """
    cases = [
        (maps, box) for image, maps in heatmaps.items() for box in boxes.of_image.get(image, ())
    ]
    if len(cases) < MIN_BOXES:
        return BoxRule()
    sizes = typical_sizes(boxes, train)
    rules = [
        [BoxRule(height=height, pull=pull, fine=FINE, sizes=sizes) for pull in PULLS]
        for height in HEIGHTS
    ]
    reached = np.array([[mean_iou(rule, cases) for rule in row] for row in rules])
    around = np.pad(reached, 1, mode="edge")
    steady = sliding_window_view(around, (3, 3)).mean((2, 3))
    height, pull = np.unravel_index(int(steady.argmax()), steady.shape)
    tuned = rules[height][pull]
    return tuned if reached[height, pull] > mean_iou(BoxRule(), cases) else BoxRule()


def typical_sizes(boxes: Boxes, images: Iterable[str]) -> dict[str, tuple[float, float]]:
    """{finding: (width, height)} of the named images' boxes, as shares of the image's sides."""
    by_label: dict[int, list[Box]] = {}
    for box in (box for image in images for box in boxes.of_image.get(image, ())):
        by_label.setdefault(box[0], []).append(box)
    return {LABELS[label]: typical_size(by_label[label]) for label in sorted(by_label)}


def mean_iou(rule: BoxRule, cases: Sequence[tuple[np.ndarray, Box]]) -> float:
    """Mean IoU of the rule's boxes with the official ones.

    Args:
        rule: Draws the boxes.
        cases: Heatmaps [15, h, w] of an image, and an official box on it.
    """
    drawn = [find_boxes(maps[box[0]], rule, LABELS[box[0]]) for maps, box in cases]
    return float(np.mean([overlaps(box, d).iou for (_, box), d in zip(cases, drawn, strict=True)]))
