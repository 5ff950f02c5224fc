"""Reading images of more than 8 bits: 16-bit integers, 32-bit integers and floats."""

import struct

import numpy as np
import pytest
from PIL import Image
from support.image_errors import raises_image_error
from support.image_files import SHADES, as_grey, pixels_of, png
from support.images import encode

from cxr import imaging

# `cxr.imaging.reader` silences Pillow's warnings outside of pytest.
pytestmark = pytest.mark.filterwarnings("ignore:::PIL.Image", "ignore:::PIL.TiffImagePlugin")


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_ramp_is_not_saturated(kind):
    """All 65,536 grey values of 16 bits are kept, and v is read as v / 65535."""
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    image = imaging.read_image(encode(values, kind))
    np.testing.assert_allclose(image.pixels, values / 65535, atol=1e-6)
    assert len(np.unique(image.pixels)) == 65536
    assert image.warnings == ()


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_few_bits_in_16(bits):
    """Values that use only some of the 16 bits are scaled to these bits, with a warning."""
    top = 2**bits - 1
    values = np.linspace(0, top, 80 * 96).astype(np.uint16).reshape(80, 96)
    image = imaging.read_image(encode(values))
    np.testing.assert_allclose(image.pixels, values / top, atol=1e-6)
    assert any(f"uses only {bits} bits" in warning for warning in image.warnings)


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_one_value_beyond_the_bits_takes_more_of_them(bits):
    """The value after the highest of these bits is no whiter than white."""
    values = np.zeros((80, 96), np.uint16)
    values[40:] = 2**bits
    pixels = imaging.read_image(encode(values)).pixels
    assert pixels[:40].max() == 0
    np.testing.assert_allclose(pixels[40:], 2**bits / (2 ** (bits + 2) - 1), atol=1e-6)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_16_bit_colour_png(channels):
    """PNGs of 16 bits a channel (grey with alpha, RGB, RGBA) are read to 8 bits or better."""
    values = np.linspace(0, 65535, 64 * 64).astype(">u2").reshape(64, 64)
    samples = np.repeat(values[..., None], channels, 2)
    if channels != 3:
        samples[..., -1] = 65535
    pixels = imaging.read_image(png(64, 64, samples, colour={2: 4, 3: 2, 4: 6}[channels])).pixels
    np.testing.assert_allclose(pixels, values / 65535, atol=1 / 255)


def test_exif_orientation_of_16_bits():
    """The EXIF orientation is applied to 16-bit images too."""
    exif = Image.Exif()
    exif[0x0112] = 6
    values = np.arange(80 * 96, dtype=np.uint16).reshape(80, 96) * 8
    expected = np.rot90(imaging.read_image(encode(values)).pixels, -1)
    np.testing.assert_array_equal(pixels_of(values, exif=exif), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_tiff_that_counts_from_white(dtype):
    """A TIFF whose zero is white is inverted, at every depth."""
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
    """32-bit values are scaled so that the darkest is 0 and the brightest 1, with a warning."""
    image = imaging.read_image(encode(SHADES.astype(dtype) * 1000 - 5000, "TIFF"))
    np.testing.assert_allclose(image.pixels, as_grey(SHADES), atol=1e-6)
    assert any("does not say" in warning for warning in image.warnings)


@pytest.mark.parametrize(
    ("low", "high", "warns"),
    [
        (0, 65535, ""),
        (0, 4095, "uses only 12 bits"),
        (0, 65536, "does not say"),
        (-1, 4095, "does not say"),
    ],
)
def test_32_bit_integers_may_hold_16_bits(low, high, warns):
    """32-bit integers that all fit into 16 bits are read as 16-bit ones."""
    values = np.full((70, 70), high, np.int32)
    values[0], values[1] = low, 1000
    image = imaging.read_image(encode(values, "TIFF"))
    assert image.pixels[1, 0] == pytest.approx((1000 - low) / (high - low), abs=1e-6)
    assert len(image.warnings) == bool(warns)
    assert warns in " ".join(image.warnings)


def test_largest_floats():
    """Floats whose difference is larger than the largest float still give 0 to 1."""
    values = np.zeros((64, 64), np.float32)
    values[0], values[1] = -3.4e38, 3.4e38
    pixels = pixels_of(values, "TIFF")
    assert (pixels[0, 0], pixels[2, 0], pixels[1, 0]) == (0, 0.5, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_float_that_is_no_number(value):
    """NaN and infinity are damage."""
    values = SHADES.astype(np.float32)
    values[3, 3] = value
    with raises_image_error("damaged"):
        pixels_of(values, "TIFF")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_blank_image(dtype):
    """A black image is read as zeros at every depth."""
    assert not pixels_of(np.zeros((70, 70), dtype), "TIFF").any()
