"""Evidence map -> boxes on the film, and the picture of the map over the film."""

from collections import defaultdict
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from cxr.box_rule import BoxRule

Box = list[int]
Frame = tuple[float, float, float, float]
Run = tuple[int, int, int]  # row, first column, the one behind the last

HALF_HEIGHT = BoxRule()  # of folders whose config names no rule
LONG_SIDE = 1024  # px of the overlay; larger films are reduced for showing
_GLOW = np.array([255, 140, 0], np.float32)  # orange: apart from grey in light and dark, and for
# most who do not tell red from green
_OPACITY = 0.55


def boxes(
    evidence: np.ndarray,
    width: int,
    height: int,
    rule: BoxRule = HALF_HEIGHT,
    label: str | None = None,
) -> list[Box]:
    """Boxes [x, y, w, h], in pixels of a film of that size, where a map [h, w] peaks.

    As `frames`; the label says which typical size of the rule is meant.
    """
    found = []
    for x, y, w, h in frames(evidence, rule, label):
        left, right = round(x * width), round((x + w) * width)
        top, bottom = round(y * height), round((y + h) * height)
        found.append([left, top, right - left, bottom - top])
    return found


def frames(
    evidence: np.ndarray, rule: BoxRule = HALF_HEIGHT, label: str | None = None
) -> list[Frame]:
    """Boxes (x, y, w, h), as shares of the film's sides, where a map [h, w] peaks.

    One box: the frame of the cells that reach the rule's height and are connected with the peak,
    pulled towards the label's typical size around those cells' centre of weight and cut at the
    film's borders. One, because a film rarely has more than one box of a finding: a second box at
    a second peak was right in fewer than one film of ten. A map without a peak (all cells alike)
    has none.
    """
    floor = _median(evidence)
    high = _height(_refine(evidence, rule.fine), floor)
    if not (evidence.max() > floor and high.any()):
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


def glow(evidence: np.ndarray) -> np.ndarray:
    """The map [h, w] as it is shown: uint8, 0 at its median and below, 255 at its peak."""
    return np.rint(255 * _height(evidence)).astype(np.uint8)


def overlay(pixels: np.ndarray, evidence: np.ndarray, found: list[Box]) -> np.ndarray:
    """The film with the map glowing over it and the boxes drawn: uint8 [H, W, 3].

    pixels: float32 [h, w], 0..1. The glow is the map's height from its median (clear) to its peak,
    so it shows where the evidence of this film lies, not how strong it is.
    """
    film = preview(pixels)
    height, width = film.shape
    small = Image.fromarray(_height(evidence).astype(np.float32))
    glow = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).clip(0, 1)
    share = (_OPACITY * glow)[..., None]
    mixed = film[..., None] * (1 - share) + _GLOW * share
    picture = Image.fromarray(np.rint(mixed).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    scale = width / pixels.shape[1]
    for x, y, w, h in found:
        corners = [v * scale for v in (x, y, x + w, y + h)]
        draw.rectangle(corners, outline=(255, 200, 60), width=max(2, width // 300))
    return np.asarray(picture)


def preview(pixels: np.ndarray) -> np.ndarray:
    """The film as uint8 grey for showing, at most 1024 px on its long side."""
    grey = np.rint(pixels * 255).astype(np.uint8)
    longest = max(grey.shape)
    if longest <= LONG_SIDE:
        return grey
    size = [max(1, round(side * LONG_SIDE / longest)) for side in (grey.shape[1], grey.shape[0])]
    return np.asarray(Image.fromarray(grey).resize((size[0], size[1]), Image.Resampling.BILINEAR))


def _refine(evidence: np.ndarray, parts: int) -> np.ndarray:
    """The map with every cell's side in so many parts, interpolated between the cells' centres."""
    if parts == 1:
        return evidence
    down, across = (_interpolation(cells, parts) for cells in evidence.shape)
    return down @ evidence.astype(np.float32) @ across.T


@cache
def _interpolation(cells: int, parts: int) -> np.ndarray:
    """Pillow's bicubic enlargement of a column of cells as a matrix: [cells * parts, cells]."""
    each_alone = Image.fromarray(np.eye(cells, dtype=np.float32))
    return np.asarray(each_alone.resize((cells, cells * parts), Image.Resampling.BICUBIC))


def _median(evidence: np.ndarray) -> float:
    """As np.median, which takes five times as long for a map."""
    inner = np.sort(evidence, axis=None)[(evidence.size - 1) // 2 : evidence.size // 2 + 1]
    return float(inner.mean())


def _height(evidence: np.ndarray, floor: float | None = None) -> np.ndarray:
    """The map from 0 at its median, or the given floor, and below to 1 at its peak."""
    floor = _median(evidence) if floor is None else floor
    peak = float(evidence.max())
    if not peak > floor:
        return np.zeros_like(evidence)
    return ((evidence - floor) / (peak - floor)).clip(0, 1)


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
