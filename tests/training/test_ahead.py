"""Batches that are made ahead are those that would be made in turn, and so is what they teach."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fastai.learner import Learner

from cxr.datasets import boxes
from cxr.training import learner
from cxr.training.ahead import Ahead, MakeAhead
from cxr.training.images import Images
from cxr.training.net import HeatmapNet
from cxr_labels import LABELS

SIDE, TRAIN, VALID, BATCH = 64, 24, 4, 8


@pytest.fixture(scope="module")
def images() -> Images:
    pixels = np.random.default_rng(0).integers(0, 256, (TRAIN + VALID, SIDE, SIDE), np.uint8)
    return Images(
        SimpleNamespace(image=lambda row: pixels[row]),
        np.eye(len(LABELS), dtype=np.uint8)[np.arange(TRAIN + VALID) % len(LABELS)],
        [f"{row}.png" for row in range(TRAIN + VALID)],
        boxes.Boxes(),
    )


def test_batches_are_those_made_in_turn(images):
    """Two epochs of one seed hold the same images, augmented the same way, in the same order."""
    loader = _loaders(images).train
    in_turn = [*loader, *loader]
    loader = Ahead(_loaders(images).train)
    ahead = [*loader, *loader]
    assert len(in_turn) == len(ahead) == 2 * TRAIN // BATCH
    for one, other in zip(in_turn, ahead, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
        assert [type(part) for part in one] == [type(part) for part in other]


def test_training_is_the_same_training(images, tmp_path):
    """Weights and losses are equal, to the last bit, where the network itself draws nothing."""
    kept = []
    for name, callbacks in (("in_turn", []), ("ahead", [MakeAhead()])):
        learn = _learner(images, tmp_path / name)
        learn.freeze()
        learn.fit(1, 1e-3, cbs=callbacks)
        kept.append((learn.model.state_dict(), learn.recorder.values))
    (weights, losses), (weights_ahead, losses_ahead) = kept
    assert losses == losses_ahead
    assert [key for key in weights if not torch.equal(weights[key], weights_ahead[key])] == []


def test_batch_that_was_begun_is_the_next(images):
    """Begun twice, it is made once; the loop then gives it, and none is left out."""
    loader = Ahead(_loaders(images).train)
    batches = iter(loader)
    next(batches)
    begun = loader.begin()
    assert loader.begin() is begun
    assert next(batches)[0] is begun.result().batch[0]
    assert len(list(batches)) == TRAIN // BATCH - 2


def test_loop_that_is_left_early_leaves_no_thread(images):
    """What was begun is finished and dropped."""
    batches = iter(Ahead(_loaders(images).train))
    next(batches)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


def test_image_that_cannot_be_read_stops_the_loop(images):
    """The error in the thread is raised where the batch is asked for."""
    cache = SimpleNamespace(image=images.cache.image)
    batches = Ahead(_loaders(replace(images, cache=cache)).train)

    def fails(row: int) -> np.ndarray:
        raise OSError("the disk is gone")

    cache.image = fails
    with pytest.raises(OSError, match="the disk is gone"):
        next(iter(batches))


def _loaders(images: Images):
    learner.seed_everything(0)
    return learner.make_dls(images, np.arange(TRAIN), np.arange(TRAIN, TRAIN + VALID), BATCH)


def _learner(images: Images, folder) -> Learner:
    dls = _loaders(images)
    net = HeatmapNet(pretrained=False)
    net.drop.p = 0.0
    return learner.make_learner(dls, net, 0.0, folder)
