"""What is compiled of the body: when it is, that training goes through it, that it goes again."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cxr.datasets import boxes
from cxr.training import compiled, learner
from cxr.training.compiled import CompiledBeginning, CompiledBody
from cxr.training.images import Images
from cxr.training.net import HeatmapNet
from cxr_labels import LABELS

SIDE = 64


@pytest.fixture
def learn(tmp_path: Path):
    """A learner on eight images, its early body frozen as in most of a training on a CPU."""
    learner.seed_everything(0)
    pixels = np.random.default_rng(0).integers(0, 256, (9, SIDE, SIDE), np.uint8)
    images = Images(
        SimpleNamespace(image=lambda row: pixels[row]),
        np.eye(len(LABELS), dtype=np.uint8)[:9],
        [f"{row}.png" for row in range(9)],
        boxes.Boxes(),
    )
    dls = learner.make_dls(images, np.arange(8), np.arange(8, 9), 8)
    made = learner.make_learner(dls, HeatmapNet(pretrained=False), 0.0, tmp_path)
    made.freeze_to(1)
    return made


@pytest.mark.parametrize("kind", [CompiledBeginning, CompiledBody])
def test_training_goes_through_what_was_compiled_and_leaves_nothing(learn, kind):
    """Each early stage, or the body, is compiled once; afterwards the network is as it was."""
    compiling = []

    def backend(graph, _):
        compiling.append(graph)
        return graph.forward

    before = list(learn.model.state_dict())
    callback = kind(backend)
    learn.fit(1, 1e-4, cbs=[callback])
    assert len(compiling) >= len(callback.parts) > 0
    assert list(learn.model.state_dict()) == before
    assert not [part for part in learn.model.modules() if "forward" in vars(part)]


@pytest.mark.parametrize("kind", [CompiledBeginning, CompiledBody])
def test_compiler_that_fails_stops_nothing(learn, kind):
    """The training goes on as without it."""

    def backend(graph, _):
        raise RuntimeError("no compiler")

    learn.fit(1, 1e-4, cbs=[kind(backend)])
    assert np.isfinite(learn.recorder.values[-1][0])


@pytest.mark.parametrize(
    ("images", "device", "taken"),
    [
        (2_000, "cpu", None),
        (20_000, "cpu", CompiledBeginning),
        (20_000, "cuda", None),
        (600_000, "cuda", CompiledBody),
    ],
)
def test_only_long_trainings_are_compiled(images, device, taken, tmp_path, monkeypatch):
    """A short one would wait longer for the compiler than it wins; a GPU is sooner done."""
    (tmp_path / "g++").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = compiled.callbacks(images, 320, torch.device(device))
    assert [type(callback) for callback in found] == ([taken] if taken else [])


def test_without_a_compiler_nothing_is_compiled(tmp_path, monkeypatch):
    """Where g++ is missing, training is as it always was."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compiled.callbacks(20000, 320, torch.device("cpu")) == []
