"""The compiled beginning of the body: what it answers, when it is used, and that it goes again."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cxr.training import boxes, compiled, learner
from cxr.training.compiled import CompiledBeginning
from cxr.training.films import Films
from cxr.training.net import EvidenceNet
from cxr_labels import LABELS

SIDE = 64


@pytest.fixture
def learn(tmp_path: Path):
    """A learner on eight films, its early body frozen as in most of a training on a CPU."""
    learner.seed_everything(0)
    pixels = np.random.default_rng(0).integers(0, 256, (9, SIDE, SIDE), np.uint8)
    films = Films(
        SimpleNamespace(film=lambda row: pixels[row]),
        np.eye(len(LABELS), dtype=np.uint8)[:9],
        [f"{row}.png" for row in range(9)],
        boxes.Boxes(),
    )
    dls = learner.make_dls(films, np.arange(8), np.arange(8, 9), 8)
    made = learner.make_learner(dls, EvidenceNet(pretrained=False), 0.0, tmp_path)
    made.freeze_to(1)
    return made


def test_training_goes_through_what_was_compiled_and_leaves_nothing(learn):
    """Each early stage is compiled once, and afterwards the network is as it was."""
    compiling = []

    def backend(graph, _):
        compiling.append(graph)
        return graph.forward

    before = list(learn.model.state_dict())
    learn.fit(1, 1e-4, cbs=[CompiledBeginning(backend)])
    assert len(compiling) >= len(learn.model.halves()[0])
    assert list(learn.model.state_dict()) == before
    assert not [stage for stage in learn.model.halves()[0] if "forward" in vars(stage)]


def test_compiler_that_fails_stops_nothing(learn):
    """The training goes on as without it."""

    def backend(graph, _):
        raise RuntimeError("no compiler")

    learn.fit(1, 1e-4, cbs=[CompiledBeginning(backend)])
    assert np.isfinite(learn.recorder.values[-1][0])


@pytest.mark.parametrize(
    ("films", "device", "taken"),
    [(2000, "cpu", False), (20000, "cpu", True), (20000, "cuda", False)],
)
def test_only_long_trainings_on_a_cpu_are_compiled(films, device, taken, tmp_path, monkeypatch):
    """A short one would wait longer for the compiler than it wins."""
    (tmp_path / "g++").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bool(compiled.callbacks(films, 320, torch.device(device))) == taken


def test_without_a_compiler_nothing_is_compiled(tmp_path, monkeypatch):
    """Where g++ is missing, training is as it always was."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compiled.callbacks(20000, 320, torch.device("cpu")) == []
