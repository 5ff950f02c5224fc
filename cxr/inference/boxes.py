"""Heatmaps -> boxes around their peaks.

A box is (x, y, w, h) in fractions of the image's width and height, 0..1, measured from the upper
left corner. `in_pixels` converts boxes where they are shown or written.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image

from cxr.model.config import BoxRule

Box = tuple[float, float, float, float]

HALF_HEIGHT = BoxRule()  # for model folders whose config has no box rule


def find_boxes(
    heatmap: np.ndarray, rule: BoxRule = HALF_HEIGHT, label: str | None = None
) -> list[Box]:
    """Finds the box around the peak of a heatmap.

    The region of the peak consists of the cells that reach the rule's height and are connected
    with the highest cell by their sides. The box is the frame of that region, pulled towards the
    label's typical size and the region's centre of mass, and cut at the borders of the image.

    There is at most one box, because an image rarely has several boxes of one finding: a second box
    at a second peak was right in fewer than one image in ten.

    Args:
        heatmap: float [h, w].
        rule: The parameters, usually `Config.box_rule`.
        label: The finding whose typical size in the rule is used; without it the box is the frame
            of the region.

    Returns:
        One box, or none where all cells have the same value.
    """
    floor = median(heatmap)
    heights = height_above(_refine(heatmap, rule.fine), floor)
    if not (heatmap.max() > floor and heights.any()):
        return []
    typical = rule.sizes.get(label or "")
    region = _region_of_peak(heights >= rule.height, int(heights.argmax()))
    weights = np.where(region, heights.astype(np.float64), 0)
    left, right = _interval(weights.sum(0), rule, typical and typical[0])
    top, bottom = _interval(weights.sum(1), rule, typical and typical[1])
    return [(left, top, right - left, bottom - top)]


def in_pixels(boxes: Sequence[Box], width: int, height: int) -> list[list[int]]:
    """Converts boxes to [x, y, w, h] in whole pixels of an image of that size."""
    found = []
    for x, y, w, h in boxes:
        left, right = round(x * width), round((x + w) * width)
        top, bottom = round(y * height), round((y + h) * height)
        found.append([left, top, right - left, bottom - top])
    return found


def median(heatmap: np.ndarray) -> float:
    """The median of a heatmap; np.median gives the same in five times the time."""
    middle = np.sort(heatmap, axis=None)[(heatmap.size - 1) // 2 : heatmap.size // 2 + 1]
    return float(middle.mean())


def height_above(heatmap: np.ndarray, floor: float | None = None) -> np.ndarray:
    """Scales a heatmap to 0..1, from the floor (default: its median) and below to its peak."""
    floor = median(heatmap) if floor is None else floor
    peak = float(heatmap.max())
    if not peak > floor:
        return np.zeros_like(heatmap)
    return ((heatmap - floor) / (peak - floor)).clip(0, 1)


def _refine(heatmap: np.ndarray, parts: int) -> np.ndarray:
    """Divides the side of each cell into `parts`, by bicubic interpolation."""
    if parts == 1:
        return heatmap
    down, across = (_interpolation(cells, parts) for cells in heatmap.shape)
    return down @ heatmap.astype(np.float32) @ across.T


@cache
def _interpolation(cells: int, parts: int) -> np.ndarray:
    """Pillow's bicubic enlargement of a column of cells as a matrix [cells * parts, cells]."""
    columns = Image.fromarray(np.eye(cells, dtype=np.float32))
    return np.asarray(columns.resize((cells, cells * parts), Image.Resampling.BICUBIC))


def _region_of_peak(high: np.ndarray, peak: int) -> np.ndarray:
    """The high cells, bool [h, w], that are connected with the cell of flat index `peak`.

    The region grows by whole runs of high cells, along rows and columns in turn. This takes a few
    steps, where growing by single cells would take as many as the region has cells in a row.
    """
    # A border, so that no run continues in the next row or column; np.pad takes much longer.
    padded = np.zeros((high.shape[0] + 2, high.shape[1] + 2), bool)
    padded[1:-1, 1:-1] = high
    # All cells of a run have the same number, because only cells that are not high add one.
    along_rows = np.cumsum(~padded).reshape(padded.shape)
    along_columns = np.cumsum(~padded.T).reshape(padded.T.shape).T
    region = np.zeros_like(padded)
    region[1:-1, 1:-1].flat[peak] = True
    while True:
        size = np.count_nonzero(region)
        for run in (along_rows, along_columns):
            reached = np.zeros(padded.size + 1, bool)
            reached[run[region]] = True
            region = reached[run] & padded
        if np.count_nonzero(region) == size:
            return region[1:-1, 1:-1]


def _interval(weights: np.ndarray, rule: BoxRule, typical: float | None) -> tuple[float, float]:
    """Start and end of a box along one axis, in fractions of the axis.

    Args:
        weights: float [n], the heights of the region, summed along the other axis.
        rule: Its `pull` applies.
        typical: The typical size along this axis, in fractions; None leaves the region's frame.
    """
    cells, occupied = len(weights), np.flatnonzero(weights)
    size = float(occupied[-1] + 1 - occupied[0]) / cells
    centre = float(occupied[0]) / cells + size / 2
    if typical is not None:
        centre_of_mass = float((np.arange(cells) + 0.5) @ weights / weights.sum()) / cells
        centre += rule.pull * (centre_of_mass - centre)
        size = size ** (1 - rule.pull) * typical**rule.pull
    start, end = (min(max(edge, 0.0), 1.0) for edge in (centre - size / 2, centre + size / 2))
    return start, end
