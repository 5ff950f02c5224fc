"""Batches that are made ahead are those that would be made in turn, and so is what they teach."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fastai.learner import Learner

from cxr.training import boxes, learner
from cxr.training.ahead import Ahead, MakeAhead
from cxr.training.films import Films
from cxr.training.net import EvidenceNet
from cxr_labels import LABELS

SIDE, TRAIN, VALID, BATCH = 64, 24, 4, 8


@pytest.fixture(scope="module")
def films() -> Films:
    pixels = np.random.default_rng(0).integers(0, 256, (TRAIN + VALID, SIDE, SIDE), np.uint8)
    return Films(
        SimpleNamespace(film=lambda row: pixels[row]),
        np.eye(len(LABELS), dtype=np.uint8)[np.arange(TRAIN + VALID) % len(LABELS)],
        [f"{row}.png" for row in range(TRAIN + VALID)],
        boxes.Boxes(),
    )


def test_batches_are_those_made_in_turn(films):
    """Two epochs of one seed hold the same films, augmented the same way, in the same order."""
    loader = _loaders(films).train
    in_turn = [*loader, *loader]
    loader = Ahead(_loaders(films).train)
    ahead = [*loader, *loader]
    assert len(in_turn) == len(ahead) == 2 * TRAIN // BATCH
    for one, other in zip(in_turn, ahead, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
        assert [type(part) for part in one] == [type(part) for part in other]


def test_training_is_the_same_training(films, tmp_path):
    """Weights and losses are equal, to the last bit, where the network itself draws nothing."""
    kept = []
    for name, callbacks in (("in_turn", []), ("ahead", [MakeAhead()])):
        learn = _learner(films, tmp_path / name)
        learn.freeze()
        learn.fit(1, 1e-3, cbs=callbacks)
        kept.append((learn.model.state_dict(), learn.recorder.values))
    (weights, losses), (weights_ahead, losses_ahead) = kept
    assert losses == losses_ahead
    assert [key for key in weights if not torch.equal(weights[key], weights_ahead[key])] == []


def test_batch_that_was_begun_is_the_next(films):
    """Begun twice, it is made once; the loop then gives it, and none is left out."""
    loader = Ahead(_loaders(films).train)
    batches = iter(loader)
    next(batches)
    begun = loader.begin()
    assert loader.begin() is begun
    assert next(batches)[0] is begun.result().batch[0]
    assert len(list(batches)) == TRAIN // BATCH - 2


def test_loop_that_is_left_early_leaves_no_thread(films):
    """What was begun is finished and dropped."""
    batches = iter(Ahead(_loaders(films).train))
    next(batches)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


def test_film_that_cannot_be_read_stops_the_loop(films):
    """The error in the thread is raised where the batch is asked for."""
    cache = SimpleNamespace(film=films.cache.film)
    batches = Ahead(_loaders(replace(films, cache=cache)).train)

    def fails(row: int) -> np.ndarray:
        raise OSError("the disk is gone")

    cache.film = fails
    with pytest.raises(OSError, match="the disk is gone"):
        next(iter(batches))


def _loaders(films: Films):
    learner.seed_everything(0)
    return learner.make_dls(films, np.arange(TRAIN), np.arange(TRAIN, TRAIN + VALID), BATCH)


def _learner(films: Films, folder) -> Learner:
    dls = _loaders(films)
    net = EvidenceNet(pretrained=False)
    net.drop.p = 0.0
    return learner.make_learner(dls, net, 0.0, folder)
