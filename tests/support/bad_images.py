"""Files that cannot be read as images, with a part of the error message of each."""

import zlib

import numpy as np
from PIL import Image

from support.images import encode


def bad_files() -> dict[str, tuple[bytes, str]]:
    """Each kind of bad file: {name: (content, part of the error message)}."""
    noise = np.random.default_rng(0).integers(0, 255, (80, 80), np.uint8)
    png = encode(noise)
    header = bytearray(png)
    header[16:24] = (14000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4, "big")
    frames = [Image.fromarray(noise), Image.fromarray(255 - noise)]
    return {
        "text.png": (b"hello, I am no image", "not an image"),
        "cut.png": (png[: len(png) // 2], "cut off"),
        "empty.png": (b"", "empty"),
        "small.png": (encode(noise[:40, :40]), "at least 64"),
        "huge.png": (bytes(header), "million pixels"),
        "moving.png": (encode(frames[0], save_all=True, append_images=frames[1:]), "several"),
    }
