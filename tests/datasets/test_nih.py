"""Finding the label table and the images in every layout that people have on disk."""

import zipfile

import numpy as np
import pytest
from support.images import (
    KAGGLE_HEADER,
    RELEASE_2020_HEADER,
    RELEASE_HEADER,
    Row,
    encode,
    make_nih_folder,
    make_release_folder,
    make_zip,
    write_table,
)

from cxr.datasets import nih
from cxr.datasets.files import DataError
from cxr_labels import LABELS, LabelError

ROWS = [
    Row("00000001_000.png", "Cardiomegaly", 1, "058Y", "M", "PA"),
    Row("00000001_001.png", "Cardiomegaly|Emphysema", 1, "058Y", "M", "AP"),
    Row("00000002_000.png", "No Finding", 2, "081Y", "F", "PA"),
    Row("00000013_005.png", "Effusion|Infiltrate", 13, "060Y", "F", "AP"),
]
IMAGE = encode(np.zeros((64, 64), np.uint8))


@pytest.fixture
def folder(tmp_path):
    """The four images of ROWS in the Kaggle sample's layout."""
    return make_nih_folder(tmp_path / "sample", ROWS)


def one(tmp_path, **cells):
    """Data of one image with these cells in its row."""
    return nih.load(make_nih_folder(tmp_path, [Row("a.png", **cells)]))


def check(data):
    """The data are those of ROWS, and every image can be read."""
    assert data.table.image.tolist() == [row.image for row in ROWS]
    assert data.table.patient.tolist() == ["1", "1", "2", "13"]
    assert data.table.age.tolist() == [58, 58, 81, 60]
    assert data.table.sex.tolist() == ["M", "M", "F", "F"]
    assert data.table["view"].tolist() == ["PA", "AP", "PA", "AP"]
    found = [{LABELS[k] for k in np.flatnonzero(target)} for target in data.targets]
    assert found == [
        {"Cardiomegaly"},
        {"Cardiomegaly", "Emphysema"},
        {"No Finding"},
        {"Effusion", "Infiltration"},
    ]
    assert data.targets.dtype == np.uint8
    assert data.targets.shape == (4, 15)
    assert data.report.sentences() == []
    reader = data.source.reader()
    assert all(reader.read(name).startswith(b"\x89PNG") for name in data.table.image)
    assert len({reader.read(name) for name in data.table.image}) == 4


# Layouts ----------------------------------------------------------------------------------------


def test_kaggle_folder(folder):
    """The Kaggle sample: sample_labels.csv beside images/."""
    check(nih.load(folder))


def test_path_as_text(folder):
    """The data may be named by text too."""
    check(nih.load(str(folder)))


@pytest.mark.parametrize(
    "header",
    [
        RELEASE_HEADER,
        RELEASE_2020_HEADER,
        KAGGLE_HEADER,
        RELEASE_2020_HEADER.replace("OriginalImage[Width,Height]", '"OriginalImage[Width,Height]"'),
    ],
    ids=["2017", "2020", "kaggle", "quoted"],
)
def test_full_release_headers(tmp_path, header):
    """The full release, images in many folders, with each spelling of its header."""
    check(nih.load(make_release_folder(tmp_path, ROWS, header)))


def test_row_longer_than_its_header(folder):
    """Stray commas at the end of a row move nothing."""
    table = folder / "sample_labels.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines[:3], lines[3] + ",,,", *lines[4:]]))
    check(nih.load(folder))


@pytest.mark.parametrize("make", [make_nih_folder, make_release_folder])
@pytest.mark.parametrize("below", ["", "sample/", "sample/sample/"])
def test_zip(tmp_path, make, below):
    """A zip of either layout, however deep, is the same data as the folder."""
    make(tmp_path / "data", ROWS)
    check(nih.load(make_zip(tmp_path / "data.zip", tmp_path / "data", below)))


def test_zip_is_not_unpacked(folder, tmp_path):
    """Loading a zip and reading its images writes no file."""
    path = make_zip(tmp_path / "data.zip", folder)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    check(nih.load(path))
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_zip_made_on_a_mac(folder, tmp_path):
    """The shadow copies that macOS adds are no images and no tables."""
    path = make_zip(tmp_path / "data.zip", folder, "sample/")
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("images/._00000001_000.png", "._sample_labels.csv"):
            archive.writestr(f"__MACOSX/sample/{name}", b"\0\5\x16\7")
            archive.writestr(f"sample/{name}", b"\0\5\x16\7")
        archive.writestr("__MACOSX/sample/images/icon.png", b"\0\5\x16\7")
    check(nih.load(path))


def test_link_to_a_folder_is_followed(folder, tmp_path):
    """Images may lie on another disk behind a link."""
    (folder / "images").rename(tmp_path / "elsewhere")
    (folder / "images").symlink_to(tmp_path / "elsewhere")
    check(nih.load(folder))


def test_link_in_a_circle(folder):
    """A link back to the folder itself neither hangs nor doubles the images."""
    (folder / "images" / "again").symlink_to(folder)
    check(nih.load(folder))


def test_box_file_is_not_the_label_table(folder):
    """The list of boxes beside the table is not taken for it, even if it were longer."""
    boxes = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n" + "00000001_000.png,Mass,1,2,3,4\n" * 99
    (folder / "BBox_List_2017.csv").write_text(boxes)
    check(nih.load(folder))


@pytest.mark.parametrize("header", ["Image Index,Patient ID", "Finding Labels,Patient ID"])
def test_table_without_images_or_labels_is_not_the_label_table(folder, header):
    """A longer table beside it that lacks one of the two columns is passed over."""
    (folder / "a_notes.csv").write_text(f"{header}\n" + "00000001_000.png,7\n" * 99)
    check(nih.load(folder))


def test_largest_table_counts(folder):
    """Of several label tables the one with the most rows is read."""
    write_table(folder / "a_part.csv", ROWS[:1])
    write_table(folder / "z_part.csv", ROWS[:1])
    check(nih.load(folder))


def test_nearest_of_equal_tables_counts(folder):
    """Of tables with as many rows the one nearest to the root is read."""
    write_table(folder / "images" / "a_copy.csv", [Row(row.image, "Hernia") for row in ROWS])
    check(nih.load(folder))


def test_suffixes_in_capitals(folder):
    """Image names are found in any case of the suffix, and in every format."""
    for row, name in zip(ROWS, ["a.PNG", "b.Jpg", "c.tif", "d.dcm"], strict=True):
        (folder / "images" / row.image).rename(folder / "images" / name)
    write_table(
        folder / "sample_labels.csv", [Row(n) for n in ("a.PNG", "b.Jpg", "c.tif", "d.dcm")]
    )
    assert len(nih.load(folder).table) == 4


@pytest.mark.parametrize("mark", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_table_from_any_editor(folder, mark, end):
    """A byte-order mark and the line ends of other systems change nothing."""
    table = folder / "sample_labels.csv"
    text = table.read_text()
    table.write_bytes(text.replace("\n", end).encode(mark))
    check(nih.load(folder))


def test_blanks_around_cells(folder):
    """Blanks around names and cells are not part of them."""
    table = folder / "sample_labels.csv"
    table.write_text(table.read_text().replace(",", " , "))
    check(nih.load(folder))


def test_columns_in_another_order(folder):
    """Columns are found by their names."""
    lines = (folder / "sample_labels.csv").read_text().splitlines()
    turned = [",".join(reversed(line.split(","))) for line in lines]
    (folder / "sample_labels.csv").write_text("\n".join(turned))
    check(nih.load(folder))


def test_other_spelling_of_sex(folder):
    """The edition of 2020 calls the column of the sex "Patient Sex"."""
    table = folder / "sample_labels.csv"
    table.write_text(table.read_text().replace("Patient Gender", "Patient Sex"))
    check(nih.load(folder))


def test_table_of_three_columns(folder):
    """Without age, sex and view these are unknown, and the rest is read."""
    lines = ["Image Index,Finding Labels,Patient ID"]
    lines += [f"{row.image},{row.labels},{row.patient}" for row in ROWS]
    (folder / "sample_labels.csv").write_text("\n".join(lines))
    data = nih.load(folder)
    assert data.table.patient.tolist() == ["1", "1", "2", "13"]
    assert data.table[["age", "sex", "view"]].isna().all(axis=None)


# Cells ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "years"),
    [
        ("060Y", 60),
        ("060y", 60),
        ("60 Y", 60),
        ("060", 60),
        ("60", 60),
        ("011M", 11 / 12),
        ("023D", 23 / 365.25),
        ("1200m", 100),
        ("000Y", 0),
        ("110Y", 110),
    ],
)
def test_age(tmp_path, cell, years):
    """Ages in years, months or days, with or without zeros and the unit."""
    data = one(tmp_path, age=cell)
    assert data.table.age.tolist() == [pytest.approx(years)]
    assert data.report.implausible_ages == []


@pytest.mark.parametrize("cell", ["411", "411Y", "111", "-5", "old", "6O"])
def test_implausible_age(tmp_path, cell):
    """An age that nobody reaches, or that is none, becomes unknown and is reported."""
    data = one(tmp_path, age=cell)
    assert np.isnan(data.table.age[0])
    assert data.report.implausible_ages == ["a.png"]


def test_empty_age(tmp_path):
    """An empty age is unknown; that is nothing to report."""
    data = one(tmp_path, age="")
    assert np.isnan(data.table.age[0])
    assert data.report.sentences() == []


@pytest.mark.parametrize(("sex", "view"), [("M", "PA"), ("F", "AP"), ("m", "pa"), (" f ", " Ap ")])
def test_sex_and_view(tmp_path, sex, view):
    """Both are read in any case, with blanks around them."""
    table = one(tmp_path, sex=sex, view=view).table
    assert table[["sex", "view"]].to_numpy().tolist() == [
        [sex.strip().upper(), view.strip().upper()]
    ]


def test_unknown_sex_and_view(tmp_path):
    """A sex or view that the release does not have is unknown, not a group of its own."""
    data = one(tmp_path, sex="O", view="LL")
    assert data.table[["sex", "view"]].isna().all(axis=None)


@pytest.mark.parametrize("cell", ["", " "])
def test_missing_patient(folder, cell):
    """A row without a patient stops with its number: people could not be kept apart."""
    rows = [*ROWS[:2], *(Row(row.image, patient=cell) for row in ROWS[2:])]
    write_table(folder / "sample_labels.csv", rows)
    with pytest.raises(DataError, match=r"Row 4 .*'Patient ID'"):
        nih.load(folder)


@pytest.mark.parametrize(
    ("cell", "patient"),
    [
        ("00000013", "13"),
        ("13.0", "13"),
        ("H0", "H0"),
        ("a-7", "a-7"),
        ("1.5", "1.5"),
        ("0", "0"),
        ("000", "0"),
        ("NA", "NA"),
        ("007a", "007a"),
    ],
)
def test_patient_is_text(tmp_path, cell, patient):
    """Any text identifies a patient; a number is the same patient however it is written."""
    assert one(tmp_path, patient=cell).table.patient.tolist() == [patient]


def test_unknown_label(folder):
    """A label that is not NIH's stops with its name and the row as an editor counts it."""
    write_table(folder / "sample_labels.csv", [*ROWS[:2], Row(ROWS[2].image, "Mass|Scoliosis")])
    with pytest.raises(LabelError, match="Row 4: the label 'Scoliosis'"):
        nih.load(folder)


def test_rows_are_counted_as_in_the_file(folder):
    """Blank lines, doubled rows and rows without image before it do not shift a row's number."""
    lines = [KAGGLE_HEADER, ROWS[0].line(), "", ROWS[0].line(), Row("gone.png").line(), ""]
    lines.append(Row(ROWS[1].image, "Scoliosis").line())
    (folder / "sample_labels.csv").write_text("\n".join(lines))
    with pytest.raises(LabelError, match="Row 7:"):
        nih.load(folder)


def test_blank_lines_are_no_rows(folder):
    """Blank lines in and behind the table are passed over."""
    table = folder / "sample_labels.csv"
    table.write_text(table.read_text().replace("\n", "\n\n") + "\n\n")
    check(nih.load(folder))


def test_empty_label_cell(folder):
    """A row without labels stops with its number; it is not "No Finding"."""
    write_table(folder / "sample_labels.csv", [ROWS[0], Row(ROWS[1].image, "")])
    with pytest.raises(LabelError, match=r"Row 3: .*empty"):
        nih.load(folder)
