"""Which DICOM files are taken for one grey image, judged from the header alone.

Taken are CR, DX and RG, "DR", which older devices write for DX, and, with a warning, secondary
captures (SC), "other" (OT) and files that name no modality: images that were exported, scanned or
made anonymous come as such. All others are rejected: fluoroscopy (RF) and angiography (XA) are
other images than the model was made for even where they have one frame, and what is called
dental (IO, PX) or breast (MG) is no chest.
"""

from dataclasses import dataclass

from cxr.imaging.dicom.file import Dicom
from cxr.imaging.errors import ImageError, check_size, damaged


@dataclass(frozen=True)
class Layout:
    """How the pixels are stored.

    bits: that hold the value, from bit `shift` of each of `bytes` bytes on. from_white: whether
    the lowest value is the brightest.
    """

    rows: int
    columns: int
    bytes: int
    bits: int
    shift: int
    signed: bool
    from_white: bool


_TAKEN = ("CR", "DX", "RG", "DR")
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
    "PX": "a dental panorama",
    "ES": "an endoscopy image",
    "SM": "a microscope's image",
    "GM": "a microscope's image",
    "OP": "a photograph of an eye",
    "OPT": "a scan of an eye",
    "XC": "a photograph",
    "SEG": "a segmentation",
    "BMD": "a bone density scan",
    "RTIMAGE": "an image of radiotherapy",
    "RTDOSE": "a plan of radiotherapy",
}
# What files are that name no modality, by the last numbers of their SOP class.
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


def check(dicom: Dicom) -> list[str]:
    """Rejects, with a ImageError, what is no single grey image; warnings on what is odd."""
    modality = _modality(dicom)
    _check_content(dicom, modality)
    if modality not in (*_TAKEN, *_DOUBTFUL):
        kind = _REJECTED.get(modality, "from another kind of examination")
        raise ImageError(
            "not_an_xray", f"This DICOM file is {kind}, not a chest X-ray; choose a radiograph."
        )
    frames = dicom.numbers("NumberOfFrames")
    if frames and frames[0] > 1:
        raise ImageError(
            "several_images", "This DICOM file holds several images; save one image as one file."
        )
    grey = dicom.text("PhotometricInterpretation") in ("MONOCHROME1", "MONOCHROME2")
    if dicom.word("SamplesPerPixel", 1) != 1 or not grey:
        if "PhotometricInterpretation" not in dicom:
            raise damaged()
        raise ImageError("colour", "This DICOM file is in colour; a radiograph is grey.")
    return _oddities(dicom, modality)


def layout(dicom: Dicom) -> Layout:
    """How the pixels are stored. Raises the ImageError that fits where they cannot be."""
    rows, columns = dicom.word("Rows"), dicom.word("Columns")
    allocated, bits = dicom.word("BitsAllocated"), dicom.word("BitsStored")
    if not (rows and columns and allocated and bits):
        raise damaged()
    check_size(columns, rows)
    if allocated not in (8, 16) or bits > 16:
        raise ImageError(
            "unreadable_encoding",
            "This DICOM file does not store its pixels in 8 to 16 bits; save it as PNG.",
        )
    shift = (dicom.word("HighBit", bits - 1) or 0) + 1 - bits
    if bits > allocated or not 0 <= shift <= allocated - bits:
        raise damaged()
    return Layout(
        rows,
        columns,
        allocated // 8,
        bits,
        shift,
        signed=dicom.word("PixelRepresentation") == 1,
        from_white=dicom.text("PhotometricInterpretation") == "MONOCHROME1",
    )


def _modality(dicom: Dicom) -> str:
    kind = dicom.text("SOPClassUID").removeprefix(_STORAGE)
    return dicom.text("Modality") or _MODALITY_OF.get(kind, "")


def _check_content(dicom: Dicom, modality: str) -> None:
    kind = dicom.text("SOPClassUID")
    if kind == _DIRECTORY or "DirectoryRecordSequence" in dicom:
        raise ImageError(
            "no_pixels",
            "This is a DICOMDIR, the table of contents of a disk; choose an image on the disk.",
        )
    if modality == "SR" or kind.startswith(_REPORTS):
        raise ImageError(
            "no_pixels", "This DICOM file is a written report, not an image; choose the image."
        )
    if "PixelData" not in dicom:
        if dicom.seen:
            raise damaged()
        raise ImageError("no_pixels", "This DICOM file holds no image, or was cut off before it.")


def _oddities(dicom: Dicom, modality: str) -> list[str]:
    notes = []
    if modality in _DOUBTFUL:
        notes.append("The file does not say that it is a radiograph.")
    if dicom.text("PresentationIntentType") == "FOR PROCESSING":
        notes.append(
            "The file holds a detector's raw values, not an image made for viewing, which the "
            "model was not made for."
        )
    if dicom.text("ViewPosition") in ("LL", "RL", "LAT", "LATERAL"):
        notes.append("The file says that this is a side view; the model was made for frontal ones.")
    if dicom.text("PresentationLUTShape") == "INVERSE" and (
        dicom.text("PhotometricInterpretation") == "MONOCHROME2"
    ):
        notes.append("The file contradicts itself on whether bone is white; check the image.")
    for keyword in ("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing"):
        sides = dicom.numbers(keyword)
        if len(sides) == 2 and min(sides) > 0:
            if not 0.98 < sides[0] / sides[1] < 1.02:
                notes.append("The pixels of this image are not square, so it is shown squeezed.")
            break
    return notes
