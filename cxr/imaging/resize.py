"""An image as read -> the square that the network sees."""

import numpy as np
from PIL import Image

from cxr.imaging.types import GreyImage, unit


def resize(image: GreyImage, size: int) -> np.ndarray:
    """Brings an image to the float32 [size, size], 0..1, that the network sees.

    The image is squeezed to a square, not cropped: NIH's own 1024x1024 files were made so.
    Bilinear with a support that grows with the reduction (Pillow's antialiased filter), in 8 bits
    whatever the file's depth: those are the values that the pixel cache stores, and a network
    trained on them answers up to 0.07 otherwise for the same image in finer ones.
    """
    whole = Image.fromarray(eight_bits(image))
    return unit(np.asarray(whole.resize((size, size), Image.Resampling.BILINEAR)))


def eight_bits(image: GreyImage) -> np.ndarray:
    """An image's grey as uint8 [height, width], which is what `resize` sees of it."""
    grey = (
        image.grey if image.grey.dtype == np.uint8 else np.rint(image.pixels * 255).astype(np.uint8)
    )
    return np.ascontiguousarray(grey)
