"""The fast decoder for grey PNG: the same pixels as Pillow's, and nothing but plain grey PNG."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from support.image_errors import raises_image_error
from support.image_files import chunk, png
from support.images import encode

from cxr import imaging
from cxr.imaging import grey_png

RNG = np.random.default_rng(0)
GREY = np.clip(RNG.normal(128, 50, (96, 130)), 0, 255).astype(np.uint8)


def with_filter(number: int) -> bytes:
    """A grey PNG whose every row is written with one of PNG's five filters."""
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
    return png(130, 96, zlib.compress(bytes(rows)))


def test_images_are_decoded_as_by_pillow(nih_1024_folder):
    """Full-size NIH images, grey and RGBA, have exactly the pixels that Pillow decodes."""
    images = [path.read_bytes() for path in (nih_1024_folder / "images").iterdir()]
    modes = []
    for data in images:
        if (decoded := grey_png.decode(data)) is not None:
            image = Image.open(io.BytesIO(data))
            modes.append(image.mode)
            assert np.array_equal(decoded, np.asarray(image.convert("L")))
    assert len(modes) > 0.9 * len(images)  # one has a text, which may contain an orientation
    assert set(modes) == {"L", "RGBA"}


@pytest.mark.parametrize("number", range(5))
def test_each_filter_is_undone(number):
    """PNG has five filters for a row."""
    assert np.array_equal(grey_png.decode(with_filter(number)), GREY)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_grey_saved_as_colours_is_decoded(mode):
    """A grey image that was saved as RGB or RGBA is decoded."""
    decoded = grey_png.decode(encode(Image.fromarray(GREY).convert(mode)))
    assert np.array_equal(decoded, GREY)


def painted(mode: str, channel: int) -> bytes:
    """A grey image as RGB or RGBA, in which one channel of one pixel was changed."""
    pixels = np.array(Image.fromarray(GREY).convert(mode))
    pixels[50, 60, channel] ^= 1
    return encode(Image.fromarray(pixels))


OTHERS = {
    "red in one place": painted("RGB", 0),
    "green in one place": painted("RGB", 1),
    "blue in one place": painted("RGBA", 2),
    "transparent in one place": painted("RGBA", 3),
    "alpha": encode(Image.fromarray(GREY).convert("LA")),
    "palette": encode(Image.fromarray(GREY).convert("P")),
    "1 bit": encode(Image.fromarray(GREY).convert("1")),
    "16 bits": encode(Image.fromarray(GREY.astype(np.uint16) * 257)),
    "several images": encode(
        Image.fromarray(GREY), save_all=True, append_images=[Image.fromarray(255 - GREY)]
    ),
    "turned by EXIF": encode(Image.fromarray(GREY), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"),
    "large": encode(Image.new("L", (2049, 2048))),
    "large in colours": encode(Image.new("RGBA", (1025, 1024), (9, 9, 9, 255))),
    "cut off": encode(Image.fromarray(GREY))[:-20],
    "of another kind": b"\xff\xd8\xff" + bytes(100),
    "a signature alone": b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_files_are_left_to_pillow(kind):
    """Files that Pillow might read differently are not decoded."""
    assert grey_png.decode(OTHERS[kind]) is None


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"acTL", b"tRNS", b"abCd"])
def test_chunks_that_may_change_the_image_are_left_to_pillow(kind):
    """Texts may contain an orientation; other chunks are unknown."""
    data = png(130, 96, GREY)
    assert np.array_equal(grey_png.decode(data), GREY)
    assert grey_png.decode(data[:33] + chunk(kind, b"a\0b") + data[33:]) is None
    assert grey_png.decode(data[:-12] + chunk(kind, b"a\0b") + data[-12:]) is None


def test_damaged_chunk_is_left_to_pillow():
    """A changed byte is found by the checksum of its chunk."""
    data = bytearray(encode(Image.fromarray(GREY)))
    data[len(data) // 2] ^= 255
    assert grey_png.decode(bytes(data)) is None


def test_orientation_in_a_text_still_turns_the_image():
    """A text chunk can contain EXIF; its orientation is applied."""
    exif = Image.Exif()
    exif[0x0112] = 6
    info = PngImagePlugin.PngInfo()
    hexed = exif.tobytes().hex()
    info.add_text("Raw profile type exif", f"\nexif\n{len(hexed) // 2:8d}\n{hexed}\n")
    image = imaging.read_image(encode(Image.fromarray(GREY), pnginfo=info))
    assert image.grey.shape == GREY.shape[::-1]


def test_small_image_is_rejected():
    """The size limits hold for this decoder too."""
    with raises_image_error("too_small"):
        imaging.read_image(encode(Image.fromarray(GREY[:40, :40])))
