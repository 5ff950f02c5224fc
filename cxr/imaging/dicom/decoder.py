"""Decodes one compressed DICOM frame in a process of its own, which a hostile frame may crash.

stdin: a line of JSON, {"codec": name, "shape": [rows, columns], "bytes": bytes of a pixel,
"bits": bits of the value, "memory": limit in bytes}, then the frame.
stdout: the pixels, little endian.
The exit status is 0 only if all pixels were decoded.
"""

import json
import struct
import sys
from typing import Any

import numpy as np

JPEG, JPEG_LS, JPEG_2000, RLE = "jpeg", "jpeg-ls", "jpeg-2000", "rle"

# The markers that state a frame's size: SIZ of JPEG 2000; SOF0 to SOF3 of JPEG, SOF55 of JPEG-LS.
_SIZE, _FRAMES = b"\xff\x4f\xff\x51", (0xC0, 0xC1, 0xC2, 0xC3, 0xF7)


def main() -> None:
    """Decodes stdin to stdout; any exception ends the process."""
    request = json.loads(sys.stdin.buffer.readline())
    packed = sys.stdin.buffer.read()
    _limit(request["memory"])
    pixels = decode(request["codec"], packed, tuple(request["shape"]), request["bytes"])
    pixels = _clipped(pixels, request["bits"])
    sys.stdout.buffer.write(pixels.astype(f"<i{request['bytes']}", copy=False).tobytes())


def decode(codec: str, packed: bytes, shape: tuple[int, int], size: int) -> np.ndarray:
    """Decodes a frame.

    Args:
        codec: One of JPEG, JPEG_LS, JPEG_2000 and RLE.
        packed: The frame.
        shape: Rows and columns that the header states.
        size: Bytes of a pixel that the header states.

    Returns:
        Integers [rows, columns] of at most `size` bytes.

    Raises:
        ValueError: The frame has another shape or depth, or is cut off.
        Exception: What the decoders raise.
    """
    import imagecodecs

    if codec != RLE and _stated_shape(codec, packed) != shape:
        raise ValueError("another shape")
    if codec == RLE:
        pixels = _run_lengths(packed, shape, size)
    elif codec == JPEG:
        # The decoder would fill in missing pixels.
        if b"\xff\xd9" not in packed[-64:]:
            raise ValueError("no end")
        pixels = imagecodecs.jpeg8_decode(packed)
    elif codec == JPEG_LS:
        pixels = imagecodecs.jpegls_decode(packed)
    else:
        pixels = imagecodecs.jpeg2k_decode(packed)
    if pixels.shape != shape or pixels.dtype.kind not in "iu" or pixels.itemsize > size:
        raise ValueError("another image than the header says")
    return pixels


def _stated_shape(codec: str, packed: bytes) -> tuple[int, int] | None:
    """Returns the rows and columns that the frame states.

    Decoders can take minutes on a false size, so it is compared with the header's first.
    """
    if codec == JPEG_2000:
        at = packed.find(_SIZE)
        right, lower, left, upper = struct.unpack_from(">4I", packed, at + 8)
        return None if at < 0 else (lower - upper, right - left)
    at = 2
    while packed[at] == 0xFF:
        kind, length = struct.unpack_from(">xBH", packed, at)
        if kind in _FRAMES:
            return struct.unpack_from(">2H", packed, at + 5)
        at += 2 + length
    return None


def _run_lengths(packed: bytes, shape: tuple[int, int], size: int) -> np.ndarray:
    """Decodes DICOM's RLE: a table of segments, then one segment for each byte, highest first."""
    import imagecodecs

    table = np.frombuffer(packed[:64], "<u4")
    if table[0] != size:
        raise ValueError("another number of segments")
    n = shape[0] * shape[1]
    pixels = np.empty((n, size), np.uint8)
    ends: list[Any] = [*table[2 : size + 1], len(packed)]
    for byte, (start, end) in enumerate(zip(table[1 : size + 1], ends, strict=True)):
        # A byte of padding at the end of a segment may decode to surplus pixels.
        segment = imagecodecs.packbits_decode(packed[start:end], out=n + 128)
        if len(segment) < n:
            raise ValueError("cut off")
        pixels[:, size - 1 - byte] = np.frombuffer(segment, np.uint8, n)
    return pixels.view(f"<u{size}").reshape(shape)


def _clipped(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Clips to `bits`: lossy codecs overshoot, and the highest value must not become the lowest."""
    if bits >= 8 * pixels.itemsize:
        return pixels
    if pixels.dtype.kind == "i":
        return np.clip(pixels, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return np.minimum(pixels, pixels.dtype.type(2**bits - 1))


def _limit(memory: int) -> None:
    """Limits the address space, in bytes, where the system supports it."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
