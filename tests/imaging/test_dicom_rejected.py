"""DICOM files that are not one grey X-ray image, and damaged ones, get the error that fits."""

import numpy as np
import pydicom.uid as uid
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from support import dicom_files
from support.dicom_files import DEEP, HEIGHT, NATIVE, PATIENT, WIDTH, image, values
from support.image_errors import raises_image_error

from cxr import imaging

# `cxr.imaging.dicom` silences pydicom's warnings outside of pytest.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


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
    "no pixels": ({"PixelData": None}, "no_pixels", "contains no image"),
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
    """A file that is not a single grey X-ray image is rejected with the reason."""
    with raises_image_error(code, match=said):
        imaging.read_image(image(DEEP, bits=12, **{"HighBit": 11, **tags}))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("DICOMDIR", "table of contents"),
        ("test-SR.dcm", "written report"),
        ("CT_small.dcm", "a CT scan"),
        ("color-px.dcm", "ultrasound"),
        ("waveform_ecg.dcm", "contains no image"),
    ],
)
def test_samples_of_pydicom_are_rejected(name, said):
    """Real files of other kinds are rejected with the reason."""
    with pytest.raises(imaging.ImageError, match=said):
        imaging.read_image(get_testdata_file(name))


def _report() -> Dataset:
    data = Dataset()
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    data.Modality, data.PatientName = "SR", PATIENT
    return data


def test_report_is_rejected():
    """A structured report is recognised by its SOP class."""
    with raises_image_error("no_pixels", match="written report"):
        imaging.read_image(dicom_files.written(_report(), uid.ExplicitVRLittleEndian))


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.102", "1.2.3.4.5.6.7.8.9"])
def test_unknown_transfer_syntax(syntax):
    """Video and unknown encodings are rejected."""
    data = image(DEEP, "jpeg 2000 lossless", 12)
    old = uid.JPEG2000Lossless.encode()
    assert data.count(old) == 1
    with raises_image_error("unreadable_encoding", match="transfer syntax"):
        imaging.read_image(data.replace(old, syntax.encode().ljust(len(old), b"\0")[: len(old)]))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("syntax", dicom_files.SYNTAXES)
def test_truncated(syntax, share):
    """A file that is cut off is rejected as cut off, in every transfer syntax."""
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
