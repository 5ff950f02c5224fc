"""What is chosen on the validation images, and what the config says before that."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import STARTER

from cxr.datasets.boxes import Boxes
from cxr.evaluation import thresholds
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import TRAINING
from cxr.model import model_folder
from cxr.model.config import Config
from cxr.training import choose
from cxr_labels import LABELS, NIH_PREVALENCE

# Boxes by set as (label, x, y, w, h): those of training images are larger.
BOXES = {"train": [(0, 0.2, 0.2, 0.6, 0.5)], "valid": [(k, 0.3, 0.3, 0.4, 0.4) for k in range(3)]}


@pytest.fixture(scope="module")
def boxed(loaded):
    """The run's data, with one box on each training image and three on each validation image."""
    names = np.array(loaded.images.names)
    of_image = {name: BOXES[one] for one in BOXES for name in names[loaded.split == one]}
    return replace(loaded, images=replace(loaded.images, boxes=Boxes(of_image)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the starter's network alone."""
    folder = tmp_path_factory.mktemp("chosen")
    shutil.copy(STARTER / "model.onnx", folder)
    return folder


@pytest.fixture(scope="module")
def config(settings, boxed, folder) -> Config:
    """What is chosen for the run by the rule f1."""
    return choose.choose(replace(settings, thresholds="f1"), boxed, folder, {"seed": 5})


def test_finding_without_training_images_is_never_flagged(config):
    """What training never saw has no threshold, even if validation images carry it.

    What only the validation images lack has one.
    """
    assert "Hernia" not in config.thresholds
    assert {"Edema", "Mass"} <= set(config.thresholds)


def test_thresholds_are_chosen_on_calibrated_validation_probabilities(config, boxed, folder):
    """All come from what the calibrated model answers on validation images, by the rule."""
    valid = boxed.rows("valid")
    answers = Predictor(folder, config).predict([boxed.reader()(row) for row in valid], TRAINING)
    found = np.array([[answer.probabilities[label] for label in LABELS] for answer in answers])
    targets, patients = boxed.data.targets[valid], boxed.patients[valid]
    expected = thresholds.choose("f1", targets, found)
    assert config.thresholds == pytest.approx({k: expected[k] for k in config.thresholds}, abs=1e-6)
    assert config.threshold_rule == "f1"
    curve = thresholds.accuracy_curve(targets, found)
    assert config.accuracy_threshold == pytest.approx(curve[2], abs=1e-6)
    points = thresholds.operating_points(targets, found, config.thresholds, patients)
    assert config.operating_points == points
    assert config.calibration != dict.fromkeys(LABELS, (1.0, 0.0))


def test_config_describes_the_network_and_its_training(config, settings, folder):
    """Hash, size, backbone and record are the run's; prevalences are those of training images."""
    assert config.sha256 == model_folder.sha256(folder / "model.onnx")
    assert (config.image_size, config.architecture) == (settings.image_size, settings.arch)
    assert config.training == {"seed": 5}
    shares = config.prevalence["training"]
    assert shares["Edema"] == 6.5 / 13  # six of twelve images, and half an image on either side
    assert shares["Hernia"] == 0.5 / 13
    assert config.prevalence["nih"] == NIH_PREVALENCE


def test_few_images_give_no_input_check(config, folder):
    """Twelve training images say too little of what is unusual."""
    assert config.input_check is None
    assert [path.name for path in folder.iterdir()] == ["model.onnx"]


def test_box_rule_has_the_sizes_of_training_boxes(config):
    """The rule that is tuned on validation boxes draws boxes as large as those of training."""
    assert config.box_rule.sizes == {"Atelectasis": pytest.approx((0.6, 0.5))}
