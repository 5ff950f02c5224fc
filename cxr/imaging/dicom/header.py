"""Parses the header of a DICOM file that may be hostile.

pydicom finds the elements. Their values are taken as bytes and interpreted here, each with a limit
on its length, because pydicom's own conversion raises many kinds of errors, quotes values in
warnings and has no limits. Only the elements in `_WANTED` are kept; none is about the patient.
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

# pydicom quotes odd values in warnings; nothing from a file may reach a log.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").disabled = True
warnings.filterwarnings("ignore", module=r"pydicom\.")

# Transfer syntaxes of uncompressed pixels.
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"

_SYNTAX, _PIXEL_DATA = 0x00020010, 0x7FE00010
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
_MAX_TEXT = 1024  # bytes of a text or number
_MAX_SEQUENCE = 2**20  # bytes of a sequence or a LUT
_MAX_READS = 50_000  # a header has some hundred elements, of two or three reads each
_MAX_INFLATED = 2 * MAX_PIXELS + 2**20  # bytes


class Header:
    """The needed elements of a file, or of one item of a sequence in it."""

    def __init__(
        self, elements: Dataset, syntax: str, little_endian: bool = True, pixels_begin: bool = False
    ):
        """Wraps parsed elements.

        Args:
            elements: What pydicom found, values unconverted.
            syntax: The transfer syntax.
            little_endian: The byte order of numbers.
            pixels_begin: Whether the element of the pixels begins, even if it is cut off.
        """
        self._elements = elements
        self.syntax = syntax
        self.little_endian = little_endian
        self.pixels_begin = pixels_begin

    def __contains__(self, keyword: str) -> bool:
        return keyword in self._elements

    def text(self, keyword: str) -> str:
        """Returns the first value of a text element in capitals, or ""."""
        return self._texts(keyword)[0].upper()

    def numbers(self, keyword: str) -> list[float]:
        """Returns the values of a decimal or integer string that are finite numbers."""
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
        """Returns the 16-bit integers of an element, empty without one."""
        value = self.bytes(keyword, _MAX_SEQUENCE)
        kind = ("<" if self.little_endian else ">") + ("i2" if signed else "u2")
        return np.frombuffer(value[: len(value) // 2 * 2], kind)

    def word(self, keyword: str, signed: bool = False) -> int | None:
        """Returns the first 16-bit integer of an element."""
        found = self.words(keyword, signed)
        return int(found[0]) if len(found) else None

    def first_item(self, keyword: str) -> "Header | None":
        """Returns the first item of a sequence."""
        element = self._elements.get_item(keyword)
        if element is None or len(self.bytes(keyword, None)) > _MAX_SEQUENCE:
            return None
        items = self._elements[keyword].value
        return Header(items[0], self.syntax, self.little_endian) if items else None

    def bytes(self, keyword: str, longest: int | None = _MAX_TEXT) -> bytes:
        """Returns the value as stored, or b"" where it is absent or longer than `longest`."""
        element = self._elements.get_item(keyword)
        value = None if element is None else element.value
        if not isinstance(value, bytes) or (longest is not None and len(value) > longest):
            return b""
        return value

    def value_type(self, keyword: str) -> str:
        """Returns the value representation, such as "OW", or "" where the file does not say."""
        element = self._elements.get_item(keyword)
        return (element.VR if element is not None else None) or ""

    def _texts(self, keyword: str) -> list[str]:
        text = self.bytes(keyword).decode("ascii", "replace")
        return [part.strip(" \0") for part in text.split("\\")]


class _LimitedReads(io.BytesIO):
    """Bytes that can be read from a limited number of times.

    Parsing a file of millions of empty elements would take minutes.
    """

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > _MAX_READS:
            raise damaged()
        return super().read(size)


def parse(data: bytes) -> Header:
    """Parses the elements of a file that are needed.

    Raises:
        ImageError: "damaged" or "too_large".
        Exception: Whatever pydicom raises on a damaged file.
    """
    stream = _LimitedReads(data)
    if data[128:132] == b"DICM":
        stream.seek(132)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag >> 16 != 2)
    syntax = Header(meta, "").text("TransferSyntaxUID") if _SYNTAX in meta else ""
    if syntax == DEFLATED:
        stream = _LimitedReads(_inflate(stream.getvalue()[stream.tell() :]))
    little_endian = syntax != BIG_ENDIAN
    if not syntax:
        little_endian = data[stream.tell() :][:2] != b"\0\x08"
        syntax = IMPLICIT if little_endian else BIG_ENDIAN
    seen: list[int] = []

    def is_after_pixels(tag: int, *_) -> bool:
        seen.append(tag)
        return tag > _PIXEL_DATA

    elements = read_dataset(
        stream,
        syntax == IMPLICIT,
        little_endian,
        stop_when=is_after_pixels,
        specific_tags=list(_WANTED),
    )
    return Header(elements, syntax, little_endian, _PIXEL_DATA in seen)


def _inflate(packed: bytes) -> bytes:
    """Raises zlib.error for damage, ImageError "too_large" for more bytes than an image has."""
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    unpacked = unpacker.decompress(packed, _MAX_INFLATED)
    if unpacker.unconsumed_tail:
        raise too_large()
    return unpacked
