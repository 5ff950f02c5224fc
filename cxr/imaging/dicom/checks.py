"""Decides from the header alone which DICOM files are read as one grey X-ray image.

Accepted are the modalities CR, DX, RG and "DR" (which older devices write for DX). Secondary
captures (SC), "other" (OT) and files without a modality are accepted with a warning, because
exported, scanned and anonymised images look so. Everything else is rejected: fluoroscopy (RF) and
angiography (XA) differ from the images that the model was trained on even if they have one frame,
and dental images (IO, PX) and mammograms (MG) do not show the chest.
"""

from dataclasses import dataclass

from cxr.imaging.dicom.header import Header
from cxr.imaging.errors import ImageError, check_size, damaged


@dataclass(frozen=True)
class Layout:
    """How the pixels are stored.

    Attributes:
        rows: Height in pixels.
        columns: Width in pixels.
        bytes: Bytes of a pixel, 1 or 2.
        bits: Bits of the value, at most 8 * bytes.
        shift: The lowest bit of the value.
        signed: Whether the value is a two's complement number.
        from_white: Whether the lowest value is the brightest (MONOCHROME1).
    """

    rows: int
    columns: int
    bytes: int
    bits: int
    shift: int
    signed: bool
    from_white: bool


_ACCEPTED = ("CR", "DX", "RG", "DR")
_DOUBTFUL = ("", "OT", "SC")
_REJECTED = {
    "CT": "a CT scan",
    "MR": "an MRI scan",
    "US": "an ultrasound image",
    "IVUS": "an ultrasound image",
    "PT": "a PET scan",
    "NM": "a nuclear medicine scan",
    "MG": "a mammogram",
    "XA": "an angiogram",
    "RF": "a fluoroscopy image",
    "IO": "a dental image",
    "PX": "a panoramic dental image",
    "ES": "an endoscopy image",
    "SM": "a microscopy image",
    "GM": "a microscopy image",
    "OP": "a photograph of an eye",
    "OPT": "a scan of an eye",
    "XC": "a photograph",
    "SEG": "a segmentation",
    "BMD": "a bone density scan",
    "RTIMAGE": "a radiotherapy image",
    "RTDOSE": "a radiotherapy dose plan",
}
# The modality of files that do not name it, by the end of their SOP class.
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_MODALITY_OF = {
    **dict.fromkeys(("1",), "CR"),
    **dict.fromkeys(("1.1", "1.1.1"), "DX"),
    **dict.fromkeys(("1.2", "1.2.1", "13.1.3", "13.1.4"), "MG"),
    **dict.fromkeys(("1.3", "1.3.1"), "IO"),
    **dict.fromkeys(("2", "2.1", "2.2"), "CT"),
    **dict.fromkeys(("3", "3.1", "6", "6.1", "6.2"), "US"),
    **dict.fromkeys(("4", "4.1", "4.3", "4.4"), "MR"),
    **dict.fromkeys(("12.1", "12.1.1"), "XA"),
    **dict.fromkeys(("12.2", "12.2.1"), "RF"),
    **dict.fromkeys(("20",), "NM"),
    **dict.fromkeys(("66.4",), "SEG"),
    **dict.fromkeys(("128", "128.1", "130"), "PT"),
}
_DIRECTORY, _REPORTS = "1.2.840.10008.1.3.10", _STORAGE + "88."


def check(header: Header) -> list[str]:
    """Rejects what is not a single grey X-ray image.

    Returns:
        Warnings about what may make the model's scores wrong.

    Raises:
        ImageError: "no_pixels", "not_an_xray", "several_images", "colour" or "damaged".
    """
    modality = _modality(header)
    _check_content(header, modality)
    if modality not in (*_ACCEPTED, *_DOUBTFUL):
        kind = _REJECTED.get(modality, "from another kind of examination")
        raise ImageError(
            "not_an_xray", f"This DICOM file is {kind}, not a chest X-ray; choose a chest X-ray."
        )
    frames = header.numbers("NumberOfFrames")
    if frames and frames[0] > 1:
        raise ImageError(
            "several_images",
            "This DICOM file contains several images; save one image as a file of its own.",
        )
    if "PhotometricInterpretation" not in header:
        raise damaged()
    grey = header.text("PhotometricInterpretation") in ("MONOCHROME1", "MONOCHROME2")
    if not grey or header.word("SamplesPerPixel") not in (None, 1):
        raise ImageError("colour", "This DICOM file is in colour; a chest X-ray is grey.")
    return _warnings(header, modality)


def layout(header: Header) -> Layout:
    """Reads how the pixels are stored.

    Raises:
        ImageError: "damaged", "too_small", "too_large" or "unreadable_encoding".
    """
    rows, columns = header.word("Rows"), header.word("Columns")
    allocated, bits = header.word("BitsAllocated"), header.word("BitsStored")
    if not (rows and columns and allocated and bits):
        raise damaged()
    check_size(columns, rows)
    if allocated not in (8, 16) or bits > 16:
        raise ImageError(
            "unreadable_encoding",
            "This DICOM file does not store its pixels in 8 to 16 bits; save it as PNG.",
        )
    high_bit = header.word("HighBit")
    shift = 0 if high_bit is None else high_bit + 1 - bits
    if bits > allocated or not 0 <= shift <= allocated - bits:
        raise damaged()
    return Layout(
        rows,
        columns,
        allocated // 8,
        bits,
        shift,
        signed=header.word("PixelRepresentation") == 1,
        from_white=header.text("PhotometricInterpretation") == "MONOCHROME1",
    )


def _modality(header: Header) -> str:
    sop_class = header.text("SOPClassUID").removeprefix(_STORAGE)
    return header.text("Modality") or _MODALITY_OF.get(sop_class, "")


def _check_content(header: Header, modality: str) -> None:
    sop_class = header.text("SOPClassUID")
    if sop_class == _DIRECTORY or "DirectoryRecordSequence" in header:
        raise ImageError(
            "no_pixels",
            "This is a DICOMDIR, the table of contents of a disk; choose an image on the disk.",
        )
    if modality == "SR" or sop_class.startswith(_REPORTS):
        raise ImageError(
            "no_pixels", "This DICOM file is a written report, not an image; choose the image."
        )
    if "PixelData" not in header:
        if header.pixels_begin:
            raise damaged()
        raise ImageError(
            "no_pixels", "This DICOM file contains no image, or was cut off before it."
        )


def _warnings(header: Header, modality: str) -> list[str]:
    found = []
    if modality in _DOUBTFUL:
        found.append("This DICOM file does not say that it is an X-ray image.")
    if header.text("PresentationIntentType") == "FOR PROCESSING":
        found.append(
            "This file contains the raw values of a detector, not an image made for viewing; the "
            "model was not trained on such files."
        )
    if header.text("ViewPosition") in ("LL", "RL", "LAT", "LATERAL"):
        found.append(
            "This file says that it is a lateral view; the model was trained on frontal views."
        )
    if header.text("PresentationLUTShape") == "INVERSE" and (
        header.text("PhotometricInterpretation") == "MONOCHROME2"
    ):
        found.append("This file contradicts itself on whether bone is white; check the image.")
    for keyword in ("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing"):
        sides = header.numbers(keyword)
        if len(sides) == 2 and min(sides) > 0:
            if not 0.98 < sides[0] / sides[1] < 1.02:
                found.append(
                    "The pixels of this image are not square, so it appears stretched or squeezed."
                )
            break
    return found
