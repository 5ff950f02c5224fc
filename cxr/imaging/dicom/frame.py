"""The stored values of a DICOM image, decoded where they are compressed.

Native decoders are where hostile files do harm, so they run in a program of their own
(`decoder`), which may take only so much time and memory. It costs a start of Python, 0.15 s.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from pydicom.encaps import generate_fragments

from cxr.imaging.dicom import decoder
from cxr.imaging.dicom.accepted import Layout
from cxr.imaging.dicom.file import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, Dicom
from cxr.imaging.errors import ImageError, damaged

_NATIVE = (IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN)
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


def stored(dicom: Dicom, layout: Layout) -> np.ndarray:
    """The bits that hold a value, as unsigned numbers [rows, columns].

    Raises a ImageError: "unreadable_encoding" for an unknown transfer syntax, "damaged" for damage.
    """
    if dicom.syntax in _NATIVE:
        pixels = _native(dicom, layout)
    elif dicom.syntax in _CODECS:
        pixels = _decoded(dicom, layout)
    else:
        raise ImageError(
            "unreadable_encoding",
            "This DICOM file is compressed in a way (its transfer syntax) that cannot be read; "
            "save it uncompressed, or as PNG.",
        )
    if layout.bits == 8 * layout.bytes:
        return pixels
    return (pixels >> layout.shift) & (2**layout.bits - 1)


def _native(dicom: Dicom, layout: Layout) -> np.ndarray:
    value = dicom.bytes("PixelData", None)
    n = layout.rows * layout.columns
    if len(value) < n * layout.bytes:
        raise damaged()
    order = "<" if dicom.little else ">"
    if layout.bytes == 1 and not dicom.little and dicom.value_type("PixelData") == "OW":
        # Two pixels in each 16-bit word, the first in its lower half.
        value = np.frombuffer(value[: len(value) // 2 * 2], ">u2").astype("<u2").tobytes()
    pixels = np.frombuffer(value, f"{order}u{layout.bytes}", n)
    return pixels.reshape(layout.rows, layout.columns).astype(f"u{layout.bytes}", copy=False)


def _decoded(dicom: Dicom, layout: Layout) -> np.ndarray:
    # The first item is a table of offsets; the others hold the image, in one piece or in several.
    _, *pieces = generate_fragments(dicom.bytes("PixelData", None))
    packed = b"".join(pieces)
    n = layout.rows * layout.columns
    asked = {
        "codec": _CODECS[dicom.syntax],
        "shape": [layout.rows, layout.columns],
        "bytes": layout.bytes,
        "bits": layout.bits if dicom.syntax in _LOSSY and not layout.shift else 8 * layout.bytes,
        "memory": 2**29 + 24 * n,
    }
    try:
        done = subprocess.run(
            # -P: the decoder's own folder is no place to look for modules.
            [sys.executable, "-P", str(Path(decoder.__file__))],
            input=json.dumps(asked).encode() + b"\n" + packed,
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
