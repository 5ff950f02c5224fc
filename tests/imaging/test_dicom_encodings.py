"""DICOM pixels: the stored values are exact in every transfer syntax and bit layout."""

import io
import struct

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from support import dicom_files
from support.dicom_files import (
    KINDS,
    LOSSLESS,
    LOSSY,
    NATIVE,
    SHAPE,
    image,
    saved,
    values,
    whole_window,
)
from support.image_errors import raises_image_error

from cxr import imaging
from cxr.imaging.dicom.signature import is_bare, looks_like

# `cxr.imaging.dicom` silences pydicom's warnings outside of pytest.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


@pytest.mark.parametrize(("kind", "bits"), KINDS)
@pytest.mark.parametrize("syntax", [*NATIVE, *LOSSLESS])
def test_pixels_come_back(syntax, kind, bits):
    """Lossless encodings return each pixel as written, signed or not."""
    pixels = values(kind, bits)
    found = imaging.read_image(image(pixels, syntax, bits, **whole_window(kind, bits)))
    expected = (pixels.astype(float) - pixels.min()) / (2**bits - 1)
    np.testing.assert_allclose(found.pixels, expected, atol=2e-7)
    assert found.warnings == ()
    assert (found.grey.dtype == np.uint8) == (bits == 8)


@pytest.mark.parametrize(
    ("syntax", "kind", "bits"),
    [
        ("jpeg baseline", "u1", 8),
        ("jpeg extended", "u2", 12),
        *((syntax, *kind) for syntax in ("jpeg-ls near", "jpeg 2000") for kind in KINDS[:4]),
    ],
)
def test_lossy_pixels_come_near(syntax, kind, bits):
    """Values that overshoot in a lossy codec do not wrap from the brightest to the darkest."""
    pixels = values(kind, bits)
    found = imaging.read_image(image(pixels, syntax, bits, **whole_window(kind, bits)))
    np.testing.assert_allclose(found.pixels, SHAPE, atol=LOSSY[syntax][1])


@pytest.mark.parametrize(
    ("syntax", "kind", "bits"),
    [("jpeg 2000", "u2", 12), ("jpeg 2000", "i2", 12), ("jpeg extended", "u2", 10)],
)
def test_white_of_a_lossy_frame_stays_white(syntax, kind, bits):
    """A frame may have more bits than the header states, and overshoot them."""
    squares = np.indices((96, 96)).sum(0) // 8 % 2
    lowest = -(2 ** (bits - 1)) if kind == "i2" else 0
    pixels = ((2**bits - 1) * squares + lowest).astype(kind)
    stated = {"BitsStored": bits, "HighBit": bits - 1, **whole_window(kind, bits)}
    found = imaging.read_image(image(pixels, syntax, **stated))
    np.testing.assert_allclose(found.pixels, squares, atol=0.1)


@pytest.mark.parametrize("name", ["RG1", "RG3"])
def test_radiographs_of_pydicom(name):
    """Real images (MONOCHROME1 with a window) have the pixels of pydicom's own functions, and their
    JPEG 2000 versions have the same pixels."""
    path = get_testdata_file(f"{name}_UNCR.dcm")
    data = pydicom.dcmread(path)
    shown = apply_voi_lut(apply_modality_lut(data.pixel_array, data), data)
    expected = 1 - shown / (2**data.BitsStored - 1)
    plain = imaging.read_image(path)
    np.testing.assert_allclose(plain.pixels, expected, atol=1e-3)
    lossless = imaging.read_image(get_testdata_file(f"{name}_J2KR.dcm"))
    np.testing.assert_array_equal(lossless.grey, plain.grey)
    lossy = imaging.read_image(get_testdata_file(f"{name}_J2KI.dcm"))
    assert np.abs(lossy.pixels - plain.pixels).mean() < 0.01


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("JPEG-LL.dcm", 16),
        ("JPGLosslessP14SV1_1s_1f_8b.dcm", 8),
        ("JPEG2000.dcm", 16),
        ("JPGExtended.dcm", 12),
        ("693_J2KI.dcm", 14),
    ],
)
def test_other_makers_files(name, bits):
    """Frames of other encoders are read: pydicom's samples, with the modality changed to DX."""
    data = pydicom.dcmread(get_testdata_file(name))
    data.Modality = "DX"
    found = imaging.read_image(saved(data))
    assert found.grey.shape == (data.Rows, data.Columns)
    assert (found.grey.dtype == np.uint8) == (bits == 8)
    assert found.grey.max() > 0


def test_image_in_pieces():
    """A compressed image may come in several fragments."""
    pixels = values("u2", 12)
    data = pydicom.dcmread(io.BytesIO(image(pixels, "jpeg-ls", 12, **whole_window("u2", 12))))
    packed = b"".join(list(pydicom.encaps.generate_fragments(data.PixelData))[1:])
    data.PixelData = pydicom.encaps.encapsulate([packed], fragments_per_frame=4)
    np.testing.assert_allclose(imaging.read_image(saved(data)).pixels, pixels / 4095, atol=1e-6)


def test_unused_bits_are_ignored():
    """Old files store overlays in the bits above the value."""
    pixels = values("u2", 12)
    marked = pixels | np.uint16(0x7000)
    found = imaging.read_image(image(marked, bits=12, **whole_window("u2", 12)))
    np.testing.assert_allclose(found.pixels, pixels / 4095, atol=1e-6)


def test_high_bit():
    """The value may be in the upper bits."""
    pixels = values("u2", 12)
    found = imaging.read_image(image(pixels << 4, bits=12, HighBit=15, **whole_window("u2", 12)))
    np.testing.assert_allclose(found.pixels, pixels / 4095, atol=1e-6)


def test_high_bit_of_a_lossy_frame():
    """Values in the upper bits are not cut to the number of bits."""
    pixels = values("u2", 12)
    tags = {"BitsStored": 12, "HighBit": 15, **whole_window("u2", 12)}
    found = imaging.read_image(image(pixels << 4, "jpeg 2000", **tags))
    np.testing.assert_allclose(found.pixels, SHAPE, atol=LOSSY["jpeg 2000"][1])


def test_padding_of_run_lengths_is_ignored():
    """Bytes at the end of an RLE segment may decode to surplus pixels."""
    pixels = values("u2", 12)
    halves = [imagecodecs.packbits_encode((pixels >> at).astype("u1")) for at in (8, 0)]
    first, second = (half + b"\0" * (2 + len(half) % 2) for half in halves)
    frame = struct.pack("<16I", 2, 64, 64 + len(first), *[0] * 13) + first + second
    data = pydicom.dcmread(io.BytesIO(image(pixels, "rle", 12, **whole_window("u2", 12))))
    data.PixelData = pydicom.encaps.encapsulate([frame])
    np.testing.assert_allclose(imaging.read_image(saved(data)).pixels, pixels / 4095, atol=1e-6)


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("syntax", [*LOSSLESS, *LOSSY])
def test_frame_that_is_cut_off(syntax, share):
    """A whole file with a part of a frame is damaged; no missing pixels are made up."""
    kind, bits = ("u1", 8) if syntax == "jpeg baseline" else ("u2", 12)
    data = pydicom.dcmread(io.BytesIO(image(values(kind, bits), syntax, bits)))
    packed = b"".join(list(pydicom.encaps.generate_fragments(data.PixelData))[1:])
    data.PixelData = pydicom.encaps.encapsulate([packed[: int(share * len(packed))]])
    with raises_image_error("damaged"):
        imaging.read_image(saved(data))


def test_bytes_in_words_of_big_endian():
    """Two pixels of 8 bits are in each word, the first in its lower half, unless they are OB."""
    pixels = values("u1", 8)
    plain = image(pixels, "big endian", **whole_window("u1", 8))
    data = pydicom.dcmread(io.BytesIO(plain))
    swapped = np.frombuffer(data.PixelData, "<u2").astype(">u2").tobytes()
    data["PixelData"].VR, data.PixelData = "OW", swapped
    for file in (plain, saved(data)):
        np.testing.assert_array_equal(imaging.read_image(file).grey, pixels)


@pytest.mark.parametrize(
    ("start", "answer"),
    [
        (b"\x02\0\0\0UL\4\0", True),
        (b"\x08\0\0\0UL\4\0", True),
        (b"\x08\0\5\0CS\x0a\0", True),
        (b"\x08\0\x12\0DA\x08\0", True),
        (b"\x08\0\x16\0UI\x1a\0", True),
        (b"\0\x08\0\x16UI\0\x1a", True),
        (b"\x08\0\5\0\x0a\0\0\0", True),
        (b"\x08\0\5\0\x0b\0\0\0", False),
        (b"\x08\0\5\0\x0a\0\1\0", False),
        (b"\x08\0\5\1\x0a\0\0\0", False),
        (b"\x10\0\5\0CS\x0a\0", False),
        (b"\x08\0\5\0CS\x0a", False),
        (b"\x08\0\5\0XY\x0a\0", False),
        (bytes(128) + b"DICM", False),
    ],
)
def test_start_without_preamble(start, answer):
    """Old files begin with a short element of group 0002 or 0008, in either encoding."""
    assert is_bare(start) == answer
    assert looks_like(start) == (answer or start.endswith(b"DICM"))


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big endian"])
def test_without_preamble(syntax):
    """Old files without the preamble are recognised by their first element."""
    pixels = values("u2", 12)
    data = pydicom.dcmread(io.BytesIO(image(pixels, syntax, 12, **whole_window("u2", 12))))
    bare = dicom_files.written(data, NATIVE[syntax], bare=True)
    assert is_bare(bare)
    np.testing.assert_allclose(imaging.read_image(bare).pixels, pixels / 4095, atol=1e-6)
