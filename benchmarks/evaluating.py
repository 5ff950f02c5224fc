"""How fast a model is evaluated."""

import contextlib
import io
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import folders, unavoidable
from benchmarks.metric import Metric
from benchmarks.timing import seconds
from cxr.model import model_folder
from cxr_labels import LABELS


def evaluation(data: Path, model: Path) -> list[Metric]:
    """`evaluate` on 1,000 images with its report, relative to decoding and the network alone."""
    from cxr.evaluation import evaluate

    steps = unavoidable.steps(model, model_folder.load(model).image_size)
    folder = folders.labelled(data, data.parent / "labelled", 1000)
    alone = seconds(steps, folders.images_of(folder, 1000))
    begun = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        evaluate.evaluate(model, folder, data.parent / "report", include_training=True)
    whole = time.perf_counter() - begun
    what = "evaluating 1,000 images of 1024x1024 / decode + resize + run"
    return [Metric(what, whole / alone, 1.3, "lower")]


def resampling(data: Path, model: Path) -> list[Metric]:
    """Seconds of all intervals: 1,000 resamples over 858 images and 15 labels."""
    from cxr.evaluation.compute import Sample, compute

    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "patient": rng.integers(0, 480, 858),
            "age": rng.uniform(20, 80, 858),
            "sex": rng.choice(["M", "F"], 858),
            "view": rng.choice(["PA", "AP"], 858),
        }
    )
    targets = (rng.random((858, len(LABELS))) < 0.1).astype(np.uint8)
    scores = np.clip(0.1 + 0.2 * targets + rng.normal(0, 0.1, targets.shape), 0.001, 0.999)
    begun = time.perf_counter()
    predicted = Sample(table, targets, scores)
    compute(predicted, model_folder.load(model), None)
    taken = time.perf_counter() - begun
    return [Metric("seconds of 1,000 resamples over 858 images, with subgroups", taken, 5, "lower")]
