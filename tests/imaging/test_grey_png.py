"""Grey PNG decoded past Pillow: the same pixels, and Pillow for everything else."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from support.image_errors import raises_image_error

from cxr import imaging
from cxr.imaging import grey_png

RNG = np.random.default_rng(0)
GREY = np.clip(RNG.normal(128, 50, (96, 130)), 0, 255).astype(np.uint8)


def encode(picture: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


def part(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def with_filter(number: int) -> bytes:
    """A grey PNG whose every row is written with one of PNG's five filters."""
    header = struct.pack(">IIBBBBB", 130, 96, 8, 0, 0, 0, 0)
    rows = bytearray()
    above = np.zeros(130, int)
    for row in GREY.astype(int):
        left, corner = np.append(0, row[:-1]), np.append(0, above[:-1])
        guess = left + above - corner
        away = np.abs(guess - np.stack([left, above, corner]))
        nearest = np.choose(away.argmin(0), [left, above, corner])
        taken = [0 * row, left, above, (left + above) // 2, nearest][number]
        rows += bytes([number]) + ((row - taken) % 256).astype(np.uint8).tobytes()
        above = row
    parts = (part(b"IHDR", header), part(b"IDAT", zlib.compress(bytes(rows))), part(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_images_are_decoded_as_by_pillow(nih_1024_folder):
    """Images of NIH at full size, grey and in colours: not one pixel of those decoded differs."""
    images = [path.read_bytes() for path in (nih_1024_folder / "images").iterdir()]
    found = [(image, decoded) for image in images if (decoded := grey_png.decode(image))]
    assert len(found) > 0.9 * len(images)  # one has a text, which may turn it
    assert {decoded.mode for _, decoded in found} == {"L", "RGBA"}
    for image, decoded in found:
        picture = Image.open(io.BytesIO(image))
        assert decoded.mode == picture.mode
        assert np.array_equal(decoded.grey, np.asarray(picture.convert("L")))


@pytest.mark.parametrize("number", range(5))
def test_each_filter_is_undone(number):
    """All five ways to write a row."""
    assert np.array_equal(grey_png.decode(with_filter(number)).grey, GREY)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_grey_saved_as_colours_is_decoded(mode):
    """An image that was saved as colours, and still is grey."""
    decoded = grey_png.decode(encode(Image.fromarray(GREY).convert(mode)))
    assert decoded.mode == mode
    assert np.array_equal(decoded.grey, GREY)


def painted(mode: str, channel: int) -> bytes:
    """A grey image in colours, one value of one pixel of which differs from the others."""
    pixels = np.array(Image.fromarray(GREY).convert(mode))
    pixels[50, 60, channel] ^= 1
    return encode(Image.fromarray(pixels))


OTHERS = {
    "red in one place": painted("RGB", 0),
    "green in one place": painted("RGB", 1),
    "blue in one place": painted("RGBA", 2),
    "see-through in one place": painted("RGBA", 3),
    "alpha": encode(Image.fromarray(GREY).convert("LA")),
    "palette": encode(Image.fromarray(GREY).convert("P")),
    "1 bit": encode(Image.fromarray(GREY).convert("1")),
    "16 bits": encode(Image.fromarray(GREY.astype(np.uint16) * 257)),
    "several images": encode(
        Image.fromarray(GREY), save_all=True, append_images=[Image.fromarray(255 - GREY)]
    ),
    "turned by EXIF": encode(Image.fromarray(GREY), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"),
    "large": encode(Image.new("L", (2049, 2048))),
    "large in colours": encode(Image.new("RGBA", (1025, 1024))),
    "cut off": encode(Image.fromarray(GREY))[:-20],
    "of another kind": b"\xff\xd8\xff" + bytes(100),
    "a signature alone": b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_files_are_left_to_pillow(kind):
    """Nothing is decoded that Pillow might see otherwise."""
    assert grey_png.decode(OTHERS[kind]) is None


def test_damaged_part_is_left_to_pillow():
    """A byte that was changed on the way is known by its part's checksum."""
    data = bytearray(encode(Image.fromarray(GREY)))
    data[len(data) // 2] ^= 255
    assert grey_png.decode(bytes(data)) is None


def test_orientation_in_a_text_still_turns_the_image():
    """A text can hold EXIF: the image comes out as Pillow turns it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    info = PngImagePlugin.PngInfo()
    hexed = exif.tobytes().hex()
    info.add_text("Raw profile type exif", f"\nexif\n{len(hexed) // 2:8d}\n{hexed}\n")
    image = imaging.read_image(encode(Image.fromarray(GREY), pnginfo=info))
    assert image.grey.shape == GREY.shape[::-1]


def test_small_image_is_rejected_all_the_same():
    """The limits hold whoever decodes."""
    with raises_image_error("too_small"):
        imaging.read_image(encode(Image.fromarray(GREY[:40, :40])))
