"""Puts the steps together: the bytes of a DICOM file -> the image."""

from cxr.imaging.dicom import checks, grey, header, pixel_data
from cxr.imaging.dicom.signature import is_bare
from cxr.imaging.errors import ImageError, damaged, not_an_image
from cxr.imaging.types import GreyImage


def read(data: bytes) -> GreyImage:
    """Reads one image; see `cxr.imaging.dicom.read`."""
    try:
        return _read(data)
    except ImageError:
        raise
    except Exception as error:
        # On a damaged file pydicom and NumPy raise errors of any kind.
        raise (not_an_image() if is_bare(data) else damaged()) from error


def _read(data: bytes) -> GreyImage:
    parsed = header.parse(data)
    if is_bare(data) and "Rows" not in parsed:
        raise not_an_image()  # only its first bytes looked like DICOM
    warnings = checks.check(parsed)
    layout = checks.layout(parsed)
    pixels, more = grey.to_grey(parsed, layout, pixel_data.stored_values(parsed, layout))
    return GreyImage(pixels, (*warnings, *more))
