"""The box loss within a training: how much of it is minimised beside the label loss."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback

from cxr.datasets.boxes import Boxes
from cxr.training import learner
from cxr.training.images import Images
from cxr.training.learner import box_loss
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
    dls = learner.make_dls(images, np.arange(IMAGES - 1), np.arange(IMAGES - 1, IMAGES), IMAGES - 1)
    net = HeatmapNet(pretrained=False)
    maps = []
    net.heatmap.register_forward_hook(lambda *passed: maps.append(passed[-1].detach()))
    learn = learner.make_learner(dls, net, weight, tmp_path)
    watch = Watch()
    learn.fit(1, 0.0, cbs=[watch])
    expected = float(box_loss(maps[0], watch.box_maps))
    assert expected > 1
    assert watch.added == pytest.approx(weight * expected, rel=1e-3)
