"""DICOM images with known pixels, in every transfer syntax."""

import io
from typing import Any

import imagecodecs
import numpy as np
import pydicom.uid as uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder

PATIENT = "Planted^Patricia"

NATIVE = {
    "implicit": uid.ImplicitVRLittleEndian,
    "explicit": uid.ExplicitVRLittleEndian,
    "big endian": uid.ExplicitVRBigEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
}
LOSSLESS = {
    "rle": uid.RLELossless,
    "jpeg lossless": uid.JPEGLossless,
    "jpeg lossless sv1": uid.JPEGLosslessSV1,
    "jpeg-ls": uid.JPEGLSLossless,
    "jpeg 2000 lossless": uid.JPEG2000Lossless,
}
# With the largest error of a pixel, on a scale of 0 to 1.
LOSSY = {
    "jpeg baseline": (uid.JPEGBaseline8Bit, 0.03),
    "jpeg extended": (uid.JPEGExtended12Bit, 0.03),
    "jpeg-ls near": (uid.JPEGLSNearLossless, 0.01),
    "jpeg 2000": (uid.JPEG2000, 0.03),
}
SYNTAXES = {**NATIVE, **LOSSLESS, **{name: syntax for name, (syntax, _) in LOSSY.items()}}


HEIGHT, WIDTH = 90, 111  # unequal, so that swapped sides are noticed
_y, _x = np.mgrid[:HEIGHT, :WIDTH]
SHAPE = (np.sin(_x / 9) + np.cos(_y / 7) + 2) / 4  # a pattern from 0 to 1
KINDS = [("u1", 8), ("u2", 10), ("u2", 12), ("u2", 16), ("i2", 12), ("i2", 16)]


def values(kind: str, bits: int) -> np.ndarray:
    """The pattern SHAPE, over all values of this many bits."""
    low = -(2 ** (bits - 1)) if kind[0] == "i" else 0
    return (np.rint(SHAPE * (2**bits - 1)).astype(int) + low).astype(kind)


def whole_window(kind: str, bits: int) -> dict[str, object]:
    """A window from the lowest to the highest value."""
    low = -(2 ** (bits - 1)) if kind[0] == "i" else 0
    width = 2**bits - 1
    return {
        "WindowCenter": low + width / 2,
        "WindowWidth": width,
        "VOILUTFunction": "LINEAR_EXACT",
    }


DEEP = values("u2", 12)


def image(
    pixels: np.ndarray, syntax: str = "explicit", bits: int | None = None, **tags: Any
) -> bytes:
    """A DICOM file of a chest X-ray.

    Args:
        pixels: uint8, int8, uint16 or int16 [H, W].
        syntax: Transfer syntax, a key of SYNTAXES.
        bits: Number of bits that are used; all if None.
        **tags: Elements by keyword; None removes an element.
    """
    data = Dataset()
    allocated = 8 * pixels.itemsize
    data.SOPClassUID = uid.DigitalXRayImageStorageForPresentation
    data.SOPInstanceUID = "1.2.3.4"
    data.PatientName, data.PatientID, data.PatientBirthDate = PATIENT, "PLANTED-ID", "19500102"
    data.Modality = "DX"
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = pixels.shape
    data.BitsAllocated, data.BitsStored = allocated, bits or allocated
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    uids = SYNTAXES[syntax]
    order = ">" if syntax == "big endian" else "<"
    if syntax in NATIVE:
        data.add_new("PixelData", "OW", _even(pixels.astype(pixels.dtype.newbyteorder(order))))
        if allocated == 8:
            data["PixelData"].VR = "OB"
    else:
        data.add_new("PixelData", "OB", encapsulate([_packed(pixels, syntax, data.BitsStored)]))
        data["PixelData"].is_undefined_length = True
    for keyword, value in tags.items():
        if value is None:
            delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    return written(data, uids)


def written(data: Dataset, syntax: str, bare: bool = False) -> bytes:
    """A data set as a file. bare: without preamble and file meta information."""
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.UID(syntax)
    data.file_meta.MediaStorageSOPClassUID = data.get("SOPClassUID", "1.2.3")
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    file = io.BytesIO()
    if bare:
        data.file_meta, data.preamble = FileMetaDataset(), None
        implicit = syntax == uid.ImplicitVRLittleEndian
        data.save_as(
            file,
            implicit_vr=implicit,
            little_endian=syntax != uid.ExplicitVRBigEndian,
            enforce_file_format=False,
        )
    else:
        data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def saved(data: Dataset) -> bytes:
    """A data set that was read from a file, written to a file again."""
    file = io.BytesIO()
    data.save_as(file)
    return file.getvalue()


def table(first: int, bits: int, entries: np.ndarray) -> list[Dataset]:
    """A LUT, for ModalityLUTSequence and VOILUTSequence."""
    lut = Dataset()
    signed = "SS" if first < 0 else "US"
    lut.add_new("LUTDescriptor", signed, [len(entries), first, bits])
    lut.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return [lut]


def _even(pixels: np.ndarray) -> bytes:
    value = pixels.tobytes()
    return value + b"\0" * (len(value) % 2)


def _packed(pixels: np.ndarray, syntax: str, bits: int) -> bytes:
    unsigned = pixels.view(f"u{pixels.itemsize}") & (2**bits - 1)
    if syntax == "rle":
        return RLELosslessEncoder.encode(
            unsigned,
            encoding_plugin="pydicom",
            rows=pixels.shape[0],
            columns=pixels.shape[1],
            number_of_frames=1,
            samples_per_pixel=1,
            bits_allocated=8 * pixels.itemsize,
            bits_stored=8 * pixels.itemsize,
            pixel_representation=0,
            photometric_interpretation="MONOCHROME2",
        )
    if syntax == "jpeg-ls":
        return imagecodecs.jpegls_encode(unsigned)
    if syntax == "jpeg-ls near":
        return imagecodecs.jpegls_encode(unsigned, level=2)
    if syntax == "jpeg 2000 lossless":
        return imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True)
    if syntax == "jpeg 2000":
        return imagecodecs.jpeg2k_encode(
            pixels, level=60, codecformat="j2k", reversible=False, bitspersample=bits
        )
    if syntax.startswith("jpeg lossless"):
        predictor = 1 if syntax.endswith("sv1") else 6
        return imagecodecs.jpeg8_encode(
            unsigned, lossless=True, predictor=predictor, bitspersample=bits
        )
    return imagecodecs.jpeg8_encode(unsigned, 95, bitspersample=min(bits, 12))
