"""What is chosen on the validation images, and whose images count as held out."""

import csv
import shutil
from pathlib import Path

import pytest
from support import STARTER, planted

from cxr.datasets.files import DataError
from cxr.model.config import read_config
from cxr.training import choose, data
from cxr.training.data import RunData
from cxr.training.settings import Settings

SETS = {"train": range(1, 7), "valid": range(7, 11), "test": range(11, 13)}  # patients


@pytest.fixture
def settings(tmp_path) -> Settings:
    """A run on 24 planted images of twelve patients, at the size of the starter's input.

    Edema is on the first image of each training patient, Hernia of each validation patient.
    """
    folder = planted.make_folder(tmp_path / "images", patients=12)
    with (folder / "sample_labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["Follow-up #"] == "0":
            patient = int(row["Patient ID"])
            extra = "Edema" if patient in SETS["train"] else "Hernia"
            row["Finding Labels"] = extra if patient not in SETS["test"] else "Mass"
    with (folder / "sample_labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    split = _write_splits(tmp_path / "splits.csv", SETS)
    size = read_config(STARTER / "config.json").image_size
    return Settings(folder, tmp_path / "model", image_size=size, split=str(split))


@pytest.fixture
def loaded(settings) -> RunData:
    """The data of that run."""
    return data.load(settings, settings.data)


def test_finding_without_training_images_is_never_flagged(settings, loaded, tmp_path):
    """What training never saw has no threshold, even if validation images carry it.

    What only the validation images lack has one.
    """
    (tmp_path / "folder").mkdir()
    shutil.copy(STARTER / "model.onnx", tmp_path / "folder")
    chosen = choose.choose(settings, loaded, tmp_path / "folder", {}).thresholds
    assert "Hernia" not in chosen
    assert {"Edema", "Mass"} <= set(chosen)


@pytest.mark.parametrize("name", ["valid", "test"])
def test_start_that_saw_a_held_out_patient_is_rejected(loaded, tmp_path, name):
    """A network may not start from one that was trained on validation or test patients."""
    seen = {"train": [*SETS["train"], SETS[name][0]]}
    (tmp_path / "start").mkdir()
    _write_splits(tmp_path / "start" / "splits.csv", seen)
    with pytest.raises(DataError, match="2 of the images held out here are of patients"):
        data.check_start(loaded, [tmp_path / "start"])


def _write_splits(path: Path, sets: dict) -> Path:
    rows = [
        f"{patient:08d}_000.png,{patient},{name}" for name, ids in sets.items() for patient in ids
    ]
    path.write_text("\n".join(["image_index,patient,split", *rows, ""]))
    return path
