"""The figures of an evaluation: all drawn, right where it can be counted, never in the way."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score
from support import ROOT, measured

from cxr.evaluation import plots
from cxr_labels import LABELS

NAMES = {
    "auroc",
    "roc",
    "precision_recall",
    "reliability",
    "thresholds",
    "accuracy",
    "subgroups",
}


def ink(file: Path) -> float:
    """Share of an image's pixels that are not white."""
    return float((np.asarray(Image.open(file).convert("L")) < 250).mean())


def test_every_figure_is_drawn(tmp_path):
    """Each figure is a PNG of at least 700 px with something on it."""
    targets, probabilities = measured.images(200)
    files = plots.evaluation(measured.full(), targets, probabilities, tmp_path)
    assert set(files) == NAMES
    for file in files.values():
        assert Image.open(file).width >= 700
        assert ink(file) > 0.01


@pytest.mark.parametrize(
    "targets",
    [np.zeros((1, 15)), np.ones((1, 15)), np.zeros((40, 15)), np.ones((40, 15))],
    ids=["one image without", "one image with", "none carries it", "all carry it"],
)
def test_degenerate_images_are_drawn(tmp_path, targets):
    """A single image, and images that all say the same, give every figure."""
    probabilities = np.full(targets.shape, 0.2)
    files = plots.evaluation(measured.nothing(), targets.astype(np.uint8), probabilities, tmp_path)
    assert set(files) == NAMES
    assert all(ink(file) > 0.002 for file in files.values())


def test_groups_that_nobody_is_known_of_are_drawn(tmp_path):
    """Images of unknown sex, age and view give an empty figure of groups."""
    targets, probabilities = measured.images(30)
    metrics = measured.full() | {"subgroups": {"sex": {}, "age": {}, "view": {}, "gaps": []}}
    assert plots.evaluation(metrics, targets, probabilities, tmp_path)["subgroups"].is_file()


def test_undefined_label_is_named_in_the_figure(tmp_path):
    """Without images that carry a label, the figure of AUROCs changes but keeps its row."""
    findings = measured.full()["findings"]
    plots.aurocs(findings, tmp_path / "all.png")
    findings["Hernia"] |= {"auroc": None, "auroc_ci95": None, "positives": 0}
    plots.aurocs(findings, tmp_path / "fewer.png")
    whole, fewer = (np.asarray(Image.open(tmp_path / f"{n}.png")) for n in ("all", "fewer"))
    assert whole.shape == fewer.shape
    assert (whole != fewer).any()


def test_area_under_the_drawn_curves_is_the_measured_one():
    """Thinned for drawing, the ROC curve keeps its area (0.005), precision and recall theirs."""
    targets, probabilities = measured.images(5000)
    for k, _ in enumerate(LABELS):
        target, score = targets[:, k], np.round(probabilities[:, k], 3)  # with ties
        curve = plots._Curve(target, score)
        assert len(curve.scores) <= 2 * plots._POINTS + 2
        false_alarms, sensitivity = curve.roc()
        area = np.trapezoid(sensitivity, false_alarms)
        assert area == pytest.approx(roc_auc_score(target, score), abs=0.005)
        recall, precision = curve.precision_recall()
        steps = (np.diff(recall) * precision[1:]).sum()
        assert steps == pytest.approx(average_precision_score(target, score), abs=0.01)


def test_curves_hold_the_sensitivity_and_specificity_of_their_thresholds():
    """At every threshold drawn, the shares are those that counting by hand gives."""
    targets, probabilities = measured.images(300)
    target, score = targets[:, 3].astype(bool), np.round(probabilities[:, 3], 2)
    curve = plots._Curve(targets[:, 3], score)
    for k, threshold in enumerate(curve.scores):
        flagged = score >= threshold
        assert curve.sensitivity[k] == pytest.approx(flagged[target].mean())
        assert curve.specificity[k] == pytest.approx((~flagged[~target]).mean())
        assert curve.precision[k] == pytest.approx(target[flagged].mean())


def test_figures_are_drawn_in_threads(tmp_path):
    """Two threads that draw at once give the same images as one."""
    targets, probabilities = measured.images(50)
    metrics = measured.full()
    folders = [tmp_path / name for name in ("alone", "a", "b")]

    def draw(folder: Path) -> None:
        plots.evaluation(metrics, targets, probabilities, folder)

    draw(folders[0])
    threads = [threading.Thread(target=draw, args=(folder,)) for folder in folders[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in NAMES:
        alone, a, b = (Image.open(folder / f"{name}.png").tobytes() for folder in folders)
        assert alone == a == b


def test_figures_need_neither_pyplot_nor_fastai():
    """Importing the figures loads no pyplot, whose state threads share, and no fastai or torch."""
    code = (
        "import sys, cxr.evaluation.plots; "
        "print([n for n in ('matplotlib.pyplot', 'fastai', 'torch') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
