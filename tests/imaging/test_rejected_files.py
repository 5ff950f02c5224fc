"""Files that cannot be read: each gets the error that fits, and never another exception."""

import io
import random
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image
from support import ROOT
from support.image_errors import raises_image_error
from support.image_files import (
    FORMATS,
    GREY,
    NOISE,
    RGB,
    SHADES,
    claiming,
    damage,
    pixels_of,
    png,
)
from support.images import encode

from cxr import imaging

# `cxr.imaging` silences the warnings of Pillow and pydicom outside of pytest.
pytestmark = pytest.mark.filterwarnings(
    "ignore:::PIL.Image", "ignore:::PIL.TiffImagePlugin", "ignore::UserWarning:pydicom"
)

NOT_IMAGES = {
    "text": b"Heart size is normal. No pleural effusion is seen.\n" * 4,
    "text that begins like a bitmap": b"BMI of the patient is 25 kg per square metre.\n" * 4,
    "gif": encode(GREY, "GIF"),
    "pdf": encode(RGB, "PDF"),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"><rect/></svg>',
    "web page": b"<!doctype html><html><body><img src='image.png'></body></html>",
    "text that begins like DICOM": b"\x08\0\x05\0CS\x0a\0" + b"No effusion is seen.\n" * 9,
    "zeros that begin like DICOM": b"\x08\0\x05\0\x0a\0\0\0" + bytes(200),
    "zip": b"PK\x03\x04" + bytes(200),
    "zeros": bytes(5000),
    "sound": b"RIFF\x24\0\0\0WAVEfmt " + bytes(30),
    "icon": encode(GREY, "ICO"),
}


@pytest.mark.parametrize("data", NOT_IMAGES.values(), ids=NOT_IMAGES)
def test_not_an_image(data):
    """Other kinds of files are rejected, and the message names the accepted formats."""
    with raises_image_error(
        "not_an_image", match=r"not an image.*PNG, JPEG, TIFF, WebP, BMP or DICOM"
    ):
        imaging.read_image(data)


CODERS = [
    *((kind, {}) for kind in FORMATS),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "tiff_deflate"}),
    ("TIFF", {"compression": "jpeg"}),
    ("TIFF", {"big_tiff": True}),
    ("JPEG", {"progressive": True}),
    ("WEBP", {"lossless": True}),
]


@pytest.mark.parametrize(
    "start", [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\x89PNG", b"\xff\xd8\xff"]
)
def test_beginning_of_an_image(start):
    """A file that only begins as an image is damaged, in either byte order of TIFF."""
    with raises_image_error("damaged"):
        imaging.read_image(start + bytes(60))


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9])
@pytest.mark.parametrize(("kind", "options"), CODERS)
def test_truncated(kind, options, share):
    """An image cut off in its header or pixels is rejected as cut off, in every format."""
    data = encode(NOISE, kind, **options)
    with raises_image_error("damaged", match="cut off or damaged"):
        imaging.read_image(data[: max(16, int(share * len(data)))])


@pytest.mark.parametrize(("kind", "options"), CODERS)
def test_no_cut_gives_other_pixels(kind, options):
    """Wherever a file is cut, it is rejected or no pixel was lost."""
    data = encode(NOISE, kind, **options)
    whole = imaging.read_image(data).pixels
    cuts = sorted({*range(1, len(data), len(data) // 60), *range(len(data) - 30, len(data))})
    rejected = 0
    for cut in cuts:
        try:
            pixels = imaging.read_image(data[:cut]).pixels
        except imaging.ImageError:
            rejected += 1
        else:
            np.testing.assert_array_equal(pixels, whole)
    assert rejected >= len(cuts) / 2


def test_damaged_middle():
    """A PNG with a hole in its compressed pixels is rejected."""
    data = bytearray(encode(NOISE))
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    with raises_image_error("damaged"):
        imaging.read_image(bytes(data))


def test_empty(tmp_path):
    """A source without bytes is an empty file, whatever its kind."""
    path = tmp_path / "image.png"
    path.touch()
    for source in (b"", path, io.BytesIO()):
        with raises_image_error("empty", match="empty"):
            imaging.read_image(source)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing.png", "^There is no file 'nothing.png'; check its name.$"),
        ("no/such/folder.png", "^There is no file 'folder.png'; check its name.$"),
        ("a\0b.png", r"^There is no file 'a\\x00b.png'; check its name.$"),
        ("folder", "^The file 'folder' could not be opened: Is a directory.$"),
        ("x" * 5000, "^The file 'x{5000}' could not be opened: File name too long.$"),
    ],
    ids=["missing", "no folder", "zero byte", "folder", "long"],
)
def test_missing(tmp_path, name, message):
    """The message names a file that does not exist or cannot exist, without its folders."""
    (tmp_path / "folder").mkdir()
    for source in (f"{tmp_path}/{name}", tmp_path / name):
        with raises_image_error("missing", match=message):
            imaging.read_image(source)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("size", [(63, 200), (200, 63), (1, 1)])
def test_too_small(size, kind):
    """An image with fewer than 64 pixels on one side is rejected; the message has its size."""
    with raises_image_error("too_small", match=f"{size[0]}x{size[1]} pixels.* at least 64 a side"):
        pixels_of(Image.new("L", size), kind)


def test_smallest_image():
    """64 x 64 pixels are enough."""
    assert pixels_of(Image.new("L", (64, 64))).shape == (64, 64)


@pytest.mark.parametrize("side", [10_001, 12_000, 14_000])
@pytest.mark.parametrize("kind", FORMATS)
def test_too_many_pixels(kind, side):
    """Over 100 megapixels are rejected from the header; these files have no pixels."""
    data = claiming(kind, side)
    assert len(data) < 20_000
    with raises_image_error("too_large", match="100 million"):
        imaging.read_image(data)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_a_hundred_megapixels_are_not_too_many(kind):
    """Exactly 100 megapixels pass the size check; the missing pixels are the next error."""
    with raises_image_error("damaged"):
        imaging.read_image(claiming(kind, 10_000))


def test_too_many_pixels_take_no_memory(tmp_path):
    """A whole PNG of 12,000 x 12,000 pixels is rejected before it is decoded (144 MB)."""
    packer = zlib.compressobj(1)
    rows = [packer.compress(bytes(12_001 * 1000)) for _ in range(12)]
    path = tmp_path / "bomb.png"
    path.write_bytes(png(12_000, 12_000, b"".join([*rows, packer.flush()])))
    assert path.stat().st_size < 1_000_000
    code = """if True:
        import os, sys
        from benchmarks.child import peak
        from cxr import imaging
        before = peak(os.getpid())
        try:
            imaging.read_image(sys.argv[1])
        except imaging.ImageError:
            print(peak(os.getpid()) - before)
    """
    command = [sys.executable, "-c", code, str(path)]
    grown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert float(grown) < 50, f"{grown} MB"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (MemoryError(), "too_large", "too large to be opened on this machine"),
        (Image.DecompressionBombError(), "too_large", "over 100 million pixels"),
        (SyntaxError(), "damaged", "cut off or damaged"),
    ],
)
def test_decoder_that_fails(monkeypatch, error, code, words):
    """Whatever Pillow raises while it decodes becomes the error that fits."""

    def load():
        raise error

    image = Image.new("L", (64, 64))
    monkeypatch.setattr(image, "load", load)
    with raises_image_error(code, match=words):
        imaging.read_image(image)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_animated(kind):
    """A file of several images is rejected: APNG, TIFF of two pages, animated WebP."""
    data = encode(RGB, kind, save_all=True, append_images=[RGB.rotate(180)])
    with raises_image_error("several_images", match="several images"):
        imaging.read_image(data)


def test_each_code_has_its_own_message(tmp_path):
    """Each error has a message of its own, one sentence on one line."""
    sources = {
        "missing": tmp_path / "image.png",
        "empty": b"",
        "not_an_image": NOT_IMAGES["gif"],
        "damaged": encode(NOISE)[:5000],
        "too_small": encode(Image.new("L", (9, 9))),
        "too_large": claiming("PNG", 14_000),
        "several_images": encode(RGB, "PNG", save_all=True, append_images=[RGB.rotate(9)]),
    }
    messages = set()
    for code, source in sources.items():
        with pytest.raises(imaging.ImageError) as caught:
            imaging.read_image(source)
        assert caught.value.code == code
        messages.add(str(caught.value))
    assert len(messages) == 7
    assert all(text[0].isupper() and text[-1] == "." and "\n" not in text for text in messages)


SEEDS = [
    ("PNG", GREY, {}),
    ("PNG", Image.fromarray(SHADES.astype(np.uint16) * 257), {}),
    ("PNG", GREY.convert("P"), {"transparency": 3}),
    ("PNG", GREY.convert("LA"), {}),
    ("JPEG", RGB, {}),
    ("JPEG", RGB.convert("CMYK"), {"progressive": True}),
    ("TIFF", GREY, {}),
    ("TIFF", Image.fromarray(SHADES.astype(np.uint16)), {"compression": "tiff_lzw"}),
    ("TIFF", Image.fromarray(SHADES.astype(np.float32)), {}),
    ("TIFF", Image.fromarray(SHADES > 99), {"compression": "group4"}),
    ("TIFF", RGB, {"compression": "jpeg"}),
    ("TIFF", GREY, {"save_all": True, "append_images": [GREY]}),
    ("WEBP", RGB, {}),
    ("WEBP", RGB, {"save_all": True, "append_images": [RGB.rotate(9)]}),
    ("BMP", GREY, {}),
    ("BMP", RGB, {}),
]


@pytest.mark.parametrize(("kind", "image", "options"), SEEDS)
def test_damaged_files(kind, image, options):
    """Whatever is damaged in a file, it gives pixels from 0 to 1 or an ImageError."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "an image"
    if kind != "BMP":
        options = {"exif": exif, **options}
    data = encode(image, kind, **options)
    rng = random.Random(0)
    rejected = 0
    for _ in range(250):
        try:
            image = imaging.read_image(damage(data, rng))
        except imaging.ImageError:
            rejected += 1
            continue
        assert image.pixels.dtype == np.float32
        assert image.pixels.ndim == 2
        assert image.pixels.min() >= 0
        assert image.pixels.max() <= 1
    assert 25 < rejected <= 250


def test_damaged_nih_image(nih_folder):
    """The same holds for an image of the NIH release."""
    data = next(iter(sorted(nih_folder.glob("images/*.png")))).read_bytes()
    rng = random.Random(1)
    for _ in range(100):
        try:
            pixels = imaging.read_image(damage(data, rng)).pixels
        except imaging.ImageError:
            continue
        assert 0 <= pixels.min() <= pixels.max() <= 1
