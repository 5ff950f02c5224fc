"""Chooses calibration, thresholds and box rule from predictions for the validation images."""

from pathlib import Path
from typing import Any

import numpy as np

from cxr.datasets import splits
from cxr.evaluation import box_rule, calibration, predictions, thresholds
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import TRAINING, probabilities_at, shares_at
from cxr.model import model_folder
from cxr.model.config import Config
from cxr.training import fit_input_check
from cxr.training.data import RunData
from cxr.training.net import POOLING
from cxr.training.settings import Settings
from cxr_labels import LABELS, NIH_PREVALENCE


def choose(settings: Settings, run: RunData, folder: Path, training: dict[str, Any]) -> Config:
    """Chooses calibration, thresholds, box rule and the limits of the input check.

    Args:
        settings: The settings of the run.
        run: Its data.
        folder: The model folder with the exported network; receives input_check.npz.
        training: The record of the training.

    Returns:
        The config of the model, without metrics.
    """
    train, valid = run.rows(splits.TRAIN), run.rows(splits.VALID)
    names, boxes = run.images.names, run.images.boxes
    predictor = Predictor(folder, _unchosen(settings, run, folder, training))
    boxed = {int(row) for row in valid if names[row] in boxes.of_image}
    progress = "Choosing by validation images"
    found = predictions.collect(predictor, run.reader(), valid, boxed, progress)
    targets, patients = run.data.targets[valid], run.patients[valid]
    config = predictor.config
    calibrated = calibration.fit(found.logits, targets, patients, shares_at(config, TRAINING))
    config = config.replace(calibration=calibrated)
    probabilities = probabilities_at(config, found.logits, TRAINING)
    chosen = thresholds.choose(settings.thresholds, targets, probabilities)
    # A finding without training images is never flagged.
    images_with = dict(zip(LABELS, run.data.targets[train].sum(0), strict=True))
    chosen = {label: limit for label, limit in chosen.items() if images_with[label]}
    return config.replace(
        thresholds=chosen,
        threshold_rule=settings.thresholds,
        accuracy_threshold=thresholds.accuracy_curve(targets, probabilities)[2],
        operating_points=thresholds.operating_points(targets, probabilities, chosen, patients),
        box_rule=box_rule.tune(
            {names[row]: maps for row, maps in found.heatmaps.items()},
            boxes,
            [names[row] for row in train],
        ),
        input_check=fit_input_check.write(
            folder, predictor.run, run.images.cache.images, run.patients, train, valid
        ),
    )


def prevalence(targets: np.ndarray) -> np.ndarray:
    """Returns the share of images with each label; never 0 or 1, whose log-odds are infinite.

    Half an image is added on either side (Krichevsky and Trofimov), so that a label without images
    counts as rarer than one in N.

    Args:
        targets: 0 or 1, [N, 15].

    Returns:
        Shares, [15].
    """
    return (targets.sum(0) + 0.5) / (len(targets) + 1)


def _unchosen(settings: Settings, run: RunData, folder: Path, training: dict[str, Any]) -> Config:
    """The config before anything is chosen."""
    shares = prevalence(run.data.targets[run.rows(splits.TRAIN)])
    return Config(
        labels=LABELS,
        architecture=settings.arch,
        pooling=POOLING,
        image_size=settings.image_size,
        calibration=dict.fromkeys(LABELS, (1.0, 0.0)),
        thresholds={},
        prevalence={
            "training": {label: float(p) for label, p in zip(LABELS, shares, strict=True)},
            "nih": NIH_PREVALENCE,
        },
        sha256=model_folder.sha256(folder / model_folder.ONNX),
        training=training,
    )
