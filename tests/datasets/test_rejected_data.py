"""Data that cannot be used is rejected with one sentence that says why."""

import zipfile

import pytest
from support.images import Row, make_nih_folder, make_zip, spoil_zip_member, write_table

from cxr.datasets import boxes, nih
from cxr.datasets.files import DataError

ROWS = [Row("00000001_000.png"), Row("00000001_001.png"), Row("00000002_000.png", "No Finding", 2)]


@pytest.fixture
def folder(tmp_path):
    """Three images in the Kaggle sample's layout."""
    return make_nih_folder(tmp_path / "sample", ROWS)


def rejected(data):
    """The sentence with which the data are rejected."""
    with pytest.raises(DataError) as caught:
        nih.load(data)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    return text


def test_missing_path(tmp_path):
    """A path that is not there is named."""
    assert "no-such.zip" in rejected(tmp_path / "no-such.zip")


def test_no_table(folder):
    """Images without a label table."""
    (folder / "sample_labels.csv").unlink()
    assert "No label table" in rejected(folder)


def test_other_tables_are_named(folder):
    """A table of other columns is not the label table; the message names it."""
    (folder / "sample_labels.csv").rename(folder / "notes.txt")
    (folder / "boxes.csv").write_text("Image Index,Finding Label\n")
    assert "boxes.csv is something else" in rejected(folder)


def test_no_images(folder):
    """A label table without any image."""
    for image in (folder / "images").iterdir():
        image.unlink()
    assert "No images" in rejected(folder)


def test_nothing_matches(folder):
    """A label table and images that are not each other's."""
    write_table(folder / "sample_labels.csv", [Row("other.png"), Row("another.png")])
    assert "None of the 2 images" in rejected(folder)


def test_table_without_rows(folder):
    """A label table that is only a header."""
    write_table(folder / "sample_labels.csv", [])
    assert "no rows" in rejected(folder)


@pytest.mark.parametrize("column", ["Image Index", "Finding Labels", "Patient ID"])
def test_column_is_missing(folder, column):
    """A column without which nothing can be learnt is named."""
    table = folder / "sample_labels.csv"
    table.write_text(table.read_text().replace(column, f"{column} (old)"))
    assert column in rejected(folder)


def test_table_with_semicolons(folder):
    """A table saved with semicolons is told to need commas."""
    table = folder / "sample_labels.csv"
    table.write_text(table.read_text().replace(",", ";"))
    assert "separated by commas" in rejected(folder)


@pytest.mark.parametrize("line", [b'"b.png,Mass', b"b\xe9.png,Mass,0,1\n"])
def test_table_that_is_no_csv(folder, line):
    """A table that was cut off inside a quote, or is not in UTF-8, is named."""
    with (folder / "sample_labels.csv").open("ab") as file:
        file.write(line)
    assert "'sample_labels.csv' is not a complete CSV file" in rejected(folder)


def test_cut_off_zip(folder, tmp_path):
    """A zip whose end is missing, as after a broken download."""
    path = make_zip(tmp_path / "data.zip", folder)
    path.write_bytes(path.read_bytes()[:-50])
    assert "not a complete zip" in rejected(path)


def test_file_that_is_no_zip(tmp_path):
    """Any other file in the place of the data."""
    path = tmp_path / "image.png"
    path.write_bytes(b"\x89PNG")
    assert "not a complete zip" in rejected(path)


def test_empty_zip(tmp_path):
    """A zip with nothing in it."""
    zipfile.ZipFile(tmp_path / "data.zip", "w").close()
    assert "No label table" in rejected(tmp_path / "data.zip")


def test_damaged_table_in_zip(folder, tmp_path):
    """A zip that is whole at its end but damaged where the table lies."""
    path = make_zip(tmp_path / "data.zip", folder)
    spoil_zip_member(path, "sample_labels.csv")
    assert "'sample_labels.csv' in" in rejected(path)


def test_damaged_box_list_in_zip(folder, tmp_path):
    """The images are read all the same; who wants the boxes is told that they cannot be used."""
    (folder / "BBox_List_2017.csv").write_text("Image Index,Finding Label,Bbox [x,y,w,h]\n" * 9)
    path = make_zip(tmp_path / "data.zip", folder)
    spoil_zip_member(path, "BBox_List_2017.csv")
    found = nih.load(path)
    assert found.table.image.tolist() == [row.image for row in ROWS]
    with pytest.raises(DataError, match="BBox_List_2017"):
        boxes.parse(found.box_list)


def test_locked_zip(folder, tmp_path):
    """A zip that asks for a password."""
    path = make_zip(tmp_path / "data.zip", folder)
    data = bytearray(path.read_bytes())
    for mark, flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            data[at + flag] |= 1
    path.write_bytes(data)
    assert "cannot be read" in rejected(path)
