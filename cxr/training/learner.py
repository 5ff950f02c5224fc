"""The fastai learner: cached images in, a trained HeatmapNet out."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from fastai.callback.core import Callback, CancelEpochException
from fastai.callback.fp16 import AMPMode, MixedPrecision
from fastai.callback.hook import hook_output
from fastai.callback.progress import ProgressCallback
from fastai.callback.schedule import fit_one_cycle, lr_find, minimum  # noqa: F401 (adds methods)
from fastai.callback.training import BnFreeze
from fastai.data.block import DataBlock, MultiCategoryBlock, TransformBlock
from fastai.data.core import DataLoaders, TfmdDL
from fastai.data.transforms import IndexSplitter
from fastai.learner import AvgSmoothLoss, Learner, Metric
from fastai.losses import BCEWithLogitsLossFlat
from fastai.torch_core import TensorMultiCategory, set_seed, to_detach
from fastai.vision.augment import RandTransform, aug_transforms
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cxr.datasets.boxes import GRID
from cxr.evaluation.scoring import mean_auroc
from cxr.model import model_folder
from cxr.training import compiled, distributed
from cxr.training.adam import Adam
from cxr.training.ahead import MakeAhead
from cxr.training.augment import AugmentImages, MixImages, TensorBoxMap, TensorXray, ToFloat, sent
from cxr.training.checkpoint import Checkpoint, Progress
from cxr.training.images import Images
from cxr.training.net import HeatmapNet
from cxr.training.settings import ARTICLE, DEFAULT
from cxr_labels import LABELS

FROZEN, UNFROZEN = "frozen", "unfrozen"  # the phases of a training
BOX_WEIGHT = 0.5  # of the box loss beside the label loss
BODY_RATE = 0.2  # the body learns at a fifth of the head's rate
_TINY = 1e-6  # in place of 0 below a fraction whose upper part is 0


def make_dls(
    images: Images,
    train: np.ndarray,
    valid: np.ndarray,
    batch_size: int,
    recipe: str = DEFAULT,
    mirror: bool = False,
) -> DataLoaders:
    """fastai loaders over the cached images. train, valid: indices of images.

    A batch is (images [B, 1, S, S] 0..1, targets [B, 15], box maps [B, 15, 32, 32] 0..1).
    """
    rows = np.concatenate([train, valid])
    # fastai drops a last batch that is not full: there must be one that is.
    batch_size = min(batch_size, len(train))
    block = DataBlock(
        blocks=(
            TransformBlock,
            MultiCategoryBlock(encoded=True, vocab=list(LABELS)),
            TransformBlock,
        ),
        dl_type=_cached_dl(images),
        n_inp=1,
        splitter=IndexSplitter(np.arange(len(train), len(rows))),
        batch_tfms=[ToFloat(), *_augmentation(recipe, mirror)],
    )
    return block.dataloaders(rows, bs=batch_size, num_workers=0)


def _augmentation(recipe: str, mirror: bool) -> list[RandTransform]:
    """This project's own, or fastai's defaults, flips and all, as the 2021 article used them."""
    if recipe == ARTICLE:
        return aug_transforms()
    return [AugmentImages(mirror=0.5 if mirror else 0.0), MixImages()]


def _batch(
    images: Images, rows: Sequence[int], device: torch.device | None
) -> tuple[TensorXray, TensorMultiCategory, TensorBoxMap]:
    """Images uint8 [B, 1, S, S], targets [B, 15], box maps uint8 [B, 15, 32, 32]."""
    read = [images.cache.image(i) for i in rows]
    on_gpu = device is not None and device.type == "cuda"
    pixels = torch.empty((len(rows), 1, *read[0].shape), dtype=torch.uint8, pin_memory=on_gpu)
    np.stack(read, out=pixels.numpy()[:, 0])
    box_maps = np.zeros((len(rows), len(LABELS), GRID, GRID), np.uint8)
    for place, i in enumerate(rows):
        if images.names[i] in images.boxes.of_image:
            box_maps[place] = images.boxes.map_of(images.names[i])
    targets = images.targets[list(rows)].astype(np.float32)
    return (
        TensorXray(sent(pixels, device)),
        TensorMultiCategory(sent(torch.from_numpy(targets), device)),
        TensorBoxMap(sent(torch.from_numpy(box_maps), device)),
    )


def _cached_dl(images: Images) -> type[TfmdDL]:
    """A loader that reads a batch from the cache at once, and sends it to the device.

    fastai's own takes its pipeline item by item, which costs more than the reading.
    """

    class CachedDL(TfmdDL):
        def create_item(self, s):
            return int(self.dataset.items[s or 0])

        def create_batch(self, b):
            return _batch(images, b, self.device)

        def retain(self, res, b):
            return res  # the types are right already

    return CachedDL


class BoxTeacher(Callback):
    """Teaches the heatmaps where findings lie, on images that have a box; else does nothing.

    Adds `weight` times the cross-entropy between the softmax of a finding's map over its cells
    and the box as a distribution over them, averaged over the boxes of the batch. Takes the box
    maps off the batch, so that loss and metrics see the targets alone.
    """

    def __init__(self, weight: float):
        self.weight = weight

    def before_fit(self):
        self.hook = hook_output(self.model.heatmap, detach=False)

    def before_batch(self):
        *yb, self.box_maps = self.yb
        self.learn.yb = tuple(yb)

    def after_loss(self):
        if self.training and self.weight:
            extra = box_loss(self.hook.stored, self.box_maps.as_subclass(torch.Tensor))
            self.learn.loss_grad = self.loss_grad + self.weight * extra

    def after_fit(self):
        self.hook.remove()


def box_loss(heatmap: torch.Tensor, box_maps: torch.Tensor) -> torch.Tensor:
    """Cross-entropy between softmax(map) and box, mean over the boxes; 0 when there are none.

    heatmap: [B, K, h, w]. box_maps: [B, K, g, g], cover of each cell, all 0 where no box is. A box
    weighs as much as the cell that it covers most: 1, or its image's share where images were mixed.
    """
    share = box_maps.flatten(2).amax(-1)
    # Of all maps, for to pick out those with a box a GPU would have to be waited for.
    cover = F.adaptive_avg_pool2d(box_maps, (heatmap.shape[-2], heatmap.shape[-1])).flatten(2)
    wanted = cover / cover.sum(-1, keepdim=True).clamp(min=_TINY)
    log_map = heatmap.flatten(2).float().log_softmax(-1)
    return -((wanted * log_map).sum(-1) * share).sum() / share.sum().clamp(min=_TINY)


class WeightAverage(Callback):
    """Validates with, and ends on, a moving average of the weights over the last steps.

    Smooths the last steps' noise (Polyak averaging; here exponential, decay per step). The decay
    grows with the steps, so that a short training does not end near where it began.
    """

    order = 70  # behind the optimiser's step and the hooks

    def __init__(self, decay: float = 0.99):
        self.decay = decay

    def before_fit(self):
        self.net = distributed.bare(self.model)
        self.average = AveragedModel(self.net, use_buffers=True)
        both = zip(
            self.average.module.state_dict().values(), self.net.state_dict().values(), strict=True
        )
        # The rest are counters of batches, which nothing reads.
        numbers = [pair for pair in both if pair[0].is_floating_point()]
        self.averaged, self.current = map(list, zip(*numbers, strict=True))

    def after_step(self):
        # Not by AveragedModel's own way, which looks all tensors up anew and waits for the GPU.
        steps = int(self.average.n_averaged)
        decay = min(self.decay, (1 + steps) / (10 + steps)) if steps else 0.0
        get_ema_multi_avg_fn(decay)(self.averaged, self.current, None)
        self.average.n_averaged += 1

    def before_validate(self):
        self.own = {name: value.clone() for name, value in self.net.state_dict().items()}
        self.net.load_state_dict(self.average.module.state_dict())

    def after_validate(self):
        self.net.load_state_dict(self.own)

    def after_fit(self):
        self.net.load_state_dict(self.average.module.state_dict())


class MeanAuroc(Metric):
    """Mean AUROC of the labels that have images with and without them, over the whole set.

    Of several processes, each gathers the answers of all, without the images that filled up.
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


class SmoothLoss(AvgSmoothLoss):
    """fastai's, left on the device: reading it after each step, a GPU would wait for Python."""

    val: torch.Tensor

    def accumulate(self, learn):
        self.count += 1
        loss = to_detach(learn.loss.mean(), cpu=False)
        self.val = torch.lerp(loss, self.val.to(loss.device), self.beta)


class ProgressBar(ProgressCallback):
    """fastai's, which on a GPU reads the loss only now and then, for the same reason."""

    name = "progress"  # that of the one it takes the place of

    def after_batch(self):
        if self.dls.device.type == "cpu" or self.iter % 20 == 0:
            super().after_batch()


class ChannelsLast(Callback):
    """Images and weights in channels-last order, which convolutions run faster in."""

    def before_fit(self):
        self.learn.model.to(memory_format=torch.channels_last)

    def before_batch(self):
        images = self.xb[0].as_subclass(torch.Tensor)
        self.learn.xb = (images.contiguous(memory_format=torch.channels_last),)


class ResumableLearner(Learner):
    """A learner whose fit may begin at a later epoch of its schedule.

    fastai's own way, SkipToEpoch, prints and records a line for each epoch that it skips.
    """

    first_epoch = 0

    def _do_fit(self):
        if progress := getattr(getattr(self, "progress", None), "mbar", None):
            progress.update(0)  # starts its clock, whatever the first epoch is
        for epoch in range(self.first_epoch, self.n_epoch):
            self.epoch = epoch
            self._with_events(self._do_epoch, "epoch", CancelEpochException)


def make_learner(dls: DataLoaders, net: HeatmapNet, box_weight: float, folder: Path) -> Learner:
    """A fastai learner of the net on the loaders, with what the machine at hand is good at."""
    learn = ResumableLearner(
        dls,
        net,
        loss_func=BCEWithLogitsLossFlat(),
        opt_func=Adam,
        splitter=HeatmapNet.parameter_groups,
        # Frozen is frozen, with BnFreeze the statistics too: else each step goes back through the
        # whole body, and forward through it once more for every batch norm.
        train_bn=False,
        metrics=[MeanAuroc()],
        cbs=[BoxTeacher(box_weight), ChannelsLast(), BnFreeze(), *_for_gpu()],
        path=folder,
    )
    learn.recorder.smooth_loss = SmoothLoss()
    learn.remove_cb(ProgressCallback)
    return learn.add_cb(ProgressBar())


def find_rate(learn: Learner, iterations: int) -> tuple[float, pd.DataFrame]:
    """fastai's learning-rate finder with the body frozen: the rate, and (rate, loss) tried.

    The rate is a tenth of the one with the lowest loss. fastai's own choice, the valley, lies too
    low here: the head starts at the prevalence, so that its loss is flat for long.
    """
    learn.freeze()
    with tempfile.TemporaryDirectory() as scratch:  # for the weights that it comes back to
        learn.model_dir = Path(scratch)
        found = learn.lr_find(num_it=iterations, show_plot=False, suggest_funcs=(minimum,))
    tried = pd.DataFrame({"rate": learn.recorder.lrs, "loss": learn.recorder.losses})
    return float(found.minimum), tried.astype(float)


def fit(
    learn: Learner, size: int, epochs: int, freeze_epochs: int, kept: Path, progress: Progress
) -> pd.DataFrame:
    """Frozen epochs (the head alone), then the body too; returns and writes the history.

    On a CPU the early half of the body stays frozen: that doubles the speed, and its edges and
    textures change least. In a long training it is compiled. size: of the images, in pixels. kept:
    where a checkpoint is written after each epoch. progress: how far an earlier training has come;
    the learning rate at least is in it.
    """
    rate = progress.rate
    if freeze_epochs and progress.phase != UNFROZEN:
        learn.freeze()
        progress = _fit_phase(learn, FROZEN, freeze_epochs, rate, kept, progress)
    if epochs:
        if learn.dls.device.type == "cpu":
            learn.freeze_to(1)
        else:
            learn.unfreeze()
        rates = slice(rate * BODY_RATE, rate)
        images = epochs * learn.dls.train.n
        callbacks = compiled.callbacks(images, size, learn.dls.device)
        progress = _fit_phase(learn, UNFROZEN, epochs, rates, kept, progress, callbacks)
    history = pd.DataFrame(progress.history)
    history["epoch"] = np.arange(1, len(history) + 1)
    history.to_csv(learn.path / model_folder.HISTORY, index=False)
    return history


def seed_everything(seed: int) -> None:
    """Same seed, same result on a CPU.

    On a GPU that has the layers convolve alike each time, though not all else adds up alike; to
    look for what convolves fastest would take an H100 26 s and make a step 3 % faster.
    """
    set_seed(seed, reproducible=True)


def batch_size() -> int:
    """Images a step: 32 on a CPU, where more only costs memory, 64 on a GPU.

    With 128 an H100 is 6 % faster, but the Kaggle sample has half as many steps an epoch.
    """
    return 64 if torch.cuda.is_available() else 32


def _fit_phase(
    learn: Learner,
    phase: str,
    epochs: int,
    rate: float | slice,
    kept: Path,
    progress: Progress,
    callbacks: Sequence[Callback] = (),
) -> Progress:
    average = WeightAverage()
    checkpoint = Checkpoint(kept, progress, phase, average)
    learn.first_epoch = progress.epochs if progress.phase == phase else 0
    learn.fit_one_cycle(epochs, rate, cbs=[average, checkpoint, *callbacks])
    return checkpoint.reached


def _for_gpu() -> list[Callback]:
    if not torch.cuda.is_available():
        # bfloat16 on a CPU, native or not, makes the step slower: its way back is not tuned.
        return []
    bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return [MixedPrecision(AMPMode.BF16 if bf16 else AMPMode.FP16), MakeAhead()]
