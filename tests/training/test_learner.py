"""The learner: which weights move, at which rates, and with which decay."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cxr.datasets import boxes
from cxr.training import learner, loaders
from cxr.training.augment import Augmentation
from cxr.training.callbacks import WeightAverage
from cxr.training.checkpoint import Progress
from cxr.training.loaders import Images
from cxr.training.net import HeatmapNet
from cxr_labels import LABELS

SIDE, IMAGES = 64, 9
EARLY, LATE, HEAD = range(3)


@pytest.fixture
def images() -> Images:
    """Nine images of noise, each with one label and its box."""
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, SIDE, SIDE), np.uint8)
    names = [f"{row}.png" for row in range(IMAGES)]
    return Images(
        SimpleNamespace(image=lambda row: pixels[row]),
        np.eye(len(LABELS), dtype=np.uint8)[:IMAGES],
        names,
        boxes.Boxes({name: [(k, 0.2, 0.3, 0.4, 0.3)] for k, name in enumerate(names)}),
    )


@pytest.fixture
def learn(images, tmp_path):
    """A learner of an untrained network, one batch of eight images per epoch."""
    learner.seed_everything(0)
    dls = loaders.make_dls(images, np.arange(IMAGES - 1), np.arange(IMAGES - 1, IMAGES), 8)
    made = learner.make_learner(dls, HeatmapNet(pretrained=False), 0.5, tmp_path)
    made.remove_cb(made.progress)
    return made


def weights(learn) -> list[list[torch.Tensor]]:
    """The weights of the groups early backbone, late backbone and head, as they are now."""
    return [[p.detach().clone() for p in group] for group in learn.model.parameter_groups()]


@pytest.mark.parametrize(
    ("frozen", "moving"), [(0, {EARLY, LATE, HEAD}), (1, {LATE, HEAD}), (2, {HEAD})]
)
def test_frozen_groups_keep_their_weights(learn, frozen, moving):
    """After a step only the groups that are not frozen have changed."""
    learner.freeze(learn, frozen)
    before = weights(learn)
    with learn.no_logging():
        learn.fit(1, 1e-3)
    changed = {
        k
        for k, (old, new) in enumerate(zip(before, weights(learn), strict=True))
        if any(not torch.equal(a, b) for a, b in zip(old, new, strict=True))
    }
    assert changed == moving


def test_only_weights_decay(learn):
    """Without a gradient's push weights shrink by rate times decay; biases and batch norms stay."""
    learn.create_opt()
    learn.opt.set_hyper("lr", 0.1)
    before = {name: p.detach().clone() for name, p in learn.model.named_parameters()}
    for parameter in learn.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    learn.opt.step()
    for name, after in learn.model.named_parameters():
        shrunk = 1 - 0.1 * learner.WEIGHT_DECAY if after.ndim > 1 else 1
        torch.testing.assert_close(after.detach(), before[name] * shrunk, msg=name)


def test_backbone_learns_more_slowly_than_the_head(learn, tmp_path):
    """In a training the rates rise from early backbone to head by equal factors.

    Weights and biases of a group have one rate.
    """
    learner.fit(learn, 1, 0, tmp_path / "checkpoint.pt", Progress({}, rate=0.01))
    rates = np.array([hyper["lr"] for hyper in learn.opt.hypers])
    assert rates / rates.max() == pytest.approx([0.2, 0.2, 0.447, 0.447, 1, 1], rel=1e-2)


def test_found_rate_is_a_short_number_and_names_itself(learn, capsys):
    """The finder says what it does, shows no epochs, and returns two digits."""
    rate, tried = learner.find_rate(learn, 12)
    assert rate == float(f"{rate:.1e}")
    assert len(repr(rate)) < 8
    assert list(tried) == ["rate", "loss"]
    printed = capsys.readouterr().out
    assert "learning rate" in printed
    assert "Epoch" not in printed


def test_average_moves_towards_the_weights(learn):
    """After each step the average of a weight lies between the one before and the weight."""
    average = WeightAverage()
    average.learn = learn
    average.before_fit()
    first = {name: p.clone() for name, p in learn.model.named_parameters()}
    average.after_step()
    with torch.no_grad():
        for parameter in learn.model.parameters():
            parameter += 1
    average.after_step()
    for name, parameter in average.average.module.named_parameters():
        # The second step has a decay of 2 / 11.
        torch.testing.assert_close(parameter.detach(), first[name].detach() + 9 / 11, msg=name)


def test_workers_prepare_the_same_images(images):
    """Batches of worker processes, as on a GPU, hold every training image once, augmented."""
    learner.seed_everything(0)
    dls = loaders.make_dls(images, np.arange(8), np.arange(8, 9), 4, workers=2)
    batches = list(dls.train)
    assert [tuple(batch[0].shape) for batch in batches] == [(4, 1, SIDE, SIDE)] * 2
    shares = sum(batch[1].as_subclass(torch.Tensor).sum(0) for batch in batches)
    assert shares[:8].sum() == pytest.approx(8, abs=1e-4)
    assert all(batch[2].as_subclass(torch.Tensor).any() for batch in batches)


def test_boxes_of_a_batch_move_with_their_images(images):
    """An image and its box maps get the same change."""
    rows = range(IMAGES)
    plain, _, boxed = loaders.read_batch(images, rows, None)
    mirrored = [Augmentation(mirrored=True)] * IMAGES
    turned, _, moved = loaders.read_batch(images, rows, mirrored)
    assert not torch.equal(boxed, boxed.flip(-1))
    assert torch.equal(turned, plain.flip(-1))
    assert torch.equal(moved, boxed.flip(-1))


def test_same_seed_gives_the_same_batches(images):
    """Augmentation does not depend on which thread takes which image."""
    found = []
    for _ in range(2):
        learner.seed_everything(3)
        dls = loaders.make_dls(images, np.arange(8), np.arange(8, 9), 8)
        found.append(dls.train.one_batch()[0])
    assert torch.equal(*found)


@pytest.mark.parametrize(("recipe", "mirrors"), [("default", False), ("article", True)])
def test_only_the_articles_recipe_flips_images(recipe, mirrors):
    """Of images that are bright on the left, fastai's flips turn about half; the default's none."""
    learner.seed_everything(0)
    left = np.zeros((64, 64), np.uint8)
    left[:, :32] = 255
    images = Images(
        SimpleNamespace(image=lambda row: left),
        np.eye(len(LABELS), dtype=np.uint8)[np.arange(68) % len(LABELS)],
        [f"{row}.png" for row in range(68)],
        boxes.Boxes(),
    )
    dls = loaders.make_dls(images, np.arange(64), np.arange(64, 68), 64, recipe)
    middle = dls.one_batch()[0].as_subclass(torch.Tensor)[:, 0, 16:48]
    mirrored = (middle[..., 32:].mean((1, 2)) > middle[..., :32].mean((1, 2))).float().mean()
    assert 0.25 < mirrored < 0.75 if mirrors else mirrored == 0
