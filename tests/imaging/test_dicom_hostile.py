"""Hostile DICOM files: time and memory are limited, and nothing about the patient gets out."""

import subprocess
import sys
import time
import zlib

import numpy as np
import pydicom.uid as uid
import pytest
from support import ROOT
from support.dicom_files import DEEP, PATIENT, image
from support.image_errors import raises_image_error

from cxr import imaging
from cxr.imaging.dicom import decoder

# `cxr.imaging.dicom` silences pydicom's warnings outside of pytest.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def test_decoder_that_hangs_is_stopped(monkeypatch, tmp_path):
    """A decoder that never ends is stopped, and the image is rejected."""
    script = tmp_path / "hang.py"
    script.write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(decoder, "__file__", str(script))
    start = time.monotonic()
    with raises_image_error("damaged"):
        imaging.read_image(image(DEEP, "rle", 12))
    assert time.monotonic() - start < 60


def test_decoder_has_a_limit_on_memory():
    """The decoder's process cannot use more memory than its limit."""
    code = (
        "import sys; from cxr.imaging.dicom import decoder; decoder._limit(2**29);"
        "import numpy; numpy.ones(2**28)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert b"MemoryError" in done.stderr


def test_deflated_bomb():
    """A small file that inflates to more bytes than any image has is rejected early."""
    plain = image(DEEP, "deflated", 12)
    start = plain.index(uid.DeflatedExplicitVRLittleEndian.encode())
    head = plain[: start + len(uid.DeflatedExplicitVRLittleEndian)]
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    block = bytes(2**24)
    bomb = b"".join(packer.compress(block) for _ in range(20)) + packer.flush()
    with raises_image_error("too_large"):
        imaging.read_image(head + bomb)


def test_millions_of_empty_elements():
    """A file of millions of empty elements is rejected quickly."""
    head = image(DEEP, "implicit", 12)[:400]
    start = time.monotonic()
    with pytest.raises(imaging.ImageError):
        imaging.read_image(head + b"\x09\0\x10\0\0\0\0\0" * 3_000_000)
    assert time.monotonic() - start < 15


@pytest.mark.parametrize("seed", range(4))
def test_damaged_headers(seed):
    """Whatever is wrong in a header, the image is read or an ImageError is raised."""
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


def test_patient_data_never_gets_out(tmp_path):
    """No log, warning or message contains a value of the file, even if the file is damaged."""
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
        "        image = imaging.read_image(path); print(image.warnings)\n"
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


def test_reading_other_images_loads_no_dicom():
    """An app that never reads DICOM does not wait for the import of its packages."""
    code = (
        "import sys; from cxr import imaging; imaging.read_image('examples/chest_rg1.png');"
        "print([name for name in ('pydicom', 'imagecodecs') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
