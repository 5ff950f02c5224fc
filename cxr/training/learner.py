"""The fastai learner: trains a HeatmapNet on cached images."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback, CancelEpochException
from fastai.callback.fp16 import AMPMode, MixedPrecision
from fastai.callback.schedule import fit_one_cycle, lr_find, minimum  # noqa: F401 (adds methods)
from fastai.callback.training import BnFreeze
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.losses import BCEWithLogitsLossFlat
from fastai.optimizer import OptimWrapper
from fastai.torch_core import set_seed
from torch import nn

from cxr.model import model_folder
from cxr.training.callbacks import BoxTeacher, ChannelsLast, MeanAuroc, WeightAverage
from cxr.training.checkpoint import Checkpoint, Progress
from cxr.training.net import HeatmapNet

FROZEN, UNFROZEN = "frozen", "unfrozen"  # the phases of a training
BOX_WEIGHT = 0.5  # of the box loss relative to the label loss
WEIGHT_DECAY = 0.01
# Learning rates of early backbone, late backbone and head, as shares of the head's.
RATES = np.array([0.2, 0.2**0.5, 1.0])


class ResumableLearner(Learner):
    """A learner that can start at a later epoch of its schedule.

    fastai's own callback for this, SkipToEpoch, prints and records a line for each skipped epoch.
    """

    first_epoch = 0

    def _do_fit(self):
        if progress := getattr(getattr(self, "progress", None), "mbar", None):
            progress.update(0)  # starts the clock of the progress bar
        for epoch in range(self.first_epoch, self.n_epoch):
            self.epoch = epoch
            self._with_events(self._do_epoch, "epoch", CancelEpochException)


def make_learner(dls: DataLoaders, net: HeatmapNet, box_weight: float, folder: Path) -> Learner:
    """Makes the fastai learner of a network.

    Args:
        dls: Loaders of `make_dls`.
        net: The network, which is trained in place.
        box_weight: Weight of the box loss relative to the label loss.
        folder: Where the learner writes files.
    """
    return ResumableLearner(
        dls,
        net,
        loss_func=BCEWithLogitsLossFlat(),
        opt_func=_optimiser,
        splitter=_parameter_groups,
        # Batch norms of frozen stages keep their statistics too (BnFreeze). Otherwise each step
        # would have to go back through the whole backbone.
        train_bn=False,
        metrics=[MeanAuroc()],
        cbs=[BoxTeacher(box_weight), ChannelsLast(), BnFreeze(), *_mixed_precision()],
        path=folder,
    )


def _parameter_groups(net: HeatmapNet) -> list[list[nn.Parameter]]:
    """Splits each group in two: weights, which decay; biases and batch norms, which do not."""
    halves = []
    for group in net.parameter_groups():
        halves.append([p for p in group if p.ndim > 1])
        halves.append([p for p in group if p.ndim <= 1])
    return halves


def _optimiser(groups: list[list[nn.Parameter]], lr: float) -> OptimWrapper:
    """torch's fused AdamW, with fastai's defaults for Adam."""
    adam = partial(torch.optim.AdamW, fused=True, betas=(0.9, 0.99), eps=1e-5)
    optimiser = OptimWrapper(groups, opt=adam, lr=lr, weight_decay=WEIGHT_DECAY)
    optimiser.set_hyper("wd", [WEIGHT_DECAY, 0.0] * len(RATES))
    return optimiser


def _mixed_precision() -> list[Callback]:
    if not torch.cuda.is_available():
        return []  # bfloat16 makes a step on a CPU slower
    bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return [MixedPrecision(AMPMode.BF16 if bf16 else AMPMode.FP16)]


def freeze(learn: Learner, groups: int) -> None:
    """Freezes the first groups of the network: 0, 1 (early backbone) or 2 (the whole backbone)."""
    learn.freeze_to(2 * groups)  # each has two halves: with and without weight decay


def find_rate(learn: Learner, iterations: int) -> tuple[float, pd.DataFrame]:
    """Runs fastai's learning-rate finder with the backbone frozen.

    The chosen rate is a tenth of the one with the lowest loss. fastai's default, the valley, is too
    low here: the head starts at the prevalence, so that its loss stays flat for long.

    Returns:
        The rate, rounded to two digits, and a table of the tried rates with the columns rate, loss.
    """
    freeze(learn, 2)
    print("Looking for a learning rate ...")
    with tempfile.TemporaryDirectory() as scratch, learn.no_bar():
        learn.model_dir = Path(scratch)  # keeps the weights to which the finder returns
        found = learn.lr_find(num_it=iterations, show_plot=False, suggest_funcs=(minimum,))
    tried = pd.DataFrame({"rate": learn.recorder.lrs, "loss": learn.recorder.losses})
    return float(f"{found.minimum:.1e}"), tried.astype(float)


def fit(
    learn: Learner, epochs: int, freeze_epochs: int, checkpoint: Path, progress: Progress
) -> pd.DataFrame:
    """Trains the head, then the backbone too.

    On a CPU the early half of the backbone stays frozen: this doubles the speed, and its edges and
    textures change least.

    Args:
        learn: The learner.
        epochs: Epochs of backbone and head.
        freeze_epochs: Epochs of the head alone, before them.
        checkpoint: File that is written after each epoch.
        progress: What an earlier, interrupted training has done; at least the learning rate.

    Returns:
        The history, one row per epoch, which is also written to history.csv.
    """
    rates = np.repeat(progress.rate * RATES, 2)
    if freeze_epochs and progress.phase != UNFROZEN:
        freeze(learn, 2)
        progress = _fit_phase(learn, FROZEN, freeze_epochs, progress.rate, checkpoint, progress)
    if epochs:
        freeze(learn, 1 if learn.dls.device.type == "cpu" else 0)
        progress = _fit_phase(learn, UNFROZEN, epochs, rates, checkpoint, progress)
    history = pd.DataFrame(progress.history)
    history["epoch"] = np.arange(1, len(history) + 1)
    history.to_csv(learn.path / model_folder.HISTORY, index=False)
    return history


def _fit_phase(
    learn: Learner,
    phase: str,
    epochs: int,
    rate: float | np.ndarray,
    path: Path,
    progress: Progress,
) -> Progress:
    average = WeightAverage()
    checkpoint = Checkpoint(path, progress, phase, average)
    learn.first_epoch = progress.epochs if progress.phase == phase else 0
    learn.fit_one_cycle(epochs, rate, cbs=[average, checkpoint])
    return checkpoint.reached


def seed_everything(seed: int) -> None:
    """Seeds all random numbers; on a CPU the same seed gives the same result.

    On a GPU convolutions are reproducible too, but not all sums are.
    """
    set_seed(seed, reproducible=True)


def batch_size() -> int:
    """Images per step: 32 on a CPU, where more only takes memory; 64 on a GPU."""
    return 64 if torch.cuda.is_available() else 32
