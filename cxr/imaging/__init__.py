"""Reads image files as grey pixels; these are the names that other packages use.

Start at `reader`: it tells what becomes of each kind of file. `errors` has the codes of errors and
the limits on the size, `dicom` the measures against hostile DICOM files.
"""

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
