"""Evidence map -> boxes on the film, and the picture of the map over the film."""

import numpy as np
from PIL import Image, ImageDraw

from cxr.box_rule import BoxRule

Box = list[int]
Frame = tuple[float, float, float, float]

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
    high = _height(_refine(evidence, rule.fine), float(np.median(evidence)))
    if not high.any():
        return []
    region = _region(high, rule.height)
    sides = np.array(high.shape[::-1], np.float64)
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    low = np.array([columns[0], rows[0]]) / sides
    size = np.array([columns[-1] + 1, rows[-1] + 1]) / sides - low
    centre = low + size / 2
    if label in rule.sizes:
        centre += rule.pull * (_centre_of_weight(high * region) / sides - centre)
        size = size ** (1 - rule.pull) * np.array(rule.sizes[label]) ** rule.pull
    start, end = (centre - size / 2).clip(0, 1), (centre + size / 2).clip(0, 1)
    x, y, w, h = map(float, (*start, *(end - start)))
    return [(x, y, w, h)]


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
    rows, columns = evidence.shape
    picture = Image.fromarray(evidence.astype(np.float32))
    return np.asarray(picture.resize((columns * parts, rows * parts), Image.Resampling.BICUBIC))


def _height(evidence: np.ndarray, floor: float | None = None) -> np.ndarray:
    """The map from 0 at its median, or the given floor, and below to 1 at its peak."""
    floor = float(np.median(evidence)) if floor is None else floor
    peak = float(evidence.max())
    if not peak > floor:
        return np.zeros_like(evidence)
    return ((evidence - floor) / (peak - floor)).clip(0, 1)


def _centre_of_weight(weight: np.ndarray) -> np.ndarray:
    """(x, y) in cells."""
    across, down = weight.sum(0), weight.sum(1)
    moments = [(np.arange(len(side)) + 0.5) @ side for side in (across, down)]
    return np.array(moments) / across.sum()


def _region(height: np.ndarray, least: float) -> np.ndarray:
    """Cells connected (by their sides) with the highest one that reach `least`: bool [h, w]."""
    high = height >= least
    region = np.zeros_like(high)
    region[np.unravel_index(int(height.argmax()), height.shape)] = True
    across, down = _runs(high), _runs(high.T).T
    count = 0
    # Whole runs are filled at a time, so that a few sweeps do where cell by cell takes dozens.
    while (filled := int(region.sum())) > count:
        count = filled
        for runs in (across, down):
            touched = np.zeros(high.size + 1, bool)
            touched[runs[region]] = True
            region = touched[runs] & high
    return region


def _runs(high: np.ndarray) -> np.ndarray:
    """The number of the run of high cells that each of them belongs to, row by row."""
    begins = high.copy()
    begins[:, 1:] &= ~high[:, :-1]
    return begins.cumsum().reshape(high.shape)
