"""The table of example images: captions, sources, and which rows count."""

from pathlib import Path

import pytest
from support import IMAGE

from cxr.model.examples import ExampleImage, listed


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with two images, one of them below it."""
    for name in ("a_1.png", "deep/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(IMAGE.read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    ("labels", "caption"),
    [("Mass|Pleural_Thickening", "Mass, Pleural Thickening"), ("", "a 1"), ("Mass", "Mass")],
)
def test_caption_is_for_readers(folder, labels, caption):
    """The labels, or the name of an image whose labels are unknown."""
    assert ExampleImage(folder / "a_1.png", labels, "").caption == caption


def test_row_has_labels_and_source(folder):
    """By the names of the columns, in any order; texts are cut at 1,000 characters."""
    table = "source,file,other,labels\n" + f'"NIH, {"x" * 1200}",a_1.png,?,{"y" * 1200}\n'
    (folder / "examples.csv").write_text(table)
    (found,) = listed(folder)
    assert found.path == folder / "a_1.png"
    assert found.labels == "y" * 1000
    assert found.source == "NIH, " + "x" * 995


def test_row_of_another_folder_does_not_count(folder):
    """Not even one that leads back into the folder itself."""
    names = ["deep/b.png", f"../{folder.name}/a_1.png", "missing.png", "a_1.png"]
    (folder / "examples.csv").write_text("\n".join(["file", *names]))
    assert [image.path for image in listed(folder)] == [folder / "a_1.png"]
