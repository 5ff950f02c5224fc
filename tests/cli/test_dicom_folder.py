"""`predict` on a folder finds DICOM files by their content."""

import csv
import io
import shutil
import subprocess
import sys
from pathlib import Path

from pydicom.data import get_testdata_file
from support import ROOT
from support.dicom_files import image
from support.images import encode

from cxr import imaging


def test_folder_is_searched_for_dicom(tmp_path):
    """DICOM is found by its suffix, and by content if the suffix is missing or a number."""
    data = imaging.eight_bits(imaging.read_image(ROOT / "examples" / "chest_rg1.png"))
    whole = image(data)
    for name in ("a.dcm", "IM0001", "1.2.840.99", "note.txt"):
        (tmp_path / name).write_bytes(whole)
    (tmp_path / "README").write_text("This is not an image.")
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
