"""What a DICOM file says of its image, read without trust.

pydicom finds the elements; their values are taken as bytes and read here, each with a bound on
its length. Only the elements in `_WANTED` are kept, and none of them says anything of a patient.
"""

import io
import logging
import math
import warnings
import zlib

import numpy as np
import pydicom.config
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import Tag

from cxr.imaging.errors import MAX_PIXELS, damaged, too_large

# pydicom warns of odd values by quoting them; nothing of a file may reach a log.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").disabled = True
warnings.filterwarnings("ignore", module=r"pydicom\.")

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"

_SYNTAX, _PIXELS = 0x00020010, 0x7FE00010
_WANTED = [
    Tag(keyword)
    for keyword in (
        "SOPClassUID",
        "DirectoryRecordSequence",
        "Modality",
        "PresentationIntentType",
        "ViewPosition",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "NumberOfFrames",
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "PixelPaddingValue",
        "PixelPaddingRangeLimit",
        "PixelSpacing",
        "ImagerPixelSpacing",
        "PixelAspectRatio",
        "WindowCenter",
        "WindowWidth",
        "VOILUTFunction",
        "RescaleIntercept",
        "RescaleSlope",
        "ModalityLUTSequence",
        "VOILUTSequence",
        "PresentationLUTShape",
        "PixelData",
    )
]
_LONGEST_TEXT = 1024  # bytes of a value that is a word or numbers
_LONGEST_SEQUENCE = 2**20
# An image's header has some hundred elements; each takes two reads or three.
_MAX_READS = 50_000
_MAX_INFLATED = 2 * MAX_PIXELS + 2**20


class Dicom:
    """The elements that matter of one file, or of one item of a sequence in it."""

    def __init__(self, elements: Dataset, syntax: str, little: bool = True, seen: bool = False):
        """seen: whether the file has pixels, be they cut off."""
        self._elements, self.syntax, self.little, self.seen = elements, syntax, little, seen

    def __contains__(self, keyword: str) -> bool:
        return keyword in self._elements

    def text(self, keyword: str) -> str:
        """The first of its values, in capitals; "" without one."""
        return self._texts(keyword)[0].upper()

    def numbers(self, keyword: str) -> list[float]:
        """A decimal or integer string's values; those that are no finite number are left out."""
        found = []
        for text in self._texts(keyword):
            try:
                number = float(text)
            except ValueError:
                continue
            if math.isfinite(number):
                found.append(number)
        return found

    def words(self, keyword: str, signed: bool = False) -> np.ndarray:
        """The 16-bit whole numbers of an element; none without one."""
        value = self.bytes(keyword, _LONGEST_SEQUENCE)
        kind = ("<" if self.little else ">") + ("i2" if signed else "u2")
        return np.frombuffer(value[: len(value) // 2 * 2], kind)

    def word(self, keyword: str, otherwise: int | None = None, signed: bool = False) -> int | None:
        """The first of the 16-bit whole numbers."""
        found = self.words(keyword, signed)
        return int(found[0]) if len(found) else otherwise

    def first_item(self, keyword: str) -> "Dicom | None":
        """The first item of a sequence; None without one."""
        element = self._elements.get_item(keyword)
        if element is None or len(self.bytes(keyword, None)) > _LONGEST_SEQUENCE:
            return None
        items = self._elements[keyword].value
        return Dicom(items[0], self.syntax, self.little) if items else None

    def bytes(self, keyword: str, longest: int | None = _LONGEST_TEXT) -> bytes:
        """The value as it stands in the file; b"" where it is absent, too long or no value."""
        element = self._elements.get_item(keyword)
        value = None if element is None else element.value
        if not isinstance(value, bytes) or (longest is not None and len(value) > longest):
            return b""
        return value

    def value_type(self, keyword: str) -> str:
        """Such as "OW"; "" where the file does not say."""
        element = self._elements.get_item(keyword)
        return (element.VR if element is not None else None) or ""

    def _texts(self, keyword: str) -> list[str]:
        text = self.bytes(keyword).decode("ascii", "replace")
        return [part.strip(" \0") for part in text.split("\\")]


class _Metered(io.BytesIO):
    """The bytes of a file, for so many reads: millions of empty elements would take minutes."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > _MAX_READS:
            raise damaged()
        return super().read(size)


def parse(data: bytes) -> Dicom:
    """The elements of a file that matter. Raises whatever pydicom stumbles over."""
    stream = _Metered(data)
    if data[128:132] == b"DICM":
        stream.seek(132)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag >> 16 != 2)
    syntax = Dicom(meta, "").text("TransferSyntaxUID") if _SYNTAX in meta else ""
    if syntax == DEFLATED:
        stream = _Metered(_inflated(stream.getvalue()[stream.tell() :]))
    little = syntax != BIG_ENDIAN
    if not syntax:
        little = data[stream.tell() :][:2] != b"\0\x08"
        syntax = IMPLICIT if little else BIG_ENDIAN
    seen: list[int] = []

    def after_pixels(tag: int, *_) -> bool:
        seen.append(tag)
        return tag > _PIXELS

    implicit = syntax == IMPLICIT
    elements = read_dataset(
        stream, implicit, little, stop_when=after_pixels, specific_tags=list(_WANTED)
    )
    return Dicom(elements, syntax, little, _PIXELS in seen)


def _inflated(packed: bytes) -> bytes:
    """Raises zlib.error where it is damaged, too_large where no image can be so long."""
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    unpacked = unpacker.decompress(packed, _MAX_INFLATED)
    if unpacker.unconsumed_tail:
        raise too_large()
    return unpacked
