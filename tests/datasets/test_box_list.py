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
        ("a.png,Mass,1000,2,25.5,4", "does not lie on the image"),
        ("a.png,Mass,1,2,0,4", "does not lie on the image"),
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
