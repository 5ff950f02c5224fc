"""Image files -> grey pixels: the names that other packages use."""

from cxr.imaging.errors import MAX_PIXELS, MIN_SIDE, ImageError
from cxr.imaging.reader import FORMATS, SUFFIXES, Source, read_image
from cxr.imaging.resize import eight_bits, resize
from cxr.imaging.types import GreyImage

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "MIN_SIDE",
    "SUFFIXES",
    "GreyImage",
    "ImageError",
    "Source",
    "eight_bits",
    "read_image",
    "resize",
]
