"""Computes all metrics of made-up predictions: the child process of other measurements.

    python -m benchmarks.predictions IMAGES PATIENTS MODEL

Prints the seconds that the metrics took, and the peak memory before them in MB.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.child import peak
from cxr.evaluation.compute import Sample, compute
from cxr.inference.prevalence import NIH, shares_at
from cxr.inference.probability import log_odds, sigmoid
from cxr.model import model_folder
from cxr.model.config import Config
from cxr_labels import LABELS


def made_up(config: Config, images: int, patients: int, seed: int = 0) -> Sample:
    """Predictions at NIH's prevalences with an AUROC of 0.74; few patients have many images."""
    rng = np.random.default_rng(seed)
    often = rng.pareto(1.5, patients) + 0.2
    more = rng.choice(patients, images - patients, p=often / often.sum())
    table = pd.DataFrame(
        {
            "patient": np.concatenate([np.arange(patients), more]),
            "age": rng.integers(1, 95, images).astype(float),
            "sex": rng.choice(["M", "F"], images),
            "view": rng.choice(["PA", "AP"], images),
        }
    )
    shares = shares_at(config, NIH)
    targets = (rng.random((images, len(LABELS))) < shares).astype(np.uint8)
    odds = log_odds(shares) + 0.9 * targets + rng.normal(0, 1, targets.shape)
    return Sample(table, targets, sigmoid(odds))


def main(images: str, patients: str, model: str) -> None:
    """Measures as `evaluate` does, with subgroups and the baseline of sex, age and view."""
    config = model_folder.load(Path(model))
    predicted = made_up(config, int(images), int(patients))
    before, begun = peak(os.getpid()), time.perf_counter()
    compute(predicted, config, None)
    print(time.perf_counter() - begun, before)


if __name__ == "__main__":
    main(*sys.argv[1:])
