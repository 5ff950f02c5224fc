"""The data of a run: what is left out, which set each image is in, and what is said of it."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import planted

from cxr import imaging
from cxr.datasets import boxes, splits
from cxr.datasets.boxes import Boxes
from cxr.datasets.files import DataError
from cxr.model import model_folder
from cxr.training import data
from cxr.training.settings import Settings

LISTED = Path("BBox_List_2017.csv")


def test_unreadable_image_is_left_out_of_everything(tmp_path, capsys):
    """Names, targets, sets and pixels of the others stay together; what is left out is said."""
    folder = planted.make_folder(tmp_path / "images", patients=12)
    broken = "00000003_000.png"
    (folder / "images" / broken).write_text("no image")
    settings = Settings(folder, tmp_path / "model", image_size=planted.SIDE, seed=7)
    run = data.load(replace(settings, boxes=folder / LISTED), folder)
    assert f"Note: 1 images cannot be read and were left out ({broken})." in capsys.readouterr().out
    names = run.images.names
    assert len(names) == len(run.split) == len(run.images.targets) == 23
    assert broken not in names
    assert np.array_equal(run.split, splits.make(run.data, "patient", 7))
    assert run.images.boxes == boxes.read(folder / LISTED)
    with (folder / "sample_labels.csv").open(newline="") as file:
        labels = {row["Image Index"]: row["Finding Labels"] for row in csv.DictReader(file)}
    for row, name in enumerate(names):
        image = imaging.read_image(folder / "images" / name)
        np.testing.assert_array_equal(run.reader()(row).grey, image.grey)
        assert run.images.targets[row].sum() == len(labels[name].split("|"))


def test_each_set_has_its_rows(loaded):
    """Rows, and what splits.csv says, follow the set of each image."""
    assert [len(run_rows(loaded, name)) for name in splits.NAMES] == [12, 8, 4]
    table = loaded.splits()
    assert list(table) == ["image_index", "patient", "split"]
    assert table.image_index.to_list() == loaded.images.names
    assert table.split[table.patient.isin(["1", "6"])].unique().tolist() == ["train"]
    assert table.split[table.patient.isin(["7", "10"])].unique().tolist() == ["valid"]


def run_rows(run, name: str) -> list[str]:
    return [run.images.names[row] for row in run.rows(name)]


@pytest.mark.parametrize("name", ["valid", "test"])
def test_start_that_saw_a_held_out_patient_is_rejected(loaded, tmp_path, name):
    """A network may not start from one that was trained on validation or test patients."""
    patients = [1, 2, {"valid": 7, "test": 11}[name]]
    rows = [f"{patient:08d}_000.png,{patient},train" for patient in patients]
    path = tmp_path / model_folder.SPLITS
    path.write_text("\n".join(["image_index,patient,split", *rows, ""]))
    with pytest.raises(DataError, match="2 of the images held out here are of patients") as error:
        data.check_start(loaded, [tmp_path])
    assert f"--split {path}" in str(error.value)


def test_start_that_held_out_the_same_patients_is_accepted(loaded, settings, tmp_path):
    """The network's own split may be used again."""
    shutil.copy(settings.split, tmp_path / model_folder.SPLITS)
    data.check_start(loaded, [tmp_path])


def test_sets_are_printed(loaded, capsys):
    """One line says how many images and patients there are, and how many images each set has."""
    data.print_split(loaded)
    assert capsys.readouterr().out == "24 images of 12 patients: 12 train, 8 valid, 4 test\n"


def test_patients_in_two_sets_are_warned_about(loaded, capsys):
    """The share is that of the validation images."""
    split = loaded.split.copy()
    of_patient_1 = np.flatnonzero(loaded.patients == "1")
    split[of_patient_1[0]] = "valid"  # one of nine, whose other image is trained on
    data.print_split(replace(loaded, split=split))
    assert "Warning: 1 validation images (11 %) are of patients in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "boxed", "sentence"),
    [
        ({"boxes": None}, ["train"], "No boxes were used."),
        ({}, ["train", "valid"], "The heatmaps were taught with the boxes of 12 training images."),
        ({"recipe": "article"}, ["train"], "not taught with boxes: the article's way has none."),
        ({"split": "official"}, ["test"], "every boxed image belongs to the official test"),
        ({"split": "official"}, ["valid"], "not taught with boxes: no training image has a box."),
        ({}, ["test"], "not taught with boxes: no training image has a box."),
    ],
)
def test_card_says_whether_boxes_taught_the_heatmaps(settings, loaded, changes, boxed, sentence):
    """Only boxes of training images count, and only in the default recipe."""
    names = [name for one in boxed for name in run_rows(loaded, one)]
    found = Boxes({name: [(k, 0.1, 0.1, 0.2, 0.2) for k in range(2)] for name in names})
    run = replace(loaded, images=replace(loaded.images, boxes=found))
    assert sentence in data.describe_boxes(run, replace(settings, **{"boxes": LISTED, **changes}))
