"""DICOM files that are not one grey X-ray image, and damaged ones, get the error that fits."""

import numpy as np
import pydicom.uid as uid
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from support import dicom_files
from support.dicom_files import (
    DEEP,
    HEIGHT,
    NATIVE,
    PATIENT,
    WIDTH,
    image,
    values,
    whole_window,
)
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
    "three channels of grey": ({"SamplesPerPixel": 3}, "colour", "in colour"),
    "no pixels": ({"PixelData": None}, "no_pixels", "contains no image"),
    "too many pixels": (
        {"Rows": 60000, "Columns": 60000},
        "too_large",
        "100 million",
    ),
    "too low": ({"Rows": 40}, "too_small", f"{WIDTH}x40 pixels.* 64 a side"),
    "too narrow": ({"Columns": 63}, "too_small", f"63x{HEIGHT} pixels.* 64 a side"),
    "32 bits": ({"BitsAllocated": 32, "BitsStored": 32}, "unreadable_encoding", "8 to 16 bits"),
    "more rows than pixels": ({"Rows": 200}, "damaged", "cut off or damaged"),
    "no rows": ({"Rows": None}, "damaged", "cut off or damaged"),
    "no columns": ({"Columns": 0}, "damaged", "cut off or damaged"),
    "no bits": ({"BitsStored": None}, "damaged", "cut off or damaged"),
    "no bytes": ({"BitsAllocated": None}, "damaged", "cut off or damaged"),
    "no colour or grey": ({"PhotometricInterpretation": None}, "damaged", "cut off or damaged"),
    "impossible bits": ({"BitsStored": 12, "HighBit": 3}, "damaged", "damaged"),
    "bits beyond the word": ({"BitsStored": 12, "HighBit": 16}, "damaged", "damaged"),
    "more bits than allocated": ({"BitsAllocated": 8, "HighBit": None}, "damaged", "damaged"),
    "report without class": ({"Modality": "SR"}, "no_pixels", "written report"),
    "report of several images": (
        {"Modality": "SR", "NumberOfFrames": 2, "PixelData": None},
        "no_pixels",
        "written report",
    ),
    "CT of several images": ({"Modality": "CT", "NumberOfFrames": 9}, "not_an_xray", "a CT scan"),
}

KINDS_OF_EXAMINATION = {
    "CT": "a CT scan",
    "MR": "an MRI scan",
    "US": "an ultrasound image",
    "IVUS": "an ultrasound image",
    "PT": "a PET scan",
    "NM": "a nuclear medicine scan",
    "MG": "a mammogram",
    "XA": "an angiogram",
    "RF": "a fluoroscopy image",
    "IO": "a dental image",
    "PX": "a panoramic dental image",
    "ES": "an endoscopy image",
    "SM": "a microscopy image",
    "GM": "a microscopy image",
    "OP": "a photograph of an eye",
    "OPT": "a scan of an eye",
    "XC": "a photograph",
    "SEG": "a segmentation",
    "BMD": "a bone density scan",
    "RTIMAGE": "a radiotherapy image",
    "RTDOSE": "a radiotherapy dose plan",
    "ZZTOP": "from another kind of examination",
}
CLASSES = {
    uid.CTImageStorage: "CT",
    uid.EnhancedCTImageStorage: "CT",
    uid.MRImageStorage: "MR",
    uid.EnhancedMRImageStorage: "MR",
    uid.UltrasoundImageStorage: "US",
    uid.UltrasoundMultiFrameImageStorage: "US",
    uid.DigitalMammographyXRayImageStorageForPresentation: "MG",
    uid.DigitalMammographyXRayImageStorageForProcessing: "MG",
    uid.BreastTomosynthesisImageStorage: "MG",
    uid.DigitalIntraOralXRayImageStorageForPresentation: "IO",
    uid.XRayAngiographicImageStorage: "XA",
    uid.EnhancedXAImageStorage: "XA",
    uid.XRayRadiofluoroscopicImageStorage: "RF",
    uid.EnhancedXRFImageStorage: "RF",
    uid.NuclearMedicineImageStorage: "NM",
    uid.SegmentationStorage: "SEG",
    uid.PositronEmissionTomographyImageStorage: "PT",
    uid.EnhancedPETImageStorage: "PT",
}


@pytest.mark.parametrize(("tags", "code", "said"), REJECTED.values(), ids=REJECTED)
def test_rejected(tags, code, said):
    """A file that is not a single grey X-ray image is rejected with the reason."""
    with raises_image_error(code, match=said):
        imaging.read_image(image(DEEP, bits=12, **{"HighBit": 11, **tags}))


@pytest.mark.parametrize(("modality", "kind"), KINDS_OF_EXAMINATION.items())
def test_other_examinations(modality, kind):
    """Another modality is rejected, whatever the SOP class, and the message has its name."""
    with raises_image_error("not_an_xray", match=f"^This DICOM file is {kind}, not a chest X-ray"):
        imaging.read_image(image(DEEP, bits=12, Modality=modality))


@pytest.mark.parametrize(("sop_class", "modality"), CLASSES.items())
def test_other_examinations_without_modality(sop_class, modality):
    """Without a modality the SOP class tells the kind of examination."""
    data = image(DEEP, bits=12, SOPClassUID=sop_class, Modality=None)
    with raises_image_error("not_an_xray", match=f"is {KINDS_OF_EXAMINATION[modality]},"):
        imaging.read_image(data)


NO_XRAY = ("This DICOM file does not say that it is an X-ray image.",)


@pytest.mark.parametrize(
    ("modality", "sop_class", "warnings"),
    [
        *((name, uid.SecondaryCaptureImageStorage, ()) for name in ("CR", "DX", "RG", "DR")),
        *((name, uid.CTImageStorage, NO_XRAY) for name in ("OT", "SC")),
        ("", uid.SecondaryCaptureImageStorage, NO_XRAY),
        (None, uid.SecondaryCaptureImageStorage, NO_XRAY),
        (None, uid.ComputedRadiographyImageStorage, ()),
        (None, uid.DigitalXRayImageStorageForPresentation, ()),
        (None, uid.DigitalXRayImageStorageForProcessing, ()),
    ],
)
def test_accepted_examinations(modality, sop_class, warnings):
    """X-ray images are read; images that may be one get a warning."""
    tags = {"Modality": modality, "SOPClassUID": sop_class, **whole_window("u2", 12)}
    assert imaging.read_image(image(DEEP, bits=12, **tags)).warnings == warnings


@pytest.mark.parametrize(
    "tags", [{"NumberOfFrames": 1}, {"SamplesPerPixel": None}, {"HighBit": None}]
)
def test_unneeded_elements(tags):
    """One frame is one image; one channel and the lowest bits are assumed."""
    found = imaging.read_image(image(DEEP, bits=12, **tags, **whole_window("u2", 12)))
    np.testing.assert_allclose(found.pixels, DEEP / 4095, atol=1e-6)


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
    with raises_image_error("damaged", match="cut off or damaged"):
        imaging.read_image(data[: int(share * len(data))])


@pytest.mark.parametrize("syntax", [s for s in dicom_files.SYNTAXES if s not in NATIVE])
def test_frame_of_another_size(syntax):
    """A frame that is larger than the header says is not decoded."""
    bits = 8 if syntax == "jpeg baseline" else 12
    pixels = values("u1" if bits == 8 else "u2", bits)
    with raises_image_error("damaged"):
        imaging.read_image(image(pixels, syntax, bits, Rows=HEIGHT + 8, Columns=WIDTH + 8))
