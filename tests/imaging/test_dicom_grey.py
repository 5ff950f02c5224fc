"""DICOM display: rescale, LUTs, windows, padding and inversion give the grey of the standard."""

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from support import ROOT
from support.dicom_files import DEEP, HEIGHT, SHAPE, WIDTH, image, table, values, whole_window

from cxr import imaging
from cxr.inference.predictor import Predictor
from cxr.model.resolve import Model

# `cxr.imaging.dicom` silences pydicom's warnings outside of pytest.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

# A window far wider than the values, so that only padding is black.
WIDE = {"WindowCenter": 0, "WindowWidth": 200_000, "VOILUTFunction": "LINEAR_EXACT"}


def ramp(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """Grey from 0 at `low` to 1 at `high`."""
    return np.clip((pixels.astype(float) - low) / (high - low), 0, 1)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"WindowCenter": 2000, "WindowWidth": 1001}, ramp(DEEP, 1499.5, 2499.5)),
        (
            {"WindowCenter": 2000, "WindowWidth": 1000, "VOILUTFunction": "LINEAR_EXACT"},
            ramp(DEEP, 1500, 2500),
        ),
        (
            {"WindowCenter": 2000, "WindowWidth": 1000, "VOILUTFunction": "SIGMOID"},
            1 / (1 + np.exp(-4 * (DEEP - 2000.0) / 1000)),
        ),
        ({"WindowCenter": [2000, 100], "WindowWidth": [1001, 10]}, ramp(DEEP, 1499.5, 2499.5)),
        (
            {
                "WindowCenter": 500,
                "WindowWidth": 1001,
                "RescaleSlope": "0.5",
                "RescaleIntercept": "-100",
            },
            ramp(DEEP * 0.5 - 100, -0.5, 999.5),
        ),
        (
            {
                "WindowCenter": -2000,
                "WindowWidth": 1001,
                "RescaleSlope": -1,
                "RescaleIntercept": 0,
            },
            ramp(-DEEP.astype(float), -2500.5, -1500.5),
        ),
        ({"WindowCenter": 2000, "WindowWidth": 0.5}, DEEP > 1999.5),
        (
            {"WindowCenter": 2000, "WindowWidth": 1001, "VOILUTFunction": "UNKNOWN"},
            ramp(DEEP, 1499.5, 2499.5),
        ),
    ],
    ids=[
        "linear",
        "exact",
        "sigmoid",
        "first of two",
        "rescale",
        "negative rescale",
        "under one",
        "unknown function",
    ],
)
@pytest.mark.parametrize("from_white", [False, True])
def test_window(tags, expected, from_white):
    """Rescale and window follow the formulas of the standard; MONOCHROME1 is inverted last."""
    if from_white:
        tags = {**tags, "PhotometricInterpretation": "MONOCHROME1"}
        expected = 1 - expected.astype(float)
    found = imaging.read_image(image(DEEP, bits=12, **tags))
    np.testing.assert_allclose(found.pixels, expected, atol=1e-6)
    assert found.warnings == ()


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big endian"])
def test_voi_lut(syntax):
    """A VOI LUT is used instead of a window; values beyond it get its first or last entry."""
    entries = np.rint(np.linspace(0, 1, 2000) ** 2 * 1023).astype(int)
    lut = table(1000, 10, entries)
    if syntax == "big endian":
        lut[0].LUTData = entries.astype(">u2").tobytes()
    found = imaging.read_image(
        image(DEEP, syntax, 12, VOILUTSequence=lut, WindowCenter=10, WindowWidth=2)
    )
    expected = entries[np.clip(DEEP.astype(int) - 1000, 0, 1999)] / 1023
    np.testing.assert_allclose(found.pixels, expected, atol=1e-6)


def test_voi_lut_of_negative_values():
    """A LUT that begins below zero fits unsigned pixels that the rescale makes negative."""
    entries = np.rint(np.linspace(0, 1, 2000) ** 2 * 1023).astype(int)
    tags = {"RescaleSlope": "1", "RescaleIntercept": "-2048"}
    found = imaging.read_image(
        image(DEEP, bits=12, VOILUTSequence=table(-1000, 10, entries), **tags)
    )
    expected = entries[np.clip(DEEP.astype(int) - 2048 + 1000, 0, 1999)] / 1023
    np.testing.assert_allclose(found.pixels, expected, atol=1e-6)
    assert found.warnings == ()


EIGHT_BIT = np.arange(4096) // 16
PACKED = EIGHT_BIT.astype(np.uint8).tobytes()


@pytest.mark.parametrize(
    ("bits", "entries", "data", "tags"),
    [
        (8, EIGHT_BIT, None, {}),
        (8, EIGHT_BIT, PACKED, {}),
        (10, np.arange(4096), None, {}),
        (12, np.arange(4096), None, {"RescaleSlope": "0.7", "RescaleIntercept": "0.3"}),
    ],
    ids=["8 bits", "two entries in a word", "fewer bits stated than used", "fractions"],
)
def test_voi_luts_of_all_kinds(bits, entries, data, tags):
    """LUTs that pydicom's own function reads wrongly, or not at all."""
    lut = table(0, bits, entries)
    if data:
        lut[0].LUTData = data
    found = imaging.read_image(image(DEEP, bits=12, VOILUTSequence=lut, **tags))
    values = DEEP * float(tags.get("RescaleSlope", 1)) + float(tags.get("RescaleIntercept", 0))
    expected = entries[np.rint(values).astype(int)] / (2 ** int(entries.max()).bit_length() - 1)
    np.testing.assert_allclose(found.pixels, expected, atol=1e-6)


def test_packed_lut_of_big_endian():
    """Of two 8-bit entries in a word the first is in the lower half, in either byte order."""
    lut = table(0, 8, EIGHT_BIT)
    lut[0].LUTData = np.frombuffer(PACKED, "<u2").astype(">u2").tobytes()
    found = imaging.read_image(image(DEEP, "big endian", 12, VOILUTSequence=lut))
    np.testing.assert_allclose(found.pixels, EIGHT_BIT[DEEP] / 255, atol=1e-6)


def test_lut_of_all_16_bits():
    """A descriptor cannot contain 65,536, so 0 means that."""
    lut = table(0, 16, np.arange(65536)[::-1])
    lut[0].LUTDescriptor = [0, 0, 16]
    pixels = values("u2", 16)
    found = imaging.read_image(image(pixels, VOILUTSequence=lut))
    np.testing.assert_allclose(found.pixels, 1 - pixels / 65535, atol=1e-6)


def test_modality_lut():
    """A modality LUT replaces the rescale, before the window."""
    entries = np.arange(4096)[::-1]
    tags = {"WindowCenter": 2000, "WindowWidth": 1001}
    found = imaging.read_image(
        image(DEEP, bits=12, ModalityLUTSequence=table(0, 16, entries), **tags)
    )
    np.testing.assert_allclose(found.pixels, ramp(4095.0 - DEEP, 1499.5, 2499.5), atol=1e-6)


@pytest.mark.parametrize("name", ["mlut_18.dcm", "vlut_04.dcm"])
def test_luts_of_pydicom(name):
    """Two samples with LUTs look as with pydicom's functions, up to a linear scale."""
    data = pydicom.dcmread(get_testdata_file(name))
    shown = apply_voi_lut(apply_modality_lut(data.pixel_array, data), data).astype(float)
    found = imaging.read_image(get_testdata_file(name)).pixels
    assert np.corrcoef(found.ravel(), shown.ravel())[0, 1] > 0.999


def test_padding_is_black_and_does_not_count():
    """Padding is black, in MONOCHROME1 too, and does not influence the brightness."""
    pixels = 1000 + DEEP // 4
    pixels[:20] = 4000
    tags = {"PhotometricInterpretation": "MONOCHROME1", "PixelPaddingValue": 4000}
    found = imaging.read_image(image(pixels, bits=12, **tags))
    assert not found.pixels[:20].any()
    inside = pixels[20:].astype(float)
    low, high = np.percentile(inside, [0.1, 99.9])
    np.testing.assert_allclose(found.pixels[20:], 1 - ramp(inside, low, high), atol=0.01)
    ranged = imaging.read_image(image(pixels, bits=12, PixelPaddingRangeLimit=4095, **tags))
    np.testing.assert_array_equal(ranged.grey, found.grey)


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
@pytest.mark.parametrize("bounds", [(-2000, -1500), (-1500, -2000), (-300, 200)])
def test_padding_range_of_signed_pixels_is_black(bounds, syntax, bits):
    """The pixels between the two bounds, whichever is lower, are black, and no others."""
    ramp = np.linspace(-2048, 2047, HEIGHT * WIDTH).astype(np.int16)
    pixels = ramp.reshape(HEIGHT, WIDTH)
    value, limit = bounds
    tags = {"PixelPaddingValue": value, "PixelPaddingRangeLimit": limit, **WIDE}
    found = imaging.read_image(image(pixels, syntax, bits, **tags))
    padding = (pixels >= min(bounds)) & (pixels <= max(bounds))
    np.testing.assert_array_equal(found.pixels == 0, padding)


@pytest.mark.parametrize(
    ("centre", "width", "said"),
    [
        (None, None, "no brightness settings"),
        (5, 0, "no brightness settings"),
        ("wide", "open", "no brightness settings"),
        ("nan", "inf", "no brightness settings"),
        (999999, 2, "would hide the image"),
    ],
)
def test_without_a_window_that_helps(centre, width, said):
    """The image is scaled by its own brightness, with a warning."""
    tags = {"WindowCenter": "111111", "WindowWidth": "222222"} if centre is not None else {}
    data = image(500 + DEEP // 3, bits=12, **tags)
    data = data.replace(b"111111", str(centre).ljust(6).encode())
    data = data.replace(b"222222", str(width).ljust(6).encode())
    found = imaging.read_image(data)
    assert said in " ".join(found.warnings)
    assert (found.pixels.min(), found.pixels.max()) == (0, 1)
    assert np.corrcoef(found.pixels.ravel(), SHAPE.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_eight_bits_without_a_window_are_unchanged(kind):
    """Pixels of 8 bits are usually made for a screen."""
    pixels = values("u1", 8) // 2 + 20
    found = imaging.read_image(image(pixels, PhotometricInterpretation=kind))
    np.testing.assert_array_equal(found.grey, pixels if kind == "MONOCHROME2" else 255 - pixels)
    assert found.warnings == (
        "This file has no brightness settings; its values were used unchanged.",
    )


def test_eight_bits_are_rounded():
    """Of 8 bits with a window the nearest of 256 grey values is kept."""
    tags = {"WindowCenter": 99.5, "WindowWidth": 149, "VOILUTFunction": "LINEAR_EXACT"}
    pixels = values("u1", 8)
    expected = np.rint(255 * ramp(pixels, 25, 174)).astype(np.uint8)
    np.testing.assert_array_equal(imaging.read_image(image(pixels, **tags)).grey, expected)


def test_darkest_and_brightest_thousandth_are_specks():
    """Without a window black is the percentile 0.1 and white 99.9, here of 0 to 9989."""
    pixels = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype("u2")
    found = imaging.read_image(image(pixels))
    np.testing.assert_allclose(found.pixels, ramp(pixels, 9.989, 9979.011), atol=1e-6)


def test_image_that_is_flat_itself_is_left_to_its_window():
    """Where the image has no contrast, no window hides it."""
    found = imaging.read_image(image(DEEP * 0 + 3000, bits=12, **whole_window("u2", 12)))
    np.testing.assert_allclose(found.pixels, 3000 / 4095, atol=1e-6)
    assert found.warnings == ()


@pytest.mark.parametrize("times", [20, 100])
def test_window_that_hides_the_image(times):
    """A window that leaves less than a 64th of the contrast is not used, and a warning says so."""
    width = times * 4096
    tags = {"WindowCenter": 2000, "WindowWidth": width, "VOILUTFunction": "LINEAR_EXACT"}
    found = imaging.read_image(image(DEEP, bits=12, **tags))
    own = np.percentile(DEEP, [0.1, 99.9])
    bounds = (2000 - width / 2, 2000 + width / 2) if times < 64 else own
    np.testing.assert_allclose(found.pixels, ramp(DEEP, *bounds), atol=1e-6)
    assert [("hide the image" in text) for text in found.warnings] == [True] * (times > 64)


def test_specks_do_not_save_a_window_that_hides_the_image():
    """One bright pixel is no contrast."""
    pixels = DEEP // 100
    pixels[5, 5] = 4095
    found = imaging.read_image(image(pixels, bits=12, **whole_window("u2", 12)))
    assert len(found.warnings) == 1
    low, high = np.percentile(pixels, [0.1, 99.9])
    np.testing.assert_allclose(found.pixels, ramp(pixels, low, high), atol=1e-6)


def test_image_of_padding_alone_is_black():
    """An image without a pixel that counts is read as black."""
    assert not imaging.read_image(image(DEEP * 0 + 7, bits=12, PixelPaddingValue=7)).grey.any()


@pytest.mark.parametrize(("bits", "length"), [(0, 4096), (17, 4096), (12, 9000)])
def test_lut_that_cannot_be_is_not_used(bits, length):
    """The window counts instead of a LUT of no or 17 bits, or with entries missing."""
    lut = table(0, bits, np.arange(4096)[::-1])
    lut[0].LUTDescriptor = [length, 0, bits]
    tags = whole_window("u2", 12)
    found = imaging.read_image(image(DEEP, bits=12, VOILUTSequence=lut, **tags))
    np.testing.assert_allclose(found.pixels, DEEP / 4095, atol=1e-6)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"Modality": "OT"}, "does not say that it is an X-ray"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "raw values"),
        *(({"ViewPosition": view}, "lateral view") for view in ("LL", "RL", "LAT", "LATERAL")),
        ({"PresentationLUTShape": "INVERSE"}, "contradicts itself"),
        ({"ImagerPixelSpacing": [0.1, 0.2]}, "not square"),
        ({"PixelSpacing": [0.2, 0.1]}, "not square"),
        ({"PixelSpacing": [0.2, 0.195]}, "not square"),
        ({"PixelAspectRatio": ["4", "5"]}, "not square"),
        ({"PixelSpacing": [0.1, 0.2], "ImagerPixelSpacing": [0.1, 0.2]}, "not square"),
    ],
)
def test_odd_files_get_a_warning(tags, said):
    """Whatever may make the scores wrong gives a warning."""
    found = imaging.read_image(image(DEEP, bits=12, **tags, **whole_window("u2", 12)))
    assert len(found.warnings) == 1
    assert said in found.warnings[0]


@pytest.mark.parametrize(
    "tags",
    [
        {"PresentationIntentType": "FOR PRESENTATION"},
        {"ViewPosition": "PA"},
        {"Modality": "dx"},
        {"PresentationLUTShape": "IDENTITY"},
        {"PresentationLUTShape": "INVERSE", "PhotometricInterpretation": "MONOCHROME1"},
        {"PixelSpacing": [0.2, 0.198]},
        {"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.1, 0.2]},
        {"ImagerPixelSpacing": [0, 0.2]},
        {"RescaleSlope": 0, "RescaleIntercept": 5},
    ],
)
def test_usual_files_get_no_warning(tags):
    """A frontal view with square pixels, inverted or not, is read without a warning."""
    found = imaging.read_image(image(DEEP, bits=12, **tags, **whole_window("u2", 12)))
    assert found.warnings == ()
    expected = DEEP if "PhotometricInterpretation" not in tags else 4095 - DEEP
    np.testing.assert_allclose(found.pixels, expected / 4095, atol=1e-6)


def test_warnings_on_the_kind_come_before_those_on_the_brightness():
    """Several warnings have a fixed order."""
    found = imaging.read_image(image(DEEP, bits=12, Modality="OT", ViewPosition="LL"))
    words = ["does not say that", "lateral view", "no brightness settings"]
    assert [word in text for word, text in zip(words, found.warnings, strict=True)] == [True] * 3


@pytest.mark.parametrize(("bits", "syntax"), [(8, "explicit"), (12, "jpeg lossless")])
def test_same_scores_as_png(bits, syntax):
    """The same image as DICOM and as PNG has the same probabilities."""
    png = ROOT / "examples" / "chest_rg1.png"
    plain = imaging.read_image(png)
    pixels = plain.grey if bits == 8 else np.rint(plain.pixels * 4095).astype(np.uint16)
    tags = whole_window("u2", 12) if bits == 12 else {}
    packed = imaging.read_image(image(pixels, syntax, bits, **tags))
    predictor = Predictor(Model.at(ROOT / "models" / "starter"))
    expected, found = predictor.predict([plain, packed])
    for label, p in expected.probabilities.items():
        assert found.probabilities[label] == pytest.approx(p, abs=0.002)
