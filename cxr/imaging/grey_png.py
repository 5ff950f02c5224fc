"""A fast decoder for plain grey PNG files, the format of the NIH images.

It takes 40 % of Pillow's time. kornia_rs decodes; it is written in Rust, so a hostile file cannot
corrupt memory. RGB and RGBA files are decoded if they are grey and opaque, as a few of NIH's are.
All other files are left to Pillow: colours, transparency, 16 bits, damage (found by checksums).
"""

import struct

import kornia_rs
import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Bit depth, colour type, compression, filter, no interlacing -> kornia_rs's name, channels.
_PLAIN = {
    (8, 0, 0, 0, 0): ("mono", 1),
    (8, 2, 0, 0, 0): ("rgb", 3),
    (8, 6, 0, 0, 0): ("rgba", 4),
}
# Chunks that do not change the pixels as Pillow reads them. Others may turn the image (eXIf and
# texts) or add further images (acTL).
_HARMLESS = (
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
)
_MAX_SAMPLES = 2**22  # kornia_rs blocks all other Python threads while it decodes


def decode(data: bytes) -> np.ndarray | None:
    """Decodes a plain grey PNG.

    Args:
        data: The bytes of a file of any kind.

    Returns:
        uint8 [height, width], the same pixels as Pillow's, or None if Pillow must decode the file.
    """
    if not data.startswith(_SIGNATURE) or not _has_only_harmless_chunks(data):
        return None
    width, height, *form = struct.unpack(">IIBBBBB", data[16:29])
    name, channels = _PLAIN.get(tuple(form), ("", 0))
    if not 0 < width * height * channels <= _MAX_SAMPLES:
        return None
    try:
        pixels = kornia_rs.io.decode_image_png_u8(data, (height, width), name)
    except Exception:  # kornia_rs raises no other type
        return None
    return np.ascontiguousarray(pixels[..., 0]) if _is_grey(pixels) else None


def _is_grey(pixels: np.ndarray) -> bool:
    """Returns whether pixels [height, width, 1, 3 or 4] have equal colours and are opaque."""
    channels = pixels.shape[2]
    colours = range(1, min(channels, 3))
    if not all(np.array_equal(pixels[..., 0], pixels[..., k]) for k in colours):
        return False
    return channels < 4 or bool((pixels[..., 3] == 255).all())


def _has_only_harmless_chunks(data: bytes) -> bool:
    at, kind = len(_SIGNATURE), b"IHDR"
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        at += 12 + length
        if kind not in _HARMLESS:
            break
    return kind == b"IEND" and at <= len(data) and data[12:16] == b"IHDR"
