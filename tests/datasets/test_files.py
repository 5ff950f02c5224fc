"""Reading the files of a data set: images, their signatures, the list of test images."""

import os

import numpy as np
import pytest
from support.images import Row, encode, make_nih_folder, make_zip, spoil_zip_member

from cxr.datasets import nih
from cxr.datasets.files import Files
from cxr_labels import LABELS

ROWS = [Row(f"0000000{k}_000.png", patient=k) for k in range(1, 5)]
IMAGE = encode(np.zeros((64, 64), np.uint8))


@pytest.fixture
def folder(tmp_path):
    """Four images in the Kaggle sample's layout."""
    return make_nih_folder(tmp_path / "sample", ROWS)


def test_damaged_image_in_zip(folder, tmp_path):
    """An image whose packed bytes are damaged raises OSError, as a broken file would."""
    path = make_zip(tmp_path / "data.zip", folder)
    spoil_zip_member(path, f"images/{ROWS[1].image}")
    reader = nih.load(path).source.reader()
    with pytest.raises(OSError, match=ROWS[1].image):
        reader.read(ROWS[1].image)
    assert reader.read(ROWS[0].image).startswith(b"\x89PNG")


def test_signature_follows_the_file(folder):
    """An image's signature stays while its file does, and changes with its bytes or its time."""
    source = nih.load(folder).source
    names = [row.image for row in ROWS]
    first = source.signatures(names)
    assert len(set(first.tolist())) == 4
    assert source.signatures(names[::-1]).tolist() == first.tolist()[::-1]
    assert source.signatures(names).tolist() == first.tolist()
    path = folder / "images" / names[1]
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    path = folder / "images" / names[2]
    stat = path.stat()
    path.write_bytes(path.read_bytes() + b"\0")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (source.signatures(names) != first).tolist() == [False, True, True, False]


def test_signature_in_zip_follows_the_content(folder, tmp_path):
    """In a zip packed anew only the image whose bytes changed has another signature."""
    names = [row.image for row in ROWS]
    source = nih.load(make_zip(tmp_path / "a.zip", folder)).source
    first = source.signatures(names)
    assert source.signatures(names[::-1]).tolist() == first.tolist()[::-1]
    (folder / "images" / names[2]).write_bytes(IMAGE)
    second = nih.load(make_zip(tmp_path / "b.zip", folder)).source.signatures(names)
    assert (second != first).tolist() == [False, False, True, False]


def test_test_list(folder, tmp_path):
    """NIH's test_list.txt is found, in a folder as in a zip, whatever its line ends."""
    assert nih.load(folder).test_list == frozenset()
    names = {ROWS[2].image, "00099999_000.png"}
    (folder / "test_list.txt").write_bytes("\r\n".join(sorted(names)).encode("utf-8-sig"))
    assert nih.load(folder).test_list == names
    assert nih.load(make_zip(tmp_path / "data.zip", folder)).test_list == names


@pytest.mark.parametrize("name", ["test_list.txt", "test_list_NIH.txt", "Test_List_NIH.TXT"])
def test_every_test_list_counts(folder, name):
    """The list may have either of its names, in any case; several lists are united."""
    (folder / name).write_text("a.png\nb.png\n")
    (folder / "images" / "test_list.txt").write_text("c.png\n")
    assert nih.load(folder).test_list == {"a.png", "b.png", "c.png"}


def test_nearest_box_list_is_read(folder):
    """Of several lists of boxes the one nearest to the root counts, whatever edition it is."""
    (folder / "BBox_List_2017.csv.txt").write_text("notes")
    assert nih.load(folder).box_list is None
    (folder / "images" / "BBox_List_2017.csv").write_text("far")
    assert nih.load(folder).box_list == b"far"
    (folder / "bbox_list_2017_Official_NIH.csv").write_text("near")
    assert nih.load(folder).box_list == b"near"


def test_files_of_a_name_come_nearest_first(tmp_path):
    """`named` sorts by depth, then by name, and compares whole file names in any case."""
    files = Files(tmp_path, ["a/b/x.csv", "a/x.csv", "b/X.CSV", "x.csv", "x.csv.gz", "a/ax.csv"])
    assert files.named(r"x\.csv") == ["x.csv", "a/x.csv", "b/X.CSV", "a/b/x.csv"]


def test_real_folder(nih_folder):
    """The images beside the project: as many images, patients and findings as counted by hand."""
    data = nih.load(nih_folder)
    assert len(data.table) == len(data.source.places) == 2866
    assert data.table.patient.nunique() == 1605
    assert data.targets[:, LABELS.index("Hernia")].sum() == 12
    assert data.targets[:, LABELS.index("No Finding")].sum() == 1514
    assert data.report.sentences() == []
