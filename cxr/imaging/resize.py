"""Resizes an image to the square that the network expects."""

import numpy as np
from PIL import Image

from cxr.imaging.types import GreyImage, unit


def resize(image: GreyImage, size: int) -> np.ndarray:
    """Resizes an image to a square.

    The image is squeezed, not cropped, because NIH's 1024x1024 files were made so. The filter is
    Pillow's bilinear one with antialiasing. It works on 8 bits whatever the depth of the file,
    because the pixel cache of the training has 8 bits, and a network trained on it gives
    probabilities that differ by up to 0.07 for the same image resized in floats.

    Args:
        image: The image.
        size: The side of the square in pixels.

    Returns:
        float32 [size, size] from 0 to 1.
    """
    whole = Image.fromarray(eight_bits(image))
    return unit(np.asarray(whole.resize((size, size), Image.Resampling.BILINEAR)))


def eight_bits(image: GreyImage) -> np.ndarray:
    """Returns an image as uint8 [height, width], which is all that `resize` uses of it."""
    if image.grey.dtype == np.uint8:
        return np.ascontiguousarray(image.grey)
    return np.rint(image.grey * 255).astype(np.uint8)
