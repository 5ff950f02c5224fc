"""The learner: which weights move, at which rates, and with which decay."""

import inspect
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from fastai import optimizer
from fastai.callback.core import Callback
from fastai.learner import Learner
from sklearn.metrics import roc_auc_score

from cxr.datasets import boxes
from cxr.training import checkpoint, learner, loaders
from cxr.training.augment import Augmentation
from cxr.training.callbacks import MeanAuroc, WeightAverage
from cxr.training.checkpoint import Progress
from cxr.training.loaders import Images
from cxr.training.net import HeatmapNet
from cxr_labels import LABELS

SIDE, IMAGES = 64, 9
EARLY, LATE, HEAD = range(3)


@pytest.fixture(scope="module")
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


def make_learner(images: Images, folder: Path, batch: int = 8) -> Learner:
    """A learner of an untrained network on eight images, by default one batch per epoch."""
    learner.seed_everything(0)
    dls = loaders.make_dls(images, np.arange(IMAGES - 1), np.arange(IMAGES - 1, IMAGES), batch)
    made = learner.make_learner(dls, HeatmapNet(pretrained=False), 0.5, folder)
    made.remove_cb(made.progress)
    return made


@pytest.fixture
def learn(images, tmp_path) -> Learner:
    """Such a learner for one test."""
    return make_learner(images, tmp_path)


def weights(learn) -> list[list[torch.Tensor]]:
    """The weights of the groups early backbone, late backbone and head, as they are now."""
    return [[p.detach().clone() for p in group] for group in learn.model.parameter_groups()]


def running_means(learn) -> list[torch.Tensor]:
    """What the batch norms of the backbone have seen, from the first to the last."""
    buffers = learn.model.backbone.named_buffers()
    return [buffer.clone() for name, buffer in buffers if name.endswith("running_mean")]


@pytest.mark.parametrize(
    ("frozen", "moving"), [(0, {EARLY, LATE, HEAD}), (1, {LATE, HEAD}), (2, {HEAD})]
)
def test_frozen_groups_keep_their_weights(learn, frozen, moving):
    """After a step only the groups that are not frozen have changed."""
    learner.freeze(learn, frozen)
    before, means = weights(learn), running_means(learn)
    with learn.no_logging():
        learn.fit(1, 1e-3)
    changed = {
        k
        for k, (old, new) in enumerate(zip(before, weights(learn), strict=True))
        if any(not torch.equal(a, b) for a, b in zip(old, new, strict=True))
    }
    assert changed == moving
    same = [torch.equal(a, b) for a, b in zip(means, running_means(learn), strict=True)]
    assert same[0] == (frozen > 0)  # the first batch norm is of the early backbone
    assert same[-1] == (frozen > 1)


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


class Watch(Callback):
    """Notes the bias of the head at each step of a training; behind all other callbacks."""

    order = 90

    def __init__(self):
        self.trained, self.measured, self.resumed = [], [], []

    def bias(self) -> torch.Tensor:
        return self.model.fine.bias.detach().clone()

    def before_train(self):
        self.resumed.append(self.bias())

    def after_train(self):
        self.trained.append(self.bias())

    def before_validate(self):
        self.measured.append(self.bias())


@dataclass(frozen=True)
class Trained:
    """A short training: its learner, weights before it, history, folder and what Watch noted."""

    learn: Learner
    before: list[list[torch.Tensor]]
    history: pd.DataFrame
    folder: Path
    watch: Watch


@pytest.fixture(scope="module")
def trained(images, tmp_path_factory) -> Trained:
    """One epoch of the head and two of the whole network, each of two batches."""
    folder = tmp_path_factory.mktemp("trained")
    learn = make_learner(images, folder, batch=4)
    before, watch = weights(learn), Watch()
    learn.add_cb(watch)
    file = folder / checkpoint.FILE
    history = learner.fit(learn, 2, 1, file, Progress({"--seed": 1}, rate=0.01))
    return Trained(learn, before, history, folder, watch)


def test_backbone_learns_more_slowly_than_the_head(trained):
    """In a training the rates rise from early backbone to head by equal factors.

    Weights and biases of a group have one rate.
    """
    rates = np.array([hyper["lr"] for hyper in trained.learn.opt.hypers])
    assert rates / rates.max() == pytest.approx([0.2, 0.2, 0.447, 0.447, 1, 1], rel=1e-2)


def test_history_has_a_row_for_each_epoch(trained):
    """The head is trained first; all losses are numbers, and history.csv is the same table."""
    assert trained.history.phase.to_list() == ["frozen", "unfrozen", "unfrozen"]
    assert trained.history.epoch.to_list() == [1, 2, 3]
    assert {"train_loss", "valid_loss", "mean_auroc"} <= set(trained.history)
    assert trained.history[["train_loss", "valid_loss"]].notna().all(axis=None)
    written = pd.read_csv(trained.folder / "history.csv")
    assert written.phase.to_list() == trained.history.phase.to_list()
    assert np.allclose(written.valid_loss, trained.history.valid_loss)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU trains all layers")
def test_early_backbone_stays_frozen_on_a_cpu(trained):
    """On a CPU a whole training leaves the early layers as they were, and no others."""
    changed = {
        k
        for k, (old, new) in enumerate(zip(trained.before, weights(trained.learn), strict=True))
        if any(not torch.equal(a, b) for a, b in zip(old, new, strict=True))
    }
    assert changed == {LATE, HEAD}


def test_average_is_measured_and_kept_but_not_trained_on(trained):
    """Validation sees the average; the next epoch continues from the weights themselves."""
    watch = trained.watch
    for own, average in zip(watch.trained, watch.measured, strict=True):
        assert not torch.equal(own, average)
    assert torch.equal(watch.resumed[2], watch.trained[1])  # within the phase
    assert torch.equal(watch.resumed[1], watch.measured[0])  # the first phase ends with it
    assert torch.equal(watch.bias(), watch.measured[-1])


def test_checkpoint_holds_the_whole_progress(trained):
    """After the last epoch the file says what was done, at which rate, by which options."""
    found = checkpoint.read(trained.folder / checkpoint.FILE, {"--seed": 1})
    assert found is not None
    assert (found.rate, found.phase, found.epochs) == (0.01, "unfrozen", 2)
    assert [row["phase"] for row in found.history] == trained.history.phase.to_list()


def test_optimiser_has_fastais_defaults(learn):
    """torch's AdamW runs with the moments and the epsilon of fastai's Adam."""
    learn.create_opt()
    defaults = {name: p.default for name, p in inspect.signature(optimizer.Adam).parameters.items()}
    for group in learn.opt.opt.param_groups:
        assert group["betas"] == (defaults["mom"], defaults["sqr_mom"])
        assert group["eps"] == defaults["eps"]


def test_metric_is_the_mean_over_labels_that_differ():
    """All batches since the last reset count; a label that no image or every image has does not."""
    metric, random = MeanAuroc(), np.random.default_rng(0)
    for _ in range(2):  # the second pass forgets the first
        targets = random.integers(0, 2, (20, 3)).astype(np.float32)
        targets[:, 1] = 0
        logits = random.normal(targets, 1).astype(np.float32)
        metric.reset()
        for batch in (slice(0, 8), slice(8, 20)):
            pred, wanted = (torch.from_numpy(part[batch]) for part in (logits, targets))
            metric.accumulate(SimpleNamespace(pred=pred, yb=(wanted,), to_detach=torch.Tensor.cpu))
        expected = [roc_auc_score(targets[:, k], logits[:, k]) for k in (0, 2)]
        assert metric.value == pytest.approx(np.mean(expected), abs=1e-6)
    metric.reset()
    nothing = torch.zeros(4, 3)
    metric.accumulate(SimpleNamespace(pred=nothing, yb=(nothing,), to_detach=torch.Tensor.cpu))
    assert np.isnan(metric.value)


def test_found_rate_is_a_short_number_and_names_itself(learn, capsys):
    """The finder says what it does, shows no epochs, and returns two digits.

    The rate is a tenth of the one with the lowest loss, and the network is as it was.
    """
    before = weights(learn)
    rate, tried = learner.find_rate(learn, 12)
    assert rate == float(f"{rate:.1e}")
    assert len(repr(rate)) < 8
    assert list(tried) == ["rate", "loss"]
    printed = capsys.readouterr().out
    assert "learning rate" in printed
    assert "Epoch" not in printed
    counted = tried[1:-5]  # fastai leaves out the first tenth and the last five
    lowest = counted.rate[counted.loss.idxmin()]
    assert rate == pytest.approx(lowest / 10, rel=0.05)
    for old, new in zip(before, weights(learn), strict=True):
        assert all(map(torch.equal, old, new))


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


@pytest.mark.parametrize(("options", "expected"), [((), 0.01), ((0.5,), 0.5)])
def test_average_forgets_at_its_decay(options, expected):
    """After many steps a change of a weight moves its average by 1 - decay, by default 1 %."""
    average = WeightAverage(*options)
    average.learn = SimpleNamespace(model=torch.nn.Linear(1, 1, bias=False))
    torch.nn.init.zeros_(average.model.weight)
    average.before_fit()
    for _ in range(1000):  # (1 + n) / (10 + n) reaches 0.99 at 890
        average.after_step()
    torch.nn.init.ones_(average.model.weight)
    average.after_step()
    assert average.average.module.weight.item() == pytest.approx(expected, rel=1e-3)


def test_validation_images_come_as_they_are(images):
    """In their order, with their own targets and boxes, 0..1 and without augmentation."""
    rows = np.array([8, 3])
    dls = loaders.make_dls(images, np.array([5, 2, 7]), rows, 32)
    ((pixels, targets, maps),) = [
        [part.as_subclass(torch.Tensor).cpu() for part in batch] for batch in dls.valid
    ]
    for place, row in enumerate(rows):
        wanted = torch.from_numpy(images.cache.image(row)) / 255
        torch.testing.assert_close(pixels[place, 0], wanted)
        assert targets[place].nonzero().flatten().tolist() == [row]
        boxed = torch.from_numpy(images.boxes.map_of(f"{row}.png")) / 255
        torch.testing.assert_close(maps[place], boxed)
    assert boxed.any()


def test_few_training_images_make_one_batch(images):
    """fastai drops a batch that is not full; with fewer images than a batch it is smaller."""
    learner.seed_everything(0)
    dls = loaders.make_dls(images, np.array([5, 2, 7]), np.array([8]), 32)
    ((pixels, targets, _),) = list(dls.train)
    assert len(pixels) == 3
    assert targets.as_subclass(torch.Tensor).sum(0).nonzero().flatten().tolist() == [2, 5, 7]
    assert 0.3 < pixels.mean() < 0.7  # noise of 0..255, still 0..1 after AddNoise


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


@pytest.mark.parametrize(
    ("recipe", "mirror", "mirrors"),
    [("default", False, False), ("default", True, True), ("article", False, True)],
)
def test_images_are_flipped_by_the_article_or_on_request(recipe, mirror, mirrors):
    """Of images that are bright on the left, about half are turned; by default none."""
    learner.seed_everything(0)
    left = np.zeros((64, 64), np.uint8)
    left[:, :32] = 255
    images = Images(
        SimpleNamespace(image=lambda row: left),
        np.eye(len(LABELS), dtype=np.uint8)[np.arange(68) % len(LABELS)],
        [f"{row}.png" for row in range(68)],
        boxes.Boxes(),
    )
    dls = loaders.make_dls(images, np.arange(64), np.arange(64, 68), 64, recipe, mirror)
    middle = dls.one_batch()[0].as_subclass(torch.Tensor)[:, 0, 16:48]
    mirrored = (middle[..., 32:].mean((1, 2)) > middle[..., :32].mean((1, 2))).float().mean()
    assert 0.25 < mirrored < 0.75 if mirrors else mirrored == 0
