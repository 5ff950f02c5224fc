"""The bytes of a DICOM file -> the image."""

from cxr.imaging.dicom import accepted, file, frame, is_bare, shown
from cxr.imaging.errors import ImageError, damaged, not_an_image
from cxr.imaging.types import GreyImage


def read(data: bytes) -> GreyImage:
    """Reads one image; see `cxr.imaging.dicom.read`."""
    try:
        return _read(data)
    except ImageError:
        raise
    except Exception as error:
        # On a damaged file pydicom raises whatever it stumbles over.
        raise (not_an_image() if is_bare(data) else damaged()) from error


def _read(data: bytes) -> GreyImage:
    dicom = file.parse(data)
    if is_bare(data) and "Rows" not in dicom:
        raise not_an_image()  # it only began like a DICOM file
    notes = accepted.check(dicom)
    layout = accepted.layout(dicom)
    grey, more = shown.to_grey(dicom, layout, frame.stored(dicom, layout))
    facts: dict[str, str | int] = {
        "format": "DICOM",
        "mode": "MONOCHROME1" if layout.from_white else "MONOCHROME2",
        "width": layout.columns,
        "height": layout.rows,
        "bits": layout.bits,
        "bits_used": layout.bits,
    }
    return GreyImage(grey, facts, (*notes, *more))
