"""Reading an image: every kind of image file gives the right grey pixels or its own sentence."""

import io
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import ROOT
from support.image_errors import raises_image_error
from support.images import encode

from cxr import imaging

# Pillow's warnings on spoilt and large files; `radiograph` silences them outside of pytest.
pytestmark = pytest.mark.filterwarnings("ignore:::PIL.Image", "ignore:::PIL.TiffImagePlugin")

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
# Without loss WebP is told so; it knows no grey, so images for all formats are made RGB.
LOSSLESS = (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True, "exact": True}), ("BMP", {}))

# An image that looks the same neither turned nor mirrored: 96 wide, 80 high, grey 0 to 255.
SHADES = np.linspace(0, 255, 80 * 96).astype(np.uint8).reshape(80, 96)
GREY = Image.fromarray(SHADES)
RGB = GREY.convert("RGB")
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (120, 110), dtype=np.uint8))


def pixels_of(image, kind="PNG", **options):
    return imaging.read_image(encode(image, kind, **options)).pixels


def as_grey(values):
    return np.asarray(values, np.float32) / np.float32(255)


# What is read -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "options"), LOSSLESS)
def test_lossless_formats_are_exact(kind, options):
    """A grey value v of 8 bits is read as v / 255."""
    pixels = pixels_of(RGB, kind, **options)
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, as_grey(SHADES), atol=1e-7)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_are_close(kind):
    """A lossy image differs by its compression only."""
    np.testing.assert_allclose(pixels_of(RGB, kind, quality=95), as_grey(SHADES), atol=0.03)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_opaque_modes_read_alike(mode):
    """Grey kept in one, two, three or four channels is the same image, without a warning."""
    image = imaging.read_image(encode(GREY.convert(mode)))
    np.testing.assert_allclose(image.pixels, as_grey(SHADES), atol=1e-7)
    assert image.warnings == ()
    assert image.facts["mode"] == mode


def test_palette_is_looked_up():
    """A palette's numbers are not taken for shades."""
    image = Image.fromarray(255 - SHADES).copy()
    image.putpalette([255 - i // 3 for i in range(768)])
    assert image.mode == "P"
    np.testing.assert_allclose(pixels_of(image), as_grey(SHADES), atol=1e-7)


def test_transparent_palette_colour_is_black():
    """The see-through colour of a palette becomes black, and the reader is told."""
    image = Image.fromarray(np.where(SHADES > 127, 1, 0).astype(np.uint8)).copy()
    image.putpalette([200, 200, 200, 250, 250, 250])
    image = imaging.read_image(encode(image, transparency=1))
    expected = np.where(SHADES > 127, 0, 200)
    np.testing.assert_allclose(image.pixels, as_grey(expected), atol=1e-7)
    assert any("See-through" in warning for warning in image.warnings)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_black(mode):
    """A half see-through white is grey, a wholly see-through one black, and the reader is told."""
    image = Image.new(mode, (64, 66), (255,) * len(mode))
    alpha = np.full((66, 64), 255, np.uint8)
    alpha[:22], alpha[22:44] = 0, 128
    image.putalpha(Image.fromarray(alpha))
    image = imaging.read_image(encode(image))
    np.testing.assert_allclose(image.pixels, as_grey(alpha), atol=1e-7)
    assert any("See-through" in warning for warning in image.warnings)


def test_one_bit():
    """An image of one bit is read as black and white."""
    image = Image.fromarray(SHADES > 127)
    assert image.mode == "1"
    np.testing.assert_array_equal(pixels_of(image), SHADES > 127)


def test_cmyk_jpeg():
    """A JPEG in printing colours is read the right way round."""
    np.testing.assert_allclose(
        pixels_of(RGB.convert("CMYK"), "JPEG", quality=95), as_grey(SHADES), atol=0.03
    )


def test_colour_is_warned_of():
    """A coloured image is read, and the reader is told that it is no reader."""
    image = imaging.read_image(encode(Image.new("RGB", (80, 80), (200, 30, 30))))
    assert any("colour" in warning for warning in image.warnings)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_ramp_is_not_saturated(kind):
    """All 65,536 shades of 16 bits are told apart, and v is read as v / 65535."""
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    image = imaging.read_image(encode(values, kind))
    np.testing.assert_allclose(image.pixels, values / 65535, atol=1e-6)
    assert len(np.unique(image.pixels)) == 65536
    assert (image.facts["bits"], image.facts["bits_used"], image.warnings) == (16, 16, ())


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_few_bits_in_16(bits):
    """Shades that fill only the lower bits of 16 are stretched to white, with a warning."""
    top = 2**bits - 1
    values = np.linspace(0, top, 80 * 96).astype(np.uint16).reshape(80, 96)
    image = imaging.read_image(encode(values))
    np.testing.assert_allclose(image.pixels, values / top, atol=1e-6)
    assert image.facts["bits_used"] == bits
    assert any(f"only uses {bits} bits" in warning for warning in image.warnings)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_16_bit_colour_png(channels):
    """PNGs of 16 bits a channel (grey with alpha, RGB, RGBA) are read to 8 bits or better."""
    values = np.linspace(0, 65535, 64 * 64).astype(">u2").reshape(64, 64)
    samples = np.repeat(values[..., None], channels, 2)
    if channels != 3:
        samples[..., -1] = 65535
    pixels = imaging.read_image(png(64, 64, samples, {2: 4, 3: 2, 4: 6}[channels])).pixels
    np.testing.assert_allclose(pixels, values / 65535, atol=1 / 255)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_tiff_that_counts_from_white(dtype):
    """A TIFF whose zero is white is read the right way round at every depth."""
    values = SHADES.astype(dtype) * (257 if dtype == np.uint16 else 1)
    data = encode(values, "TIFF")
    tag = struct.pack("<HHI", 262, 3, 1)
    assert data.count(tag + struct.pack("<I", 1)) == 1
    turned = data.replace(tag + struct.pack("<I", 1), tag + struct.pack("<I", 0))
    np.testing.assert_allclose(
        imaging.read_image(turned).pixels, 1 - imaging.read_image(data).pixels, atol=1e-6
    )


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_32_bit_tiff_is_scaled_to_its_range(dtype):
    """32-bit values go from their darkest at 0 to their brightest at 1, with a warning."""
    image = imaging.read_image(encode(SHADES.astype(dtype) * 1000 - 5000, "TIFF"))
    np.testing.assert_allclose(image.pixels, as_grey(SHADES), atol=1e-6)
    assert any("does not say" in warning for warning in image.warnings)


def test_largest_floats():
    """Float values whose difference is past the largest float still give 0 to 1."""
    values = np.zeros((64, 64), np.float32)
    values[0], values[1] = -3.4e38, 3.4e38
    pixels = pixels_of(values, "TIFF")
    assert (pixels[0, 0], pixels[2, 0], pixels[1, 0]) == (0, 0.5, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_float_that_is_no_number(value):
    """Floats that are no numbers are damage, not an image."""
    values = SHADES.astype(np.float32)
    values[3, 3] = value
    with raises_image_error("damaged"):
        pixels_of(values, "TIFF")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_blank_image(dtype):
    """An image that is black all over is read as zeros at every depth."""
    assert not pixels_of(np.zeros((70, 70), dtype), "TIFF").any()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(kind, orientation):
    """An image is turned and mirrored as its EXIF says, once."""
    shown = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: np.transpose,
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).T,
        8: np.rot90,
    }[orientation](as_grey(SHADES))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = imaging.read_image(encode(RGB, kind, exif=exif))
    assert image.pixels.shape == shown.shape
    assert (image.facts["height"], image.facts["width"]) == shown.shape
    np.testing.assert_allclose(image.pixels, shown, atol=0.06)


def test_exif_orientation_of_16_bits():
    """The orientation counts for 16-bit images too."""
    exif = Image.Exif()
    exif[0x0112] = 6
    values = np.arange(80 * 96, dtype=np.uint16).reshape(80, 96) * 8
    expected = np.rot90(imaging.read_image(encode(values)).pixels, -1)
    np.testing.assert_array_equal(pixels_of(values, exif=exif), expected)


def test_sources_read_alike(tmp_path):
    """A path, its text, the bytes and an open file give the same image."""
    path = tmp_path / "image.png"
    path.write_bytes(encode(NOISE))
    with path.open("rb") as file:
        images = [
            imaging.read_image(source) for source in (path, str(path), path.read_bytes(), file)
        ]
    for image in images:
        np.testing.assert_array_equal(image.pixels, np.asarray(NOISE) * np.float32(1 / 255))
        assert image.facts == images[0].facts


@pytest.mark.parametrize("kind", FORMATS)
def test_facts(kind):
    """The facts tell the format, the size and the depth."""
    facts = imaging.read_image(encode(RGB, kind)).facts
    assert facts == {
        "format": kind,
        "mode": "RGB",
        "width": 96,
        "height": 80,
        "bits": 8,
        "bits_used": 8,
    }


def test_suffix_does_not_matter(tmp_path):
    """What a file is, its bytes say and not its name."""
    path = tmp_path / "image.txt"
    path.write_bytes(encode(GREY, "TIFF"))
    assert imaging.read_image(path).facts["format"] == "TIFF"


def test_phone_jpeg_with_preview():
    """Of a phone's JPEG with a preview behind it the first image is the image."""
    data = encode(RGB, "MPO", save_all=True, append_images=[Image.new("RGB", (64, 64))])
    np.testing.assert_allclose(imaging.read_image(data).pixels, as_grey(SHADES), atol=0.06)


def test_nih_rgban_images_are_their_grey_channel(nih_1024_folder):
    """NIH's RGBA images read like the grey that stands in each of their colours, unwarned."""
    rgba = [p for p in sorted(nih_1024_folder.glob("images/*.png")) if Image.open(p).mode == "RGBA"]
    assert len(rgba) == 4
    for path in rgba:
        image = imaging.read_image(path)
        red = np.asarray(Image.open(path).getchannel("R"))
        np.testing.assert_allclose(image.pixels, as_grey(red), atol=1e-7)
        assert image.warnings == ()


def test_real_images_are_read_without_warning(nih_1024_folder):
    """Full-size images of the release are read as 1024 x 1024 grey, and nothing looks odd."""
    for path in sorted(nih_1024_folder.glob("images/*.png")):
        image = imaging.read_image(path)
        assert image.pixels.shape == (1024, 1024)
        assert 0 <= image.pixels.min() < 0.2 < 0.6 < image.pixels.max() <= 1
        assert image.warnings == ()


# What is rejected --------------------------------------------------------------------------------

NOT_PICTURES = {
    "text": b"Heart size is normal. No pleural effusion is seen.\n" * 4,
    "text that begins like a bitmap": b"BMI of the patient is 25 kg per square metre.\n" * 4,
    "gif": encode(GREY, "GIF"),
    "pdf": encode(RGB, "PDF"),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"><rect/></svg>',
    "web page": b"<!doctype html><html><body><img src='image.png'></body></html>",
    "zip": b"PK\x03\x04" + bytes(200),
    "zeros": bytes(5000),
    "icon": encode(GREY, "ICO"),
}


@pytest.mark.parametrize("data", NOT_PICTURES.values(), ids=NOT_PICTURES)
def test_not_an_image(data):
    """Other kinds of files are rejected as such, with the formats that can be read."""
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


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9])
@pytest.mark.parametrize(("kind", "options"), CODERS)
def test_truncated(kind, options, share):
    """An image cut off in its header or in its pixels is called cut off, in every format."""
    data = encode(NOISE, kind, **options)
    with raises_image_error("damaged", match="cut off or damaged"):
        imaging.read_image(data[: max(16, int(share * len(data)))])


@pytest.mark.parametrize(("kind", "options"), CODERS)
def test_no_cut_gives_another_picture(kind, options):
    """Wherever an image is cut: it is rejected, or nothing of the image was lost."""
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
    """No bytes, from wherever, is an empty file."""
    path = tmp_path / "image.png"
    path.touch()
    for source in (b"", path, io.BytesIO()):
        with raises_image_error("empty", match="empty"):
            imaging.read_image(source)


@pytest.mark.parametrize("name", ["nothing.png", ".", "no/such/folder.png", "a\0b.png", "x" * 5000])
def test_missing(tmp_path, name):
    """A file that is not there, or no file at all, is named."""
    with raises_image_error("missing", match="file"):
        imaging.read_image(f"{tmp_path}/{name}")


@pytest.mark.parametrize("size", [(63, 200), (200, 63), (1, 1)])
def test_too_small(size):
    """An image under 64 pixels on either side is rejected, with its size."""
    with raises_image_error("too_small", match=f"{size[0]}x{size[1]}"):
        pixels_of(Image.new("L", size))


def test_smallest_image():
    """64 x 64 is an image."""
    assert pixels_of(Image.new("L", (64, 64))).shape == (64, 64)


def png(width, height, samples, colour=0):
    """A PNG by hand; samples: array of rows, big-endian, or the packed rows as they are."""

    def chunk(name, data):
        crc = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)

    bits, packed = 8, samples
    if isinstance(samples, np.ndarray):
        bits = 8 * samples.itemsize
        packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in samples))
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


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


@pytest.mark.parametrize("side", [10_001, 12_000, 14_000])
@pytest.mark.parametrize("kind", FORMATS)
def test_too_many_pixels(kind, side):
    """Over 100 megapixels are rejected by the header: the pixels behind it are not there."""
    data = claiming(kind, side)
    assert len(data) < 20_000
    with raises_image_error("too_large", match="100 million"):
        imaging.read_image(data)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_a_hundred_megapixels_are_not_too_many(kind):
    """Exactly 100 megapixels pass the check of the size; that the rest is missing comes next."""
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


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_animated(kind):
    """A file of several images is rejected: APNG, TIFF of two pages, animated WebP."""
    data = encode(RGB, kind, save_all=True, append_images=[RGB.rotate(180)])
    with raises_image_error("several_images", match="several images"):
        imaging.read_image(data)


def test_every_trouble_has_its_own_sentence(tmp_path):
    """The seven kinds of error say seven different things, each in one plain sentence."""
    sources = {
        "missing": tmp_path / "image.png",
        "empty": b"",
        "not_an_image": NOT_PICTURES["gif"],
        "damaged": encode(NOISE)[:5000],
        "too_small": encode(Image.new("L", (9, 9))),
        "too_large": claiming("PNG", 14_000),
        "several_images": encode(RGB, "PNG", save_all=True, append_images=[RGB.rotate(9)]),
    }
    sentences = set()
    for kind, source in sources.items():
        with pytest.raises(imaging.ImageError) as caught:
            imaging.read_image(source)
        assert caught.value.code == kind
        sentences.add(str(caught.value))
    assert len(sentences) == 7
    assert all(text[0].isupper() and text[-1] == "." and "\n" not in text for text in sentences)


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


def spoil(data, rng):
    """The bytes with a few of them changed (mostly in the header), cut out, or cut off."""
    spoilt = bytearray(data)
    kind = rng.random()
    if kind < 0.2:
        del spoilt[rng.randrange(len(spoilt)) :]
    elif kind < 0.4:
        start = rng.randrange(len(spoilt))
        del spoilt[start : start + rng.randint(1, 40)]
    else:
        end = len(spoilt) if kind < 0.6 else min(len(spoilt), 400)
        start = max(0, len(spoilt) - 400) if kind > 0.8 else 0
        for _ in range(rng.randint(1, 8)):
            spoilt[rng.randrange(min(start, end - 1), end)] = rng.choice([0, 1, 127, 128, 255])
    return bytes(spoilt)


@pytest.mark.parametrize(("kind", "image", "options"), SEEDS)
def test_spoilt_files(kind, image, options):
    """However a file is spoilt: it is an image with pixels 0..1 or a ImageError, no other."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "an image"
    if kind != "BMP":
        options = {"exif": exif, **options}
    data = encode(image, kind, **options)
    rng = random.Random(0)
    rejected = 0
    for _ in range(250):
        try:
            image = imaging.read_image(spoil(data, rng))
        except imaging.ImageError:
            rejected += 1
            continue
        assert image.pixels.dtype == np.float32
        assert image.pixels.shape == (image.facts["height"], image.facts["width"])
        assert image.pixels.min() >= 0
        assert image.pixels.max() <= 1
    assert 25 < rejected <= 250


def test_spoilt_real_image(nih_folder):
    """The same holds for an image as NIH's release encoded it."""
    data = next(iter(sorted(nih_folder.glob("images/*.png")))).read_bytes()
    rng = random.Random(1)
    for _ in range(100):
        try:
            pixels = imaging.read_image(spoil(data, rng)).pixels
        except imaging.ImageError:
            continue
        assert 0 <= pixels.min() <= pixels.max() <= 1


# Squeezing --------------------------------------------------------------------------------------


GREY_LEVEL = 1 / 255  # the network's input has 8 bits


def squeeze(pixels, size):
    return imaging.resize(imaging.GreyImage(pixels, {}), size)


@pytest.mark.parametrize("shape", [(64, 64), (100, 300), (999, 70), (1024, 1024)])
@pytest.mark.parametrize("size", [64, 224, 320])
def test_squeezed_shape(shape, size):
    """Whatever an image's shape, it becomes a square of the size asked for, float32."""
    small = squeeze(np.zeros(shape, np.float32), size)
    assert small.shape == (size, size)
    assert small.dtype == np.float32


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_constant_stays_constant(value):
    """Squeezing an image of one shade leaves the shade."""
    small = squeeze(np.full((517, 390), value, np.float32), 256)
    np.testing.assert_allclose(small, value, atol=GREY_LEVEL / 2)


def test_mean_is_kept():
    """Reducing looks at every pixel: the mean of pure noise stays."""
    image = np.random.default_rng(0).random((1000, 900), dtype=np.float32)
    assert squeeze(image, 200).mean() == pytest.approx(image.mean(), abs=1e-3)


def test_reducing_is_antialiased():
    """A grid finer than the new pixels becomes grey, not a pattern of its own."""
    image = np.zeros((1024, 1024), np.float32)
    image[:, ::2] = 1
    small = squeeze(image, 224)
    np.testing.assert_allclose(small[:, 2:-2], 0.5, atol=0.06)


def test_image_is_squeezed_not_cropped():
    """A wide image keeps its edges: both ends are seen, and the middle stays in the middle."""
    image = np.zeros((200, 600), np.float32)
    image[:, :60], image[:, 290:310], image[:, 540:] = 1, 0.5, 0.8
    small = squeeze(image, 100)
    assert (small[50, 0], small[50, 99]) == pytest.approx((1, 0.8))
    assert small[50, 49:51] == pytest.approx([0.5, 0.5], abs=0.1)
    assert not small[50, 15:40].any()


def test_squeeze_does_not_turn():
    """Rows stay rows and columns columns, the upper left stays there."""
    image = np.zeros((300, 200), np.float32)
    image[:30, 100:] = 1
    small = squeeze(image, 100)
    corners = [small[2, 25], small[2, 75], small[75, 25], small[75, 75]]
    assert corners == [0, 1, 0, 0]


def test_squeeze_of_a_view():
    """A turned or mirrored view of an array is squeezed like its copy."""
    image = np.random.default_rng(0).random((120, 90), dtype=np.float32)
    view = image[::-1].T
    np.testing.assert_array_equal(squeeze(view, 64), squeeze(view.copy(), 64))


def test_squeeze_to_own_size_changes_nothing():
    """An image of the right size is left as it is."""
    image = np.random.default_rng(0).random((96, 96), dtype=np.float32)
    np.testing.assert_allclose(squeeze(image, 96), image, atol=GREY_LEVEL / 2)


def test_suffixes_cover_the_formats():
    """Every suffix listed is DICOM's or one that Pillow gives to an accepted format."""
    Image.init()
    kinds = {Image.EXTENSION[suffix] for suffix in imaging.SUFFIXES if suffix != ".dcm"}
    assert kinds == set(imaging.FORMATS)
    assert all(Path(f"image{suffix}").suffix == suffix for suffix in imaging.SUFFIXES)
