"""Image files with known pixels, and ways to damage them."""

import struct
import zlib

import numpy as np
from PIL import Image

from cxr import imaging
from support.images import encode

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")

# An image that looks different when turned or mirrored: 96 wide, 80 high, grey 0 to 255.
SHADES = np.linspace(0, 255, 80 * 96).astype(np.uint8).reshape(80, 96)
GREY = Image.fromarray(SHADES)
RGB = GREY.convert("RGB")
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (120, 110), dtype=np.uint8))


def pixels_of(image, kind="PNG", **options):
    return imaging.read_image(encode(image, kind, **options)).pixels


def as_grey(values):
    return np.asarray(values, np.float32) / np.float32(255)


def png(width, height, rows, depth=8, colour=0):
    """A PNG built by hand.

    rows: a big-endian array, or the compressed rows. depth: bits of a value of compressed rows.
    colour: PNG's colour type.
    """
    if isinstance(rows, np.ndarray):
        depth = 8 * rows.itemsize
        rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def chunk(kind, content):
    """A chunk of a PNG."""
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def claiming(kind, side):
    """A small file of the format whose header claims side x side pixels."""
    small = encode(GREY, kind)
    if kind == "PNG":
        return png(side, side, zlib.compress(bytes(99)))
    if kind == "JPEG":
        at = small.index(b"\xff\xc0") + 5
        return small[:at] + struct.pack(">HH", side, side) + small[at + 4 :]
    if kind == "BMP":
        return small[:18] + struct.pack("<ii", side, side) + small[26:]
    if kind == "TIFF":
        for tag, old in ((256, 96), (257, 80)):
            entry = struct.pack("<HHI", tag, 4, 1)
            assert small.count(entry + struct.pack("<I", old)) == 1
            small = small.replace(entry + struct.pack("<I", old), entry + struct.pack("<I", side))
        return small
    pixels = b"\x2f" + struct.pack("<I", (side - 1) | (side - 1) << 14) + bytes(41)
    chunk = b"WEBPVP8L" + struct.pack("<I", len(pixels)) + pixels
    return b"RIFF" + struct.pack("<I", len(chunk)) + chunk


def damage(data, rng):
    """The bytes with a few of them changed (mostly in the header), deleted, or cut off."""
    damaged = bytearray(data)
    kind = rng.random()
    if kind < 0.2:
        del damaged[rng.randrange(len(damaged)) :]
    elif kind < 0.4:
        start = rng.randrange(len(damaged))
        del damaged[start : start + rng.randint(1, 40)]
    else:
        end = len(damaged) if kind < 0.6 else min(len(damaged), 400)
        start = max(0, len(damaged) - 400) if kind > 0.8 else 0
        for _ in range(rng.randint(1, 8)):
            damaged[rng.randrange(min(start, end - 1), end)] = rng.choice([0, 1, 127, 128, 255])
    return bytes(damaged)
