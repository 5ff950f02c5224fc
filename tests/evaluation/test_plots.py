"""The plots of an evaluation: all drawn, whatever is undefined."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import ROOT, measured

from cxr.evaluation import plots
from cxr.model.metrics import Subgroups

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


def test_every_plot_is_drawn(tmp_path):
    """Each plot is a PNG of at least 700 px with something on it."""
    targets, probabilities = measured.images(200)
    files = plots.evaluation(measured.full(), targets, probabilities, tmp_path)
    assert set(files) == NAMES
    for file in files.values():
        assert Image.open(file).width >= 700
        assert ink(file) > 0.01


@pytest.mark.parametrize(
    "targets",
    [np.zeros((1, 15)), np.ones((40, 15))],
    ids=["one image without", "all carry it"],
)
def test_degenerate_images_are_drawn(tmp_path, targets):
    """A single image, and images that all say the same, give every plot."""
    probabilities = np.full(targets.shape, 0.2)
    files = plots.evaluation(measured.nothing(), targets.astype(np.uint8), probabilities, tmp_path)
    assert set(files) == NAMES
    assert all(ink(file) > 0.002 for file in files.values())


def test_groups_that_nobody_is_known_of_are_drawn(tmp_path):
    """Images of unknown sex, age and view give an empty plot of groups."""
    targets, probabilities = measured.images(30)
    metrics = measured.full(subgroups=Subgroups())
    assert plots.evaluation(metrics, targets, probabilities, tmp_path)["subgroups"].is_file()


@pytest.mark.slow
def test_plots_are_drawn_in_threads(tmp_path):
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


def test_plots_need_neither_pyplot_nor_fastai():
    """Importing the plots loads no pyplot, whose state threads share, and no fastai or torch."""
    code = (
        "import sys, cxr.evaluation.plots; "
        "print([n for n in ('matplotlib.pyplot', 'fastai', 'torch') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
