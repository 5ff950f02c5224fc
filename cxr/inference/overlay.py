"""An image with a heatmap and boxes drawn over it."""

import numpy as np
from PIL import Image, ImageDraw

from cxr.inference.boxes import Box, height_above

LONG_SIDE = 1024  # px of the overlay; larger images are reduced for showing
_GLOW = np.array([255, 140, 0], np.float32)  # orange: apart from grey in light and dark, and for
# most who do not tell red from green
_OPACITY = 0.55


def glow(heatmap: np.ndarray) -> np.ndarray:
    """The map [h, w] as it is shown: uint8, 0 at its median and below, 255 at its peak."""
    return np.rint(255 * height_above(heatmap)).astype(np.uint8)


def draw_overlay(pixels: np.ndarray, heatmap: np.ndarray, found: list[Box]) -> np.ndarray:
    """The image with the map glowing over it and the boxes drawn: uint8 [H, W, 3].

    pixels: float32 [h, w], 0..1. The glow is the map's height from its median (clear) to its peak,
    so it shows where the heatmap of this image lies, not how strong it is.
    """
    image = preview(pixels)
    height, width = image.shape
    small = Image.fromarray(height_above(heatmap).astype(np.float32))
    glow = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).clip(0, 1)
    share = (_OPACITY * glow)[..., None]
    mixed = image[..., None] * (1 - share) + _GLOW * share
    picture = Image.fromarray(np.rint(mixed).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    scale = width / pixels.shape[1]
    for x, y, w, h in found:
        corners = [v * scale for v in (x, y, x + w, y + h)]
        draw.rectangle(corners, outline=(255, 200, 60), width=max(2, width // 300))
    return np.asarray(picture)


def preview(pixels: np.ndarray) -> np.ndarray:
    """The image as uint8 grey for showing, at most 1024 px on its long side."""
    grey = np.rint(pixels * 255).astype(np.uint8)
    longest = max(grey.shape)
    if longest <= LONG_SIDE:
        return grey
    size = [max(1, round(side * LONG_SIDE / longest)) for side in (grey.shape[1], grey.shape[0])]
    return np.asarray(Image.fromarray(grey).resize((size[0], size[1]), Image.Resampling.BILINEAR))
