"""The bytes of a DICOM file -> the film."""

from cxr.dicom import accepted, file, frame, is_bare, shown
from cxr.radiograph import Radiograph, RadiographError, damaged, not_a_picture


def read(data: bytes) -> Radiograph:
    """Reads one film; see `cxr.dicom.read`."""
    try:
        return _read(data)
    except RadiographError:
        raise
    except Exception as error:
        # On a damaged file pydicom raises whatever it stumbles over.
        raise (not_a_picture() if is_bare(data) else damaged()) from error


def _read(data: bytes) -> Radiograph:
    dicom = file.parse(data)
    if is_bare(data) and "Rows" not in dicom:
        raise not_a_picture()  # it only began like a DICOM file
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
    return Radiograph(grey, facts, (*notes, *more))
