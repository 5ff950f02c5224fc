"""The box loss: its value, and how much of it a training minimises."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback

from cxr.datasets.boxes import GRID, Boxes
from cxr.training import learner, loaders
from cxr.training.callbacks import box_loss
from cxr.training.loaders import Images
from cxr.training.net import HeatmapNet
from cxr_labels import LABELS

SIDE, IMAGES = 64, 9


class Watch(Callback):
    """Notes the box maps of the batch, and what the minimised loss has over the label loss."""

    order = -10  # before the box maps are taken off the batch

    def before_batch(self):
        if self.training:
            self.box_maps = self.yb[-1].as_subclass(torch.Tensor)

    def before_backward(self):
        self.added = (self.loss_grad - self.loss).item()


@pytest.mark.parametrize("weight", [0.5, 1.0])
def test_box_loss_is_minimised_by_its_weight(tmp_path, weight):
    """One step: the loss that goes backward is the label loss plus weight times the box loss."""
    learner.seed_everything(0)
    names = [f"{row}.png" for row in range(IMAGES)]
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, SIDE, SIDE), np.uint8)
    images = Images(
        SimpleNamespace(image=lambda row: pixels[row]),
        np.eye(len(LABELS), dtype=np.uint8)[:IMAGES],
        names,
        Boxes({name: [(k, 0.2, 0.3, 0.4, 0.3)] for k, name in enumerate(names)}),
    )
    dls = loaders.make_dls(images, np.arange(IMAGES - 1), np.arange(IMAGES - 1, IMAGES), IMAGES - 1)
    net = HeatmapNet(pretrained=False)
    maps = []
    net.heatmaps.register_forward_hook(lambda *passed: maps.append(passed[-1].detach()))
    learn = learner.make_learner(dls, net, weight, tmp_path)
    watch = Watch()
    learn.fit(1, 0.0, cbs=[watch])
    expected = float(box_loss(maps[0], watch.box_maps))
    assert expected > 1
    assert watch.added == pytest.approx(weight * expected, rel=1e-3)


def test_box_counts_by_its_share():
    """Of two boxes the loss is the mean weighted by the share that each image has in its mix."""
    torch.manual_seed(0)
    heatmaps = torch.randn(2, 3, 8, 8)
    boxes = torch.zeros(2, 3, GRID, GRID)
    boxes[0, 1, 4:8, 4:12] = 1
    boxes[1, 2, 16:24, 8:20] = 1
    each = [float(box_loss(heatmaps[i : i + 1], boxes[i : i + 1])) for i in range(2)]
    boxes[1] *= 0.25
    assert abs(each[0] - each[1]) > 0.1
    assert float(box_loss(heatmaps[1:], boxes[1:])) == pytest.approx(each[1], rel=1e-5)
    expected = (each[0] + 0.25 * each[1]) / 1.25
    assert float(box_loss(heatmaps, boxes)) == pytest.approx(expected, rel=1e-5)


def test_box_loss_is_least_for_a_map_like_the_box():
    """The loss falls to the entropy of the box where the softmax of the heatmap is the box."""
    boxes = torch.zeros(1, 1, GRID, GRID)
    boxes[0, 0, 8:16, 8:24] = 1  # 2 x 4 cells of the 8 x 8 heatmap
    inside = torch.full((1, 1, 8, 8), -30.0)
    inside[0, 0, 2:4, 2:6] = 0
    assert float(box_loss(inside, boxes)) == pytest.approx(np.log(8), abs=1e-4)
    assert float(box_loss(inside.roll(4, 2), boxes)) > 20


def test_no_box_no_loss():
    """A batch without a box adds nothing, and its gradient is 0."""
    heatmaps = torch.randn(2, 3, 8, 8, requires_grad=True)
    loss = box_loss(heatmaps, torch.zeros(2, 3, GRID, GRID))
    loss.backward()
    assert loss.item() == 0
    assert heatmaps.grad is not None
    assert not heatmaps.grad.any()
