"""Evidence map -> boxes on the film, and the picture of the map over the film."""

import numpy as np
from PIL import Image, ImageDraw

Box = list[int]

# A cell belongs to a finding's region when it reaches this share of the way from the map's median
# to its peak. Half the height is the usual width of a peak; a later version may tune it.
REGION_HEIGHT = 0.5
LONG_SIDE = 1024  # px of the overlay; larger films are reduced for showing
_GLOW = np.array([255, 140, 0], np.float32)  # orange: apart from grey in light and dark, and for
# most who do not tell red from green
_OPACITY = 0.55


def boxes(evidence: np.ndarray, width: int, height: int) -> list[Box]:
    """Boxes [x, y, w, h], in pixels of a film of that size, where a map [h, w] peaks.

    One box: the bounding box of the cells around the peak that are connected with it and reach
    half of its height. A map without a peak (all cells alike) has none.
    """
    region = _region(evidence)
    if not region.any():
        return []
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    tall, wide = height / evidence.shape[0], width / evidence.shape[1]
    left, right = round(columns[0] * wide), round((columns[-1] + 1) * wide)
    top, bottom = round(rows[0] * tall), round((rows[-1] + 1) * tall)
    return [[left, top, right - left, bottom - top]]


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


def _height(evidence: np.ndarray) -> np.ndarray:
    """The map from 0 at its median (and below) to 1 at its peak."""
    floor, peak = float(np.median(evidence)), float(evidence.max())
    if not peak > floor:
        return np.zeros_like(evidence)
    return ((evidence - floor) / (peak - floor)).clip(0, 1)


def _region(evidence: np.ndarray) -> np.ndarray:
    """Cells connected (by their sides) with the peak that reach REGION_HEIGHT: bool [h, w]."""
    high = _height(evidence) >= REGION_HEIGHT
    region = np.zeros_like(high)
    if high.any():
        region[np.unravel_index(int(evidence.argmax()), evidence.shape)] = True
    while True:
        grown = region.copy()
        grown[1:] |= region[:-1]
        grown[:-1] |= region[1:]
        grown[:, 1:] |= region[:, :-1]
        grown[:, :-1] |= region[:, 1:]
        grown &= high
        if (grown == region).all():
            return region
        region = grown
