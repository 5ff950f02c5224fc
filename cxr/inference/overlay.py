"""An image with a heatmap and boxes drawn over it."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from cxr.inference.boxes import Box, height_above, in_pixels

LONG_SIDE = 1024  # px of a preview; larger images are reduced
# Orange differs from grey in light and dark, and most colour-blind people can tell it from grey.
_HEATMAP_COLOUR = np.array([255, 140, 0], np.float32)
_BOX_COLOUR = (255, 200, 60)
_OPACITY = 0.55


def eight_bit_heatmap(heatmap: np.ndarray) -> np.ndarray:
    """A heatmap [h, w] for display: uint8, 0 at its median and below, 255 at its peak."""
    return np.rint(255 * height_above(heatmap)).astype(np.uint8)


def draw_overlay(pixels: np.ndarray, heatmap: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """Draws a heatmap and boxes over an image.

    The colour runs from the heatmap's median (clear) to its peak, so it shows where the heatmap of
    this image lies, not how strong it is.

    Args:
        pixels: uint8 [H, W].
        heatmap: float [h, w], of any size.
        boxes: In fractions of the image's sides.

    Returns:
        uint8 [H, W, 3], reduced as in `preview`.
    """
    image = preview(pixels)
    height, width = image.shape
    small = Image.fromarray(height_above(heatmap).astype(np.float32))
    heights = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).clip(0, 1)
    opacity = (_OPACITY * heights)[..., None]
    mixed = image[..., None] * (1 - opacity) + _HEATMAP_COLOUR * opacity
    overlay = Image.fromarray(np.rint(mixed).astype(np.uint8))
    draw = ImageDraw.Draw(overlay)
    for x, y, w, h in in_pixels(boxes, width, height):
        draw.rectangle((x, y, x + w, y + h), outline=_BOX_COLOUR, width=max(2, width // 300))
    return np.asarray(overlay)


def preview(pixels: np.ndarray) -> np.ndarray:
    """Reduces an image, uint8 [H, W], to at most 1024 px on its long side."""
    longest = max(pixels.shape)
    if longest <= LONG_SIDE:
        return pixels
    height, width = (max(1, round(side * LONG_SIDE / longest)) for side in pixels.shape)
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
