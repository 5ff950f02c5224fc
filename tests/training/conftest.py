"""A small run, not trained: its settings, and its data."""

import csv
from pathlib import Path

import pytest
from support import STARTER, planted

from cxr.model.config import read_config
from cxr.training import data
from cxr.training.data import RunData
from cxr.training.settings import Settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    """A run on 24 planted images of twelve patients, at the size of the starter's input.

    Six patients are in the training set, four in the validation set and two in the test set. Edema
    is on the first image of each training patient, Hernia of each validation patient.
    """
    place = tmp_path_factory.mktemp("small")
    folder = planted.make_folder(place / "images", patients=12)
    with (folder / "sample_labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    split = ["image_index,patient,split"]
    for row in rows:
        patient = int(row["Patient ID"])
        name = "train" if patient <= 6 else "valid" if patient <= 10 else "test"
        if row["Follow-up #"] == "0":
            row["Finding Labels"] = {"train": "Edema", "valid": "Hernia", "test": "Mass"}[name]
            split.append(f"{row['Image Index']},{patient},{name}")
    with (folder / "sample_labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    sets = _write(place / "splits.csv", split)
    size = read_config(STARTER / "config.json").image_size
    return Settings(folder, place / "model", image_size=size, split=str(sets))


@pytest.fixture(scope="module")
def loaded(settings) -> RunData:
    """The data of that run."""
    return data.load(settings, settings.data)


def _write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join([*lines, ""]))
    return path
