"""What is left out of a data set, and how the report names it."""

import zipfile

import numpy as np
import pytest
from support.images import Row, encode, make_nih_folder, write_table

from cxr.datasets import nih
from cxr.datasets.files import DataError
from cxr_labels import LABELS, LabelError

ROWS = [
    Row("00000001_000.png", "Cardiomegaly", 1),
    Row("00000001_001.png", "Cardiomegaly|Emphysema", 1),
    Row("00000002_000.png", "No Finding", 2),
    Row("00000013_005.png", "Effusion|Infiltrate", 13),
]
IMAGE = encode(np.zeros((64, 64), np.uint8))


@pytest.fixture
def folder(tmp_path):
    """The four images of ROWS in the Kaggle sample's layout."""
    return make_nih_folder(tmp_path / "sample", ROWS)


def test_image_without_row(folder):
    """An image that the table does not know is left out and named."""
    (folder / "images" / "extra.png").write_bytes(IMAGE)
    data = nih.load(folder)
    assert data.report.images_without_row == ["extra.png"]
    assert "extra.png" not in data.source.places
    assert len(data.table) == len(data.targets) == 4


def test_row_without_image(folder):
    """A row whose image is not there is left out and named; the others keep their labels."""
    (folder / "images" / ROWS[0].image).unlink()
    data = nih.load(folder)
    assert data.report.rows_without_image == [ROWS[0].image]
    assert data.table.image.tolist() == [row.image for row in ROWS[1:]]
    assert data.targets[0].sum() == 2
    assert data.targets[1, LABELS.index("No Finding")] == 1


def test_duplicate_rows(folder):
    """Of several rows of one image the first is taken; the image is named once."""
    again = [Row(ROWS[0].image, "Hernia", 7), Row(ROWS[0].image, "Mass", 8)]
    write_table(folder / "sample_labels.csv", [*ROWS, *again])
    data = nih.load(folder)
    assert data.report.duplicate_rows == [ROWS[0].image]
    assert data.table.image.tolist() == [row.image for row in ROWS]
    assert data.table.patient[0] == "1"
    assert [LABELS[k] for k in np.flatnonzero(data.targets[0])] == ["Cardiomegaly"]


def test_duplicate_images(folder):
    """Of images of one name in several places one is taken; the name is reported once."""
    for place in ("more", "most"):
        (folder / place).mkdir()
        (folder / place / ROWS[0].image).write_bytes(IMAGE)
    data = nih.load(folder)
    assert data.report.duplicate_images == [ROWS[0].image]
    assert data.source.places[ROWS[0].image] == str(folder / "images" / ROWS[0].image)


def test_duplicate_images_in_a_zip(folder, tmp_path):
    """In a zip, too, the first by name is taken, whatever the order of its members."""
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for place in ("z", "a", "m"):
            archive.writestr(f"{place}/{ROWS[0].image}", IMAGE)
        archive.write(folder / "sample_labels.csv", "sample_labels.csv")
    data = nih.load(path)
    assert data.source.places == {ROWS[0].image: f"a/{ROWS[0].image}"}
    assert data.report.duplicate_images == [ROWS[0].image]


def test_unusable_labels_are_left_out_when_asked(folder):
    """Images of unknown, missing or contradictory labels go, named; the others keep theirs."""
    cells = ["Mass|Scoliosis", "", "No Finding|Mass"]
    rows = [Row(row.image, cell) for row, cell in zip(ROWS, cells, strict=False)]
    write_table(folder / "sample_labels.csv", [*rows, ROWS[3]])
    data = nih.load(folder, skip_unusable=True)
    assert data.table.image.tolist() == [ROWS[3].image]
    assert data.table.patient.tolist() == ["13"]
    assert {LABELS[k] for k in np.flatnonzero(data.targets[0])} == {"Effusion", "Infiltration"}
    assert data.report.sentences() == [
        "3 images have labels that are not of the 15 known ones ('', 'No Finding|Mass', "
        "'Scoliosis') and were left out."
    ]


def test_unusable_labels_alone_are_an_error(folder):
    """Where no image has usable labels the first unknown one is named."""
    write_table(folder / "sample_labels.csv", [Row(row.image, "Scoliosis") for row in ROWS])
    with pytest.raises(LabelError, match="Row 2: the label 'Scoliosis'"):
        nih.load(folder, skip_unusable=True)


def test_unusable_labels_are_named_by_image(folder):
    """Of each image the unknown labels are reported, and not its known ones."""
    rows = [Row(ROWS[0].image, "Mass| Cough |Scoliosis"), *ROWS[1:]]
    write_table(folder / "sample_labels.csv", rows)
    data = nih.load(folder, skip_unusable=True)
    assert data.report.unusable_labels == {ROWS[0].image: ["Cough", "Scoliosis"]}


def test_sentences_count_and_name():
    """The report says how many, and names the first three."""
    report = nih.Report(
        images_without_row=["a", "b", "c", "d"],
        rows_without_image=["e"] * 1234,
        duplicate_rows=["f", "g", "h"],
        duplicate_images=["i"],
        implausible_ages=["j"],
        unreadable_images=["k"],
        unusable_labels={"l": ["Scoliosis"]},
    )
    assert report.sentences() == [
        "4 images have no row in the label table and were left out (a, b, c, ...).",
        "1,234 rows of the label table have no image and were left out (e, e, e, ...).",
        "3 images have more than one row; the first was used (f, g, h).",
        "1 images are in more than one place; the first was used (i).",
        "1 ages are not plausible and count as unknown (j).",
        "1 images cannot be read and were left out (k).",
        "1 image has labels that are not of the 15 known ones ('Scoliosis') and was left out.",
    ]


def test_several_problems_are_reported_together(folder):
    """Each list of the report has its own images, in the order of the table or by name."""
    rows = [*ROWS, Row("y.png"), Row("x.png"), Row("y.png"), Row(ROWS[1].image)]
    rows[0] = Row(ROWS[0].image, age="411")
    write_table(folder / "sample_labels.csv", rows)
    for name in ("d.png", "c.png"):
        (folder / "images" / name).write_bytes(IMAGE)
    (folder / ROWS[2].image).write_bytes(IMAGE)
    report = nih.load(folder).keep(np.array([True, True, True, False])).report
    assert report == nih.Report(
        images_without_row=["c.png", "d.png"],
        rows_without_image=["y.png", "x.png"],
        duplicate_rows=["y.png", ROWS[1].image],
        duplicate_images=[ROWS[2].image],
        implausible_ages=[ROWS[0].image],
        unreadable_images=[ROWS[3].image],
    )


def test_keep(folder):
    """Images that cannot be read leave the table and the targets together, and are named."""
    data = nih.load(folder).keep(np.array([True, False, True, True]))
    assert data.report.unreadable_images == [ROWS[1].image]
    assert data.table.image.tolist() == [ROWS[i].image for i in (0, 2, 3)]
    assert data.table.index.tolist() == [0, 1, 2]
    assert data.targets.sum(1).tolist() == [1, 1, 2]


def test_keep_nothing(folder):
    """When no image can be read it stops."""
    with pytest.raises(DataError, match="None of the images can be read"):
        nih.load(folder).keep(np.zeros(4, bool))
