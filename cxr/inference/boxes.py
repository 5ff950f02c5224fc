"""Heatmap -> boxes."""

from collections import defaultdict
from functools import cache

import numpy as np
from PIL import Image

from cxr.model.box_rule import BoxRule

Box = list[int]
Frame = tuple[float, float, float, float]
Run = tuple[int, int, int]  # row, first column, the one behind the last

HALF_HEIGHT = BoxRule()  # of folders whose config names no rule


def pixel_boxes(
    heatmap: np.ndarray,
    width: int,
    height: int,
    rule: BoxRule = HALF_HEIGHT,
    label: str | None = None,
) -> list[Box]:
    """Boxes [x, y, w, h], in pixels of an image of that size, where a map [h, w] peaks.

    As `find_boxes`; the label says which typical size of the rule is meant.
    """
    found = []
    for x, y, w, h in find_boxes(heatmap, rule, label):
        left, right = round(x * width), round((x + w) * width)
        top, bottom = round(y * height), round((y + h) * height)
        found.append([left, top, right - left, bottom - top])
    return found


def find_boxes(
    heatmap: np.ndarray, rule: BoxRule = HALF_HEIGHT, label: str | None = None
) -> list[Frame]:
    """Boxes (x, y, w, h), as shares of the image's sides, where a map [h, w] peaks.

    One box: the frame of the cells that reach the rule's height and are connected with the peak,
    pulled towards the label's typical size around those cells' centre of weight and cut at the
    image's borders. One, because an image rarely has more than one box of a finding: a second box at
    a second peak was right in fewer than one image of ten. A map without a peak (all cells alike)
    has none.
    """
    floor = median(heatmap)
    high = height_above(_refine(heatmap, rule.fine), floor)
    if not (heatmap.max() > floor and high.any()):
        return []
    runs = _region(high, rule.height)
    rows, starts, ends = zip(*runs, strict=True)
    spans = (min(starts), max(ends)), (min(rows), max(rows) + 1)
    cells, typical = high.shape[::-1], rule.sizes.get(label or "")
    weighed = _centre_of_weight(high, runs) if typical else None
    corner, sides = [], []
    for side, (first, behind) in enumerate(spans):
        size = (behind - first) / cells[side]
        centre = first / cells[side] + size / 2
        if typical and weighed:
            centre += rule.pull * (weighed[side] / cells[side] - centre)
            size = size ** (1 - rule.pull) * typical[side] ** rule.pull
        start, end = (min(max(at, 0.0), 1.0) for at in (centre - size / 2, centre + size / 2))
        corner.append(start)
        sides.append(end - start)
    return [(corner[0], corner[1], sides[0], sides[1])]


def _refine(heatmap: np.ndarray, parts: int) -> np.ndarray:
    """The map with every cell's side in so many parts, interpolated between the cells' centres."""
    if parts == 1:
        return heatmap
    down, across = (_interpolation(cells, parts) for cells in heatmap.shape)
    return down @ heatmap.astype(np.float32) @ across.T


@cache
def _interpolation(cells: int, parts: int) -> np.ndarray:
    """Pillow's bicubic enlargement of a column of cells as a matrix: [cells * parts, cells]."""
    each_alone = Image.fromarray(np.eye(cells, dtype=np.float32))
    return np.asarray(each_alone.resize((cells, cells * parts), Image.Resampling.BICUBIC))


def median(heatmap: np.ndarray) -> float:
    """As np.median, which takes five times as long for a map."""
    inner = np.sort(heatmap, axis=None)[(heatmap.size - 1) // 2 : heatmap.size // 2 + 1]
    return float(inner.mean())


def height_above(heatmap: np.ndarray, floor: float | None = None) -> np.ndarray:
    """The map from 0 at its median, or the given floor, and below to 1 at its peak."""
    floor = median(heatmap) if floor is None else floor
    peak = float(heatmap.max())
    if not peak > floor:
        return np.zeros_like(heatmap)
    return ((heatmap - floor) / (peak - floor)).clip(0, 1)


def _centre_of_weight(height: np.ndarray, runs: list[Run]) -> tuple[float, float]:
    """(x, y), in cells, of the heights within the runs."""
    weight = np.zeros(height.shape)
    for row, start, end in runs:
        weight[row, start:end] = height[row, start:end]
    across, down = weight.sum(0), weight.sum(1)
    x, y = ((np.arange(len(side)) + 0.5) @ side / across.sum() for side in (across, down))
    return float(x), float(y)


def _region(height: np.ndarray, least: float) -> list[Run]:
    """Cells connected (by their sides) with the highest one that reach `least`, in runs."""
    runs_of = _runs(height >= least)
    row, column = divmod(int(height.argmax()), height.shape[1])
    region = [(row, *run) for run in runs_of[row] if run[0] <= column < run[1]]
    runs_of[row].remove(region[0][1:])
    for row, start, end in region:  # which grows meanwhile
        for near in (row - 1, row + 1):
            touching = [run for run in runs_of.get(near, ()) if run[0] < end and start < run[1]]
            for run in touching:
                runs_of[near].remove(run)
                region.append((near, *run))
    return region


def _runs(high: np.ndarray) -> dict[int, list[tuple[int, int]]]:
    """Where in each row high cells begin, and end: {row: [(first, one behind the last)]}."""
    width = high.shape[1] + 1  # with an empty column first, so that no run enters the next row
    flat = np.zeros(len(high) * width + 1, bool)
    flat[:-1].reshape(-1, width)[:, 1:] = high
    changes = np.flatnonzero(flat[1:] != flat[:-1]).tolist()
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for first, behind in zip(changes[::2], changes[1::2], strict=True):
        row, start = divmod(first, width)
        found[row].append((start, start + behind - first))
    return found
