"""Gets the stored values of a DICOM image, and decodes them where they are compressed.

Hostile files attack native decoders, so these run in a separate process (`decoder`) with limits on
time and memory. Starting it costs 0.15 s.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from pydicom.encaps import generate_fragments

from cxr.imaging.dicom import decoder
from cxr.imaging.dicom.checks import Layout
from cxr.imaging.dicom.header import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, Header
from cxr.imaging.errors import ImageError, damaged

_UNCOMPRESSED = (IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN)
_LOSSY = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 81, 91))
_CODECS = {
    "1.2.840.10008.1.2.4.50": decoder.JPEG,  # baseline, 8 bits
    "1.2.840.10008.1.2.4.51": decoder.JPEG,  # extended, 8 and 12 bits
    "1.2.840.10008.1.2.4.57": decoder.JPEG,  # lossless, process 14
    "1.2.840.10008.1.2.4.70": decoder.JPEG,  # the same with selection value 1
    "1.2.840.10008.1.2.4.80": decoder.JPEG_LS,
    "1.2.840.10008.1.2.4.81": decoder.JPEG_LS,  # near-lossless
    "1.2.840.10008.1.2.4.90": decoder.JPEG_2000,  # lossless
    "1.2.840.10008.1.2.4.91": decoder.JPEG_2000,
    "1.2.840.10008.1.2.5": decoder.RLE,
}


def stored_values(header: Header, layout: Layout) -> np.ndarray:
    """Returns the bits of each value as unsigned numbers [rows, columns].

    Raises:
        ImageError: "unreadable_encoding" for an unknown transfer syntax, "damaged".
    """
    if header.syntax in _UNCOMPRESSED:
        pixels = _uncompressed(header, layout)
    elif header.syntax in _CODECS:
        pixels = _decoded(header, layout)
    else:
        raise ImageError(
            "unreadable_encoding",
            "This DICOM file is compressed in a way (its transfer syntax) that cannot be read; "
            "save it uncompressed, or as PNG.",
        )
    if layout.bits == 8 * layout.bytes:
        return pixels
    return (pixels >> layout.shift) & (2**layout.bits - 1)


def _uncompressed(header: Header, layout: Layout) -> np.ndarray:
    value = header.bytes("PixelData", None)
    n = layout.rows * layout.columns
    if len(value) < n * layout.bytes:
        raise damaged()
    order = "<" if header.little_endian else ">"
    if layout.bytes == 1 and not header.little_endian and header.value_type("PixelData") == "OW":
        # Two pixels are in each 16-bit word, the first in its lower half.
        value = np.frombuffer(value[: len(value) // 2 * 2], ">u2").astype("<u2").tobytes()
    pixels = np.frombuffer(value, f"{order}u{layout.bytes}", n)
    return pixels.reshape(layout.rows, layout.columns).astype(f"u{layout.bytes}", copy=False)


def _decoded(header: Header, layout: Layout) -> np.ndarray:
    # The first fragment is a table of offsets; the others are the image, in one or several pieces.
    _, *fragments = generate_fragments(header.bytes("PixelData", None))
    packed = b"".join(fragments)
    n = layout.rows * layout.columns
    is_clipped = header.syntax in _LOSSY and not layout.shift
    request = {
        "codec": _CODECS[header.syntax],
        "shape": [layout.rows, layout.columns],
        "bytes": layout.bytes,
        "bits": layout.bits if is_clipped else 8 * layout.bytes,
        "memory": 2**29 + 24 * n,
    }
    try:
        done = subprocess.run(
            # -P: modules are not searched for in the decoder's own folder.
            [sys.executable, "-P", str(Path(decoder.__file__))],
            input=json.dumps(request).encode() + b"\n" + packed,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            timeout=3 + len(packed) / 1e6 + n / 25e6,
            check=True,
        )
    except subprocess.SubprocessError as error:
        raise damaged() from error
    pixels = np.frombuffer(done.stdout, f"<u{layout.bytes}")
    return pixels.reshape(layout.rows, layout.columns)
