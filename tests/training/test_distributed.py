"""Training in two processes on a CPU, launched by accelerate as several GPUs would be."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support import ROOT, STARTER, hub_standin, noted_training, planted, publishing

from cxr.datasets import nih
from cxr.evaluation.scoring import mean_auroc
from cxr.imaging import read_image, resize
from cxr.inference.predictor import Predictor
from cxr.model import model_folder
from cxr.training import net

pytestmark = pytest.mark.slow

LAUNCH = ("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2")
# Odd numbers of images, and more than one batch of 32 for each process.
TRAIN, VALID = 79, 11


def launch(script: str, *options: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a script in two processes, without a GPU. variables: of its environment."""
    command = [sys.executable, *LAUNCH, "--main_process_port", "0", str(ROOT / script)]
    return subprocess.run(
        [*command, *map(str, options)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", **variables},
    )


@dataclass(frozen=True)
class Together:
    """A finished training in two processes: its data, folder, notes of each, what was printed."""

    data: Path
    folder: Path
    notes: list[dict]
    printed: str

    def images_of(self, split: str) -> set[str]:
        """The images of a set."""
        with (self.folder / "splits.csv").open(newline="") as file:
            return {row["image_index"] for row in csv.DictReader(file) if row["split"] == split}


@pytest.fixture(scope="module")
def together(tmp_path_factory) -> Together:
    """One frozen epoch and one of the whole, in two processes, with notes."""
    folder = tmp_path_factory.mktemp("together")
    data = planted.make_folder(folder / "images", patients=54)
    with (folder / "splits.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image_index", "patient", "split"])
        for patient in range(1, 55):
            split = "train" if patient <= 40 else "valid" if patient <= 46 else "test"
            writer.writerow([f"{patient:08d}_000.png", patient, split])
    for patient in (40, 46):  # so that neither set divides evenly
        (data / "images" / f"{patient:08d}_001.png").unlink()
    options = {"data": data, "output": folder / "model", "split": folder / "splits.csv"}
    options |= {"boxes": data / "BBox_List_2017.csv", "image-size": 64, "epochs": 1, "lr": 5e-3}
    words = [part for name, value in options.items() for part in (f"--{name}", value)]
    done = launch("tests/support/noted_training.py", folder, *words)
    assert done.returncode == 0, done.stderr
    notes = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]
    return Together(data, folder / "model", notes, done.stdout)


def test_every_image_is_trained_on_once_per_epoch(together):
    """Over both processes each training image is read once an epoch, but for one that fills up."""
    images = together.images_of("train")
    assert len(images) == TRAIN
    for first, second in zip(*(note["train"] for note in together.notes), strict=True):
        assert len(first) == len(second) == (TRAIN + 1) // 2
        times = Counter(first + second)
        assert times.keys() == images
        assert sorted(times.values()) == [1] * (TRAIN - 1) + [2]


def test_epochs_deal_images_anew(together):
    """A process does not see the same images in every epoch."""
    frozen, whole = together.notes[0]["train"]
    assert set(frozen) != set(whole)


def test_metric_counts_every_validation_image_once(together):
    """Both processes measure all validation images, without the one that fills up."""
    for first, second in zip(*(note["valid"] for note in together.notes), strict=True):
        assert set(first) | set(second) == together.images_of("valid")
        assert len(first) < VALID
    assert [note["counted"] for note in together.notes] == [[VALID, VALID]] * 2
    assert together.notes[0]["auroc"] == together.notes[1]["auroc"]


def test_processes_end_on_one_network(together):
    """Both end on the same weights and running means, which are those exported."""
    digests = {note["digest"] for note in together.notes}
    assert digests == {noted_training.digest(net.load(together.folder))}


def test_metric_is_that_of_the_exported_network(together):
    """The last AUROC of the training is what the exported file reaches on the validation images."""
    data = nih.load(together.data)
    valid = data.table.image.isin(together.images_of("valid")).to_numpy()
    predictor = Predictor(together.folder, model_folder.load(together.folder))
    images = [read_image(data.source.places[name]) for name in data.table.image[valid]]
    size = predictor.config.image_size
    logits = predictor.run(np.stack([resize(image, size) for image in images])[:, None]).logits
    wanted = mean_auroc(data.targets[valid], logits)
    assert together.notes[0]["auroc"][-1] == pytest.approx(wanted, abs=0.03)


def test_only_the_main_process_writes_and_prints(together):
    """The other process decodes, splits, draws, measures and prints nothing."""
    main, other = (note["did"] for note in together.notes)
    assert main == ["_decode", "write", "history", "choose"]
    assert other == []
    for once in ("images of 54 patients", "Exporting:", "Model folder:"):
        assert together.printed.count(once) == 1
    assert model_folder.load(together.folder).training["processes"] == 2


def test_what_stops_two_processes_is_said_once(tmp_path):
    """Wrong data ends both, with the sentence of the main process alone."""
    done = launch("train.py", "--data", tmp_path / "none", "--output", tmp_path / "model")
    assert done.returncode == 1
    assert done.stderr.count("Stopped: There is no folder or zip file") == 1
    assert not (tmp_path / "model").exists()


def test_only_the_main_process_publishes(tmp_path):
    """A finished run is pushed once, not by every process."""
    folder = publishing.make_folder(tmp_path / "model")
    shutil.copy(STARTER / "metrics.json", folder)
    options = ("--data", tmp_path, "--output", folder, "--resume", "--push-to-hub", "owner/name")
    with hub_standin.running() as hub:
        done = launch("train.py", *options, **hub.environment(tmp_path / "home"))
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Published:") == 1
        assert len(publishing.commits(hub)) == 1
