"""Simulated images with labels and probabilities, and the config of a model for them."""

import numpy as np
import pandas as pd
import pytest

from cxr.evaluation.compute import Sample
from cxr.model.config import Config
from cxr_labels import FINDINGS, LABELS, NIH_PREVALENCE

EXACT = 1e-9
SEEDS = pytest.mark.parametrize("seed", range(5))


def some_images(seed, count=300, share=0.3, digits=1):
    """Targets, probabilities with many ties, and weights of some images of one label."""
    rng = np.random.default_rng(seed)
    target = (rng.random(count) < share).astype(np.uint8)
    target[:2] = 0, 1
    probability = np.round(1 / (1 + np.exp(-rng.normal(1.5 * target - 1, 1.0))), digits)
    return target, probability, rng.random(count) + 0.1


def images_of(rng, count):
    """A table of images of patients with two each, with everything known."""
    return pd.DataFrame(
        {
            "patient": np.arange(count) // 2,
            "sex": rng.choice(["M", "F"], count),
            "view": rng.choice(["PA", "AP"], count),
            "age": rng.integers(20, 90, count).astype(float),
        }
    )


def config(training=None, chosen=0.3):
    """A model that was trained at the given shares (else NIH's), with one threshold for all."""
    return Config(
        labels=LABELS,
        architecture="none",
        pooling="none",
        image_size=32,
        calibration=dict.fromkeys(LABELS, (1.0, 0.0)),
        thresholds=dict.fromkeys(FINDINGS, chosen),
        prevalence={"training": training or NIH_PREVALENCE, "nih": NIH_PREVALENCE},
        sha256="",
        training={"split": "patient"},
    )


def sample(count=60, seed=0, **changed):
    """Images with a little of everything; `changed` are columns of the table."""
    rng = np.random.default_rng(seed)
    table = images_of(rng, count).assign(image=[f"{i}.png" for i in range(count)], **changed)
    targets = (rng.random((count, len(LABELS))) < 0.3).astype(np.uint8)
    return Sample(table, targets, rng.random(targets.shape))
