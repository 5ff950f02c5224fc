"""Callbacks of the fastai learner, and its metric."""

import torch
import torch.nn.functional as F
from fastai.callback.core import Callback
from fastai.callback.hook import hook_output
from fastai.learner import Metric
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cxr.evaluation.scoring import mean_auroc
from cxr.training import distributed

_TINY = 1e-6  # replaces 0 in a denominator whose numerator is 0


class BoxTeacher(Callback):
    """Trains the heatmaps to match the boxes, on the images that have one.

    Adds `weight` times `box_loss` to the loss, and takes the box maps out of the batch, so that
    loss and metrics see the targets alone.
    """

    def __init__(self, weight: float):
        self.weight = weight

    def before_fit(self):
        self.hook = hook_output(self.model.heatmaps, detach=False)

    def before_batch(self):
        *yb, self.box_maps = self.yb
        self.learn.yb = tuple(yb)

    def after_loss(self):
        if self.training and self.weight:
            extra = box_loss(self.hook.stored, self.box_maps.as_subclass(torch.Tensor))
            self.learn.loss_grad = self.loss_grad + self.weight * extra

    def after_fit(self):
        self.hook.remove()


def box_loss(heatmaps: torch.Tensor, box_maps: torch.Tensor) -> torch.Tensor:
    """Computes the cross-entropy between softmax(heatmap) and box, averaged over the boxes.

    A box weighs as much as the cell that it covers most: 1, or the share of its image after mixup.

    Args:
        heatmaps: [B, K, h, w].
        box_maps: [B, K, g, g], the covered share of each cell; all 0 where there is no box.

    Returns:
        A scalar; 0 when there are no boxes.
    """
    share = box_maps.flatten(2).amax(-1)
    cover = F.adaptive_avg_pool2d(box_maps, (heatmaps.shape[-2], heatmaps.shape[-1])).flatten(2)
    wanted = cover / cover.sum(-1, keepdim=True).clamp(min=_TINY)
    log_map = heatmaps.flatten(2).float().log_softmax(-1)
    return -((wanted * log_map).sum(-1) * share).sum() / share.sum().clamp(min=_TINY)


class WeightAverage(Callback):
    """Keeps a moving average of the weights, validates with it, and ends with it.

    The exponential average smooths the noise of the last steps (after Polyak). Its decay per step
    grows to `decay`, so that a short training does not end near its start.
    """

    order = 70  # after the optimiser's step and the hooks

    def __init__(self, decay: float = 0.99):
        self.decay = decay

    def before_fit(self):
        self.net = distributed.bare(self.model)
        self.average = AveragedModel(self.net, multi_avg_fn=self._update, use_buffers=True)

    def _update(self, averaged, current, steps):
        decay = min(self.decay, (1 + int(steps)) / (10 + int(steps)))
        get_ema_multi_avg_fn(decay)(averaged, current, steps)

    def after_step(self):
        self.average.update_parameters(self.net)

    def before_validate(self):
        self.own = {name: value.clone() for name, value in self.net.state_dict().items()}
        self.net.load_state_dict(self.average.module.state_dict())

    def after_validate(self):
        self.net.load_state_dict(self.own)

    def after_fit(self):
        self.net.load_state_dict(self.average.module.state_dict())


class MeanAuroc(Metric):
    """Mean AUROC over the labels that some images of the set have and others have not.

    With several processes, each gathers the predictions of all of them, without the images that
    fill up the last batch.
    """

    def reset(self):
        self.logits, self.targets = [], []

    def accumulate(self, learn):
        self.logits.append(learn.to_detach(learn.pred.float()))
        self.targets.append(learn.to_detach(learn.yb[0]))

    @property
    def value(self):
        value = mean_auroc(torch.cat(self.targets).numpy(), torch.cat(self.logits).numpy())
        return float("nan") if value is None else value

    @property
    def name(self):
        return "mean_auroc"


class ChannelsLast(Callback):
    """Puts weights and images into channels-last order, in which convolutions are faster."""

    def before_fit(self):
        self.learn.model.to(memory_format=torch.channels_last)

    def before_batch(self):
        # A plain tensor: fastai's image type makes each operation of the network slower.
        images = self.xb[0].as_subclass(torch.Tensor)
        self.learn.xb = (images.contiguous(memory_format=torch.channels_last),)
