"""The release's list of boxes: what is read, and what is rejected."""

import pytest

from cxr.datasets import boxes
from cxr.datasets.files import DataError
from cxr_labels import LABELS, LabelError

BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a.png,Mass,1,2,nan,4", "finite"),
        ("a.png,Mass,1,2,inf,4", "finite"),
        ("a.png,Mass,a,b,c,d", "without four numbers"),
        ("a.png,Mass,1", "without four numbers"),
        ("a.png,Mass,-1,2,3,4", "does not lie on the image"),
        ("a.png,Mass,1,-2,3,4", "does not lie on the image"),
        ("a.png,Mass,1000,2,25.5,4", "does not lie on the image"),
        ("a.png,Mass,1,1000,3,25.5", "does not lie on the image"),
        ("a.png,Mass,1024,2,0.5,4", "does not lie on the image"),
        ("a.png,Mass,1,1024,3,0.5", "does not lie on the image"),
        ("a.png,Mass,1,2,0,4", "does not lie on the image"),
        ("a.png,Mass,1,2,3,0", "does not lie on the image"),
        ("a.png,No Finding,1,2,3,4", "'No Finding'"),
        ("a.png,Foo,1,2,3,4", "'Foo'"),
        ("a.png", "''"),
        ('"a.png,Mass,1,2,3,4', "not a complete CSV file"),
    ],
)
def test_broken_box(row, words):
    """A box that cannot be one stops with a sentence on the file, in words of this program."""
    with pytest.raises((DataError, LabelError)) as caught:
        boxes.parse(f"{BOX_HEADER}\n{row}\n".encode(), "list.csv")
    assert "'list.csv'" in str(caught.value)
    assert words in str(caught.value)


def test_row_of_a_broken_box_is_named():
    """Rows are counted as an editor counts lines, and an unknown finding is a LabelError."""
    text = f"{BOX_HEADER}\n\na.png,Mass,1,2,3,4\nb.png,Foo,1,2,3,4\n"
    with pytest.raises(LabelError, match=r"^Row 4 of 'list.csv': the label 'Foo'"):
        boxes.parse(text.encode(), "list.csv")
    with pytest.raises(DataError, match=r"^Row 4 of 'list.csv' has a box without four numbers"):
        boxes.parse(text.replace("Foo,1", "Mass,x").encode(), "list.csv")


@pytest.mark.parametrize(
    "text", ["", "Image Index,Finding Labels,x\n", "Finding Label,Image Index\n"]
)
def test_file_that_is_no_box_list(text):
    """Another table is named, with the columns that are missing."""
    with pytest.raises(DataError, match=r"^'list.csv' is not .* 'Image Index' and 'Finding Label'"):
        boxes.parse(text.encode(), "list.csv")


def test_box_list_from_any_editor():
    """A byte-order mark and blanks around cells change nothing; boxes keep their order."""
    text = "Image Index , Finding Label,Bbox [x\n a.png , Mass ,0,0,512,256\na.png,Nodule,1,2,3,4\n"
    found = boxes.parse(text.encode("utf-8-sig")).of_image["a.png"]
    assert found[0] == (LABELS.index("Mass"), 0, 0, 0.5, 0.25)
    assert [LABELS[box[0]] for box in found] == ["Mass", "Nodule"]


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_box_file_that_cannot_be_read(tmp_path, name):
    """A file that is not there, or is a folder, is named."""
    with pytest.raises(DataError, match=r"^The box file '.*' cannot be read.$"):
        boxes.read(tmp_path / name)


def test_box_to_the_edge_of_the_image():
    """A box may end up to a pixel behind the far edges: the release's numbers are rounded."""
    found = boxes.parse(f"{BOX_HEADER}\r\n\r\na.png,Infiltrate,512,1000,513,25,,,\r\n".encode())
    assert found.of_image == {
        "a.png": [(LABELS.index("Infiltration"), 0.5, 1000 / 1024, 513 / 1024, 25 / 1024)]
    }


def test_real_boxes(nih_folder):
    """The release's own list: all of its boxes on the images beside it are taken."""
    found = boxes.read(nih_folder / "BBox_List_2017.csv")
    assert sum(map(len, found.of_image.values())) == 830
