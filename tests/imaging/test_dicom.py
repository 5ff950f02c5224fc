"""DICOM images: exact grey in every encoding, rejections with a reason, no patient data."""

import csv
import io
import os
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pydicom.uid as uid
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from support import ROOT, dicom_files
from support.dicom_files import LOSSLESS, LOSSY, NATIVE, PATIENT, image, table
from support.image_errors import raises_image_error
from support.images import encode

from cxr import imaging
from cxr.imaging import dicom
from cxr.imaging.dicom import decoder
from cxr.inference.predictor import Predictor
from cxr.model.resolve import Model

# pytest shows what the reader silences; that nothing gets out is tested below.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

HEIGHT, WIDTH = 90, 111  # odd, so that nothing is right by chance

_y, _x = np.mgrid[:HEIGHT, :WIDTH]
SHAPE = (np.sin(_x / 9) + np.cos(_y / 7) + 2) / 4  # 0..1
KINDS = [("u1", 8), ("u2", 10), ("u2", 12), ("u2", 16), ("i2", 12), ("i2", 16)]


def values(kind: str, bits: int) -> np.ndarray:
    """The pattern over all values of so many bits."""
    low = -(2 ** (bits - 1)) if kind[0] == "i" else 0
    return (np.rint(SHAPE * (2**bits - 1)).astype(int) + low).astype(kind)


def whole_window(kind: str, bits: int) -> dict[str, object]:
    """A window from the lowest to the highest value."""
    low = -(2 ** (bits - 1)) if kind[0] == "i" else 0
    width = 2**bits - 1
    return {
        "WindowCenter": low + width / 2,
        "WindowWidth": width,
        "VOILUTFunction": "LINEAR_EXACT",
    }


def ramp(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """Grey between two values, as the standard's words have it."""
    return np.clip((pixels.astype(float) - low) / (high - low), 0, 1)


# What packs the pixels --------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "bits"), KINDS)
@pytest.mark.parametrize("syntax", [*NATIVE, *LOSSLESS])
def test_pixels_come_back(syntax, kind, bits):
    """Where nothing is lost each pixel has the grey that was written, signed or not."""
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
    """What overshoots in a lossy codec does not turn from the brightest to the darkest."""
    pixels = values(kind, bits)
    found = imaging.read_image(image(pixels, syntax, bits, **whole_window(kind, bits)))
    np.testing.assert_allclose(found.pixels, SHAPE, atol=LOSSY[syntax][1])


@pytest.mark.parametrize("name", ["RG1", "RG3"])
def test_radiographs_of_pydicom(name):
    """Real images, MONOCHROME1 with a window, are shown as pydicom's own functions show them, and
    their JPEG 2000 versions like the uncompressed ones."""
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
    """Frames of other encoders than this test's: pydicom's samples, called radiographs."""
    data = pydicom.dcmread(get_testdata_file(name))
    data.Modality = "DX"
    found = imaging.read_image(_file(data))
    assert found.grey.shape == (data.Rows, data.Columns)
    assert found.facts["bits"] == bits
    assert found.grey.max() > 0


def test_image_in_pieces():
    """A compressed image may come in several fragments."""
    pixels = values("u2", 12)
    data = pydicom.dcmread(io.BytesIO(image(pixels, "jpeg-ls", 12, **whole_window("u2", 12))))
    packed = b"".join(list(pydicom.encaps.generate_fragments(data.PixelData))[1:])
    data.PixelData = pydicom.encaps.encapsulate([packed], fragments_per_frame=4)
    np.testing.assert_allclose(imaging.read_image(_file(data)).pixels, pixels / 4095, atol=1e-6)


def test_unused_bits_are_no_brightness():
    """Old files keep overlays above the value's bits."""
    pixels = values("u2", 12)
    marked = pixels | np.uint16(0x7000)
    found = imaging.read_image(image(marked, bits=12, **whole_window("u2", 12)))
    np.testing.assert_allclose(found.pixels, pixels / 4095, atol=1e-6)


def test_high_bit():
    """The value may stand in the upper bits."""
    pixels = values("u2", 12)
    found = imaging.read_image(image(pixels << 4, bits=12, HighBit=15, **whole_window("u2", 12)))
    np.testing.assert_allclose(found.pixels, pixels / 4095, atol=1e-6)


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big endian"])
def test_without_preamble(syntax):
    """Files from before the preamble was prescribed are told by how they go on."""
    pixels = values("u2", 12)
    data = pydicom.dcmread(io.BytesIO(image(pixels, syntax, 12, **whole_window("u2", 12))))
    bare = dicom_files.written(data, NATIVE[syntax], bare=True)
    assert dicom.is_bare(bare)
    np.testing.assert_allclose(imaging.read_image(bare).pixels, pixels / 4095, atol=1e-6)


# How it is shown --------------------------------------------------------------------------------

DEEP = values("u2", 12)


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
    ],
    ids=["linear", "exact", "sigmoid", "first of two", "rescale", "falling rescale"],
)
@pytest.mark.parametrize("from_white", [False, True])
def test_window(tags, expected, from_white):
    """Rescale and window by the standard's formulas; MONOCHROME1 turned over last."""
    if from_white:
        tags = {**tags, "PhotometricInterpretation": "MONOCHROME1"}
        expected = 1 - expected
    found = imaging.read_image(image(DEEP, bits=12, **tags))
    np.testing.assert_allclose(found.pixels, expected, atol=1e-6)
    assert found.warnings == ()


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big endian"])
def test_voi_lut(syntax):
    """A VOI LUT goes before a window, and holds its ends beyond its entries."""
    entries = np.rint(np.linspace(0, 1, 2000) ** 2 * 1023).astype(int)
    lut = table(1000, 10, entries)
    if syntax == "big endian":
        lut[0].LUTData = entries.astype(">u2").tobytes()
    found = imaging.read_image(
        image(DEEP, syntax, 12, VOILUTSequence=lut, WindowCenter=10, WindowWidth=2)
    )
    expected = entries[np.clip(DEEP.astype(int) - 1000, 0, 1999)] / 1023
    np.testing.assert_allclose(found.pixels, expected, atol=1e-6)


def test_modality_lut():
    """A modality LUT stands where the rescale would, before the window."""
    entries = np.arange(4096)[::-1]
    tags = {"WindowCenter": 2000, "WindowWidth": 1001}
    found = imaging.read_image(
        image(DEEP, bits=12, ModalityLUTSequence=table(0, 16, entries), **tags)
    )
    np.testing.assert_allclose(found.pixels, ramp(4095.0 - DEEP, 1499.5, 2499.5), atol=1e-6)


@pytest.mark.parametrize("name", ["mlut_18.dcm", "vlut_04.dcm"])
def test_luts_of_pydicom(name):
    """Two samples with LUTs are shown as pydicom shows them, up to a stretch."""
    data = pydicom.dcmread(get_testdata_file(name))
    shown = apply_voi_lut(apply_modality_lut(data.pixel_array, data), data).astype(float)
    found = imaging.read_image(get_testdata_file(name)).pixels
    assert np.corrcoef(found.ravel(), shown.ravel())[0, 1] > 0.999


def test_padding_is_black_and_does_not_count():
    """What lies outside the image is black, of MONOCHROME1 too, and does not set the brightness."""
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


@pytest.mark.parametrize(
    ("centre", "width", "said"),
    [
        (None, None, "does not say at which brightness"),
        (5, 0, "does not say at which brightness"),
        ("wide", "open", "does not say at which brightness"),
        ("nan", "inf", "does not say at which brightness"),
        (999999, 2, "would hide the image"),
    ],
)
def test_without_a_window_that_helps(centre, width, said):
    """The image is scaled by its own brightness, and a warning says so."""
    tags = {"WindowCenter": "111111", "WindowWidth": "222222"} if centre is not None else {}
    data = image(500 + DEEP // 3, bits=12, **tags)
    data = data.replace(b"111111", str(centre).ljust(6).encode())
    data = data.replace(b"222222", str(width).ljust(6).encode())
    found = imaging.read_image(data)
    assert said in " ".join(found.warnings)
    assert (found.pixels.min(), found.pixels.max()) == (0, 1)
    assert np.corrcoef(found.pixels.ravel(), SHAPE.ravel())[0, 1] > 0.99


def test_eight_bits_without_a_window_are_as_they_are():
    """Eight bits are made for a screen."""
    pixels = values("u1", 8) // 2 + 20
    np.testing.assert_array_equal(imaging.read_image(image(pixels)).grey, pixels)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"Modality": "OT"}, "does not say that it is a radiograph"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "raw values"),
        ({"ViewPosition": "LL"}, "side view"),
        ({"PresentationLUTShape": "INVERSE"}, "contradicts itself"),
        ({"ImagerPixelSpacing": [0.1, 0.2]}, "not square"),
    ],
)
def test_oddities_are_said(tags, said):
    """What may make scores wrong is a warning."""
    found = imaging.read_image(image(DEEP, bits=12, **tags, **whole_window("u2", 12)))
    assert len(found.warnings) == 1
    assert said in found.warnings[0]


def test_facts():
    """The facts tell the format, the size and the depth."""
    facts = imaging.read_image(image(DEEP, bits=12)).facts
    assert facts == {
        "format": "DICOM",
        "mode": "MONOCHROME2",
        "width": WIDTH,
        "height": HEIGHT,
        "bits": 12,
        "bits_used": 12,
    }


@pytest.mark.parametrize(("bits", "syntax"), [(8, "explicit"), (12, "jpeg lossless")])
def test_same_scores_as_png(bits, syntax):
    """An image as DICOM has the scores of the same image as PNG."""
    png = ROOT / "examples" / "chest_rg1.png"
    plain = imaging.read_image(png)
    pixels = plain.grey if bits == 8 else np.rint(plain.pixels * 4095).astype(np.uint16)
    tags = whole_window("u2", 12) if bits == 12 else {}
    packed = imaging.read_image(image(pixels, syntax, bits, **tags))
    predictor = Predictor(Model.at(ROOT / "models" / "starter"))
    expected, found = predictor.predict([plain, packed])
    for label, p in expected.probabilities.items():
        assert found.probabilities[label] == pytest.approx(p, abs=0.002)


# What is rejected --------------------------------------------------------------------------------


def _report() -> Dataset:
    data = Dataset()
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    data.Modality, data.PatientName = "SR", PATIENT
    return data


REJECTED = {
    "several frames": ({"NumberOfFrames": 2}, "several_images", "several images"),
    "colour": (
        {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"},
        "colour",
        "in colour",
    ),
    "palette": ({"PhotometricInterpretation": "PALETTE COLOR"}, "colour", "in colour"),
    "CT": ({"Modality": "CT"}, "not_an_xray", "a CT scan"),
    "MR": ({"Modality": "MR"}, "not_an_xray", "an MRI scan"),
    "US": ({"Modality": "US"}, "not_an_xray", "an ultrasound image"),
    "MG": ({"Modality": "MG"}, "not_an_xray", "a mammogram"),
    "RF": ({"Modality": "RF"}, "not_an_xray", "fluoroscopy"),
    "unknown modality": ({"Modality": "ZZTOP"}, "not_an_xray", "another kind"),
    "CT without modality": (
        {"Modality": None, "SOPClassUID": uid.CTImageStorage},
        "not_an_xray",
        "a CT scan",
    ),
    "no pixels": ({"PixelData": None}, "no_pixels", "holds no image"),
    "too many pixels": (
        {"Rows": 60000, "Columns": 60000},
        "too_large",
        "100 million",
    ),
    "too small": ({"Rows": 40}, "too_small", "64 a side"),
    "32 bits": ({"BitsAllocated": 32, "BitsStored": 32}, "unreadable_encoding", "8 to 16 bits"),
    "more rows than pixels": ({"Rows": 200}, "damaged", "cut off or damaged"),
    "no rows": ({"Rows": None}, "damaged", "cut off or damaged"),
    "impossible bits": ({"BitsStored": 12, "HighBit": 3}, "damaged", "damaged"),
}


@pytest.mark.parametrize(("tags", "code", "said"), REJECTED.values(), ids=REJECTED)
def test_rejected(tags, code, said):
    """What is no single grey image is rejected with its own reason."""
    with raises_image_error(code, match=said):
        imaging.read_image(image(DEEP, bits=12, **{"HighBit": 11, **tags}))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("DICOMDIR", "table of contents"),
        ("test-SR.dcm", "written report"),
        ("CT_small.dcm", "a CT scan"),
        ("color-px.dcm", "ultrasound"),
        ("waveform_ecg.dcm", "holds no image"),
    ],
)
def test_samples_of_pydicom_are_rejected(name, said):
    """Real files of other kinds get their reasons."""
    with pytest.raises(imaging.ImageError, match=said):
        imaging.read_image(get_testdata_file(name))


def test_report_is_rejected():
    """A structured report is told by its class."""
    with raises_image_error("no_pixels", match="written report"):
        imaging.read_image(dicom_files.written(_report(), uid.ExplicitVRLittleEndian))


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.102", "1.2.3.4.5.6.7.8.9"])
def test_unknown_transfer_syntax(syntax):
    """Video and what nobody knows is rejected as such."""
    data = image(DEEP, "jpeg 2000 lossless", 12)
    old = uid.JPEG2000Lossless.encode()
    assert data.count(old) == 1
    with raises_image_error("unreadable_encoding", match="transfer syntax"):
        imaging.read_image(data.replace(old, syntax.encode().ljust(len(old), b"\0")[: len(old)]))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("syntax", dicom_files.SYNTAXES)
def test_truncated(syntax, share):
    """A DICOM file that is cut off is called so, in every transfer syntax."""
    pixels = values("u1", 8) if syntax == "jpeg baseline" else DEEP
    rng = np.random.default_rng(0)
    noisy = (rng.random((300, 300)) * int(pixels.max())).astype(pixels.dtype)
    data = image(noisy, syntax, 8 * pixels.itemsize if pixels.itemsize == 1 else 12)
    with pytest.raises(imaging.ImageError, match="cut off"):
        imaging.read_image(data[: int(share * len(data))])


@pytest.mark.parametrize("syntax", [s for s in dicom_files.SYNTAXES if s not in NATIVE])
def test_frame_of_another_size(syntax):
    """A frame that is larger than the header says is not decoded."""
    bits = 8 if syntax == "jpeg baseline" else 12
    pixels = values("u1" if bits == 8 else "u2", bits)
    with raises_image_error("damaged"):
        imaging.read_image(image(pixels, syntax, bits, Rows=HEIGHT + 8, Columns=WIDTH + 8))


# Hostile files ----------------------------------------------------------------------------------


def test_decoder_that_hangs_is_stopped(monkeypatch):
    """A decoder that goes on for ever costs the image and no more."""
    hang = "import time\ntime.sleep(60)\n"
    script = Path(os.environ["CXR_CACHE"]) / "hang.py"
    script.parent.mkdir(exist_ok=True)
    script.write_text(hang)
    monkeypatch.setattr(decoder, "__file__", str(script))
    start = time.monotonic()
    with raises_image_error("damaged"):
        imaging.read_image(image(DEEP, "rle", 12))
    assert time.monotonic() - start < 5


def test_decoder_has_a_limit_on_memory():
    """The decoder's program may take what an image of that size takes, and not more."""
    code = (
        "import sys; from cxr.imaging.dicom import decoder; decoder._limit(2**29);"
        "import numpy; numpy.ones(2**28)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert b"MemoryError" in done.stderr


def test_deflated_bomb():
    """A small file that unpacks to more than any image has is rejected before it does."""
    plain = image(DEEP, "deflated", 12)
    start = plain.index(uid.DeflatedExplicitVRLittleEndian.encode())
    head = plain[: start + len(uid.DeflatedExplicitVRLittleEndian)]
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    block = bytes(2**24)
    bomb = b"".join(packer.compress(block) for _ in range(20)) + packer.flush()
    with raises_image_error("too_large"):
        imaging.read_image(head + bomb)


def test_millions_of_empty_elements():
    """A file of nothing but empty elements does not keep the reader for minutes."""
    head = image(DEEP, "implicit", 12)[:400]
    start = time.monotonic()
    with pytest.raises(imaging.ImageError):
        imaging.read_image(head + b"\x09\0\x10\0\0\0\0\0" * 3_000_000)
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("seed", range(4))
def test_spoilt_headers(seed):
    """Whatever is wrong in a header, the image is read or rejected in a sentence."""
    rng = np.random.default_rng(seed)
    whole = image(DEEP, ["implicit", "explicit", "big endian", "explicit"][seed], 12)
    for _ in range(300):
        data = bytearray(whole)
        for at in rng.integers(132, 900, rng.integers(1, 6)):
            data[at] = rng.integers(256)
        try:
            found = imaging.read_image(bytes(data))
        except imaging.ImageError:
            continue
        assert np.isfinite(found.pixels).all()


def test_nothing_of_the_patient_gets_out(tmp_path):
    """No log, warning, sentence, fact or answer has a value of the file, be it spoilt, too."""
    whole = image(DEEP, bits=12, SpecificCharacterSet="ISO_IR 100", StudyDescription=PATIENT)
    name = PATIENT.encode()
    images = {
        "good": whole,
        "cut": whole[:700],
        "modality": whole.replace(b"CS\x02\0DX", b"CS\x02\0Pl"),
        "value type": whole.replace(b"\x28\0\x10\0US", b"\x28\0\x10\0QQ"),
        "character set": whole.replace(b"ISO_IR 100", name[:10]),
        "class": whole.replace(b"1.2.840.10008.5.1.4.1.1.1.1", name.ljust(27)),
        "photometric": whole.replace(b"MONOCHROME2", name[:11]),
    }
    assert len(set(images.values())) == len(images)
    for kind, data in images.items():
        (tmp_path / f"{kind}.dcm").write_bytes(data)
    code = (
        "import sys, logging, warnings; logging.basicConfig(level=0);"
        "from cxr import imaging\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        image = imaging.read_image(path); print(image.facts, image.warnings)\n"
        "    except imaging.ImageError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", code, *sorted(map(str, tmp_path.iterdir()))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == len(images)
    assert "lanted" not in done.stdout + done.stderr
    assert done.stderr == ""


# The command line -------------------------------------------------------------------------------


def test_folder_is_searched_for_dicom(tmp_path):
    """By suffix, by content where there is none, and by content where a number stands for it."""
    data = imaging.eight_bits(imaging.read_image(ROOT / "examples" / "chest_rg1.png"))
    whole = image(data)
    for name in ("a.dcm", "IM0001", "1.2.840.99", "note.txt"):
        (tmp_path / name).write_bytes(whole)
    (tmp_path / "LIESMICH").write_text("Nothing of an image.")
    shutil.copy(get_testdata_file("DICOMDIR"), tmp_path / "DICOMDIR")
    (tmp_path / "b.png").write_bytes(encode(data))
    done = subprocess.run(
        [sys.executable, "-m", "cxr", "predict", "models/starter", str(tmp_path), "--csv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [Path(row["file"]).name for row in rows] == ["1.2.840.99", "IM0001", "a.dcm", "b.png"]
    assert len({row["Effusion"] for row in rows}) == 1
    assert done.returncode == 0


def test_reading_other_images_loads_no_dicom():
    """A page that never meets DICOM does not wait for its packages."""
    code = (
        "import sys; from cxr import imaging; imaging.read_image('examples/chest_rg1.png');"
        "print([name for name in ('pydicom', 'imagecodecs') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def _file(data: pydicom.FileDataset) -> bytes:
    file = io.BytesIO()
    data.save_as(file)
    return file.getvalue()
