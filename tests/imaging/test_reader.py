"""Reading images of 8 bits: each format and mode gives the right grey pixels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.image_files import GREY, NOISE, RGB, SHADES, as_grey, pixels_of
from support.images import encode

from cxr import imaging

# `cxr.imaging.reader` silences Pillow's warnings outside of pytest.
pytestmark = pytest.mark.filterwarnings("ignore:::PIL.Image", "ignore:::PIL.TiffImagePlugin")

# Lossless WebP needs options. WebP has no grey, so images for all formats are RGB.
LOSSLESS = (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True, "exact": True}), ("BMP", {}))


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


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_opaque_modes_read_alike(mode, kind):
    """Grey in one, two, three or four channels is the same image, without a warning."""
    image = imaging.read_image(encode(GREY.convert(mode), kind))
    np.testing.assert_allclose(image.pixels, as_grey(SHADES), atol=1e-7)
    assert image.warnings == ()


def test_palette_is_looked_up():
    """The numbers of a palette are not read as grey values."""
    image = Image.fromarray(255 - SHADES).copy()
    image.putpalette([255 - i // 3 for i in range(768)])
    assert image.mode == "P"
    np.testing.assert_allclose(pixels_of(image), as_grey(SHADES), atol=1e-7)


def test_transparent_palette_colour_is_black():
    """The transparent colour of a palette becomes black, with a warning."""
    image = Image.fromarray(np.where(SHADES > 127, 1, 0).astype(np.uint8)).copy()
    image.putpalette([200, 200, 200, 250, 250, 250])
    image = imaging.read_image(encode(image, transparency=1))
    expected = np.where(SHADES > 127, 0, 200)
    np.testing.assert_allclose(image.pixels, as_grey(expected), atol=1e-7)
    assert any("Transparent" in warning for warning in image.warnings)


def test_first_colour_of_a_palette_can_be_transparent():
    """The number 0 is a colour like any other: here light grey and transparent."""
    places = np.zeros((66, 64), np.uint8)
    places[:33] = 1
    image = Image.fromarray(places)
    image.putpalette([200, 200, 200, 250, 250, 250])
    image = imaging.read_image(encode(image, transparency=0))
    np.testing.assert_allclose(image.pixels, np.where(places, 250 / 255, 0), atol=1e-6)
    assert image.warnings == ("Transparent parts of this image are shown as black.",)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_become_black(mode):
    """White that is half transparent is grey, fully transparent white is black, with a warning."""
    image = Image.new(mode, (64, 66), (255,) * len(mode))
    alpha = np.full((66, 64), 255, np.uint8)
    alpha[:22], alpha[22:44] = 0, 128
    image.putalpha(Image.fromarray(alpha))
    image = imaging.read_image(encode(image))
    np.testing.assert_allclose(image.pixels, as_grey(alpha), atol=1e-7)
    assert any("Transparent" in warning for warning in image.warnings)


def test_one_bit():
    """An image of one bit is black and white."""
    image = Image.fromarray(SHADES > 127)
    assert image.mode == "1"
    np.testing.assert_array_equal(pixels_of(image), SHADES > 127)


def test_cmyk_jpeg():
    """A JPEG in printing colours (CMYK) is not inverted."""
    np.testing.assert_allclose(
        pixels_of(RGB.convert("CMYK"), "JPEG", quality=95), as_grey(SHADES), atol=0.03
    )


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize(
    ("colour", "rows", "is_coloured"),
    [
        ((100, 100, 105), 80, True),
        ((105, 100, 100), 80, True),
        ((100, 104, 100), 80, False),
        ((250, 20, 20), 1, False),
        ((250, 20, 20), 40, True),
    ],
)
def test_colour_gives_a_warning(mode, colour, rows, is_coloured):
    """An image whose channels differ by over 4 on average is read with a warning."""
    image = Image.new(mode, (80, 80), (90,) * 3 + (255,) * (mode == "RGBA"))
    image.paste(Image.new(mode, (80, rows), colour))
    warnings = imaging.read_image(encode(image)).warnings
    assert warnings == ("This image is in colour; a chest X-ray is grey.",) * is_coloured


@pytest.mark.parametrize("mode", ["La", "RGBa", "PA"])
def test_rare_modes_of_pillow_keep_their_transparency(mode):
    """Pillow's images may have transparency in other forms too."""
    image = Image.new("LA", (64, 64), (200, 255))
    image.paste(Image.new("LA", (64, 32), (200, 0)))
    source = image.convert("RGBA").convert("P").convert("PA") if mode == "PA" else image
    if mode != "PA":
        source = (image if mode == "La" else image.convert("RGBA")).convert(mode)
    found = imaging.read_image(source)
    assert not found.grey[:32].any()
    assert (found.grey[32:] == 200).all()
    assert found.warnings == ("Transparent parts of this image are shown as black.",)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(kind, orientation):
    """The EXIF orientation is applied once."""
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
    np.testing.assert_allclose(image.pixels, shown, atol=0.06)


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


def test_suffix_does_not_matter(tmp_path):
    """The format is told by the bytes of the file, not by its name."""
    path = tmp_path / "image.txt"
    path.write_bytes(encode(GREY, "TIFF"))
    np.testing.assert_array_equal(imaging.read_image(path).grey, SHADES)


def test_phone_jpeg_with_preview():
    """A phone's JPEG with a preview (MPO) is read as its first image."""
    data = encode(RGB, "MPO", save_all=True, append_images=[Image.new("RGB", (64, 64))])
    np.testing.assert_allclose(imaging.read_image(data).pixels, as_grey(SHADES), atol=0.06)


def test_nih_rgba_images_are_grey(nih_1024_folder):
    """NIH's RGBA images are read as the grey in each of their channels, without a warning."""
    rgba = [p for p in sorted(nih_1024_folder.glob("images/*.png")) if Image.open(p).mode == "RGBA"]
    assert len(rgba) == 4
    for path in rgba:
        image = imaging.read_image(path)
        red = np.asarray(Image.open(path).getchannel("R"))
        np.testing.assert_allclose(image.pixels, as_grey(red), atol=1e-7)
        assert image.warnings == ()


def test_real_images_are_read_without_warning(nih_1024_folder):
    """Full-size NIH images are read as 1024 x 1024 grey, without a warning."""
    for path in sorted(nih_1024_folder.glob("images/*.png")):
        image = imaging.read_image(path)
        assert image.pixels.shape == (1024, 1024)
        assert 0 <= image.pixels.min() < 0.2 < 0.6 < image.pixels.max() <= 1
        assert image.warnings == ()


def test_suffixes_cover_the_formats():
    """Every suffix listed is DICOM's or one that Pillow gives to an accepted format."""
    Image.init()
    kinds = {Image.EXTENSION[suffix] for suffix in imaging.SUFFIXES if suffix != ".dcm"}
    assert kinds == set(imaging.FORMATS)
    assert set(imaging.SUFFIXES) >= {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"}
    assert ".dcm" in imaging.SUFFIXES
    assert all(Path(f"image{suffix}").suffix == suffix for suffix in imaging.SUFFIXES)
