"""One image to probabilities and heatmaps: time relative to the physical limit and to peers."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import unavoidable
from benchmarks.folders import images_of
from benchmarks.metric import Metric, below
from benchmarks.timing import ratio, ratios, seconds
from cxr.inference.predictor import Predictor
from cxr.model import model_folder
from cxr_labels import LABELS


def limit(data: Path, model: Path) -> list[Metric]:
    """Relative to the three steps that cannot be avoided."""
    predictor, images = Predictor(model), images_of(data)
    steps = unavoidable.steps(model, predictor.config.image_size)
    value = ratio(
        lambda: seconds(lambda image: predictor.analyze(image), images),
        lambda: seconds(steps, images),
    )
    what = "one 1024x1024 PNG to probabilities and heatmaps / decode + resize + run"
    return [Metric(what, value, 1.1, "lower")]


def fastai(data: Path, model: Path) -> list[Metric]:
    """Relative to `learn.predict` of the same network in fastai's own image pipeline."""
    from fastai.callback import progress  # noqa: F401 (adds no_bar)
    from fastai.data.block import DataBlock, MultiCategoryBlock
    from fastai.data.transforms import IndexSplitter
    from fastai.learner import Learner
    from fastai.losses import BCEWithLogitsLossFlat
    from fastai.vision.augment import Resize, ResizeMethod
    from fastai.vision.core import PILImageBW
    from fastai.vision.data import ImageBlock

    from cxr.training import net

    block = DataBlock(
        blocks=(ImageBlock(PILImageBW), MultiCategoryBlock(encoded=True, vocab=list(LABELS))),
        getters=[lambda image: image, lambda _: [0] * len(LABELS)],
        splitter=IndexSplitter([1]),
        item_tfms=Resize(model_folder.load(model).image_size, ResizeMethod.Squish),
    )
    images = sorted((data / "images").iterdir())
    dls = block.dataloaders(images[:2], bs=1, num_workers=0)
    learn = Learner(dls, net.load(model), loss_func=BCEWithLogitsLossFlat())
    what = "fastai learn.predict of the same network / one 1024x1024 PNG"
    with learn.no_bar():
        return _times_faster(what, learn.predict, model, images[:24])


def torchxrayvision(data: Path, model: Path) -> list[Metric]:
    """Relative to TorchXRayVision's pipeline, as in its own script for one image.

    Its DenseNet-121 for 224 px has random weights here, which does not change the time.
    """
    import skimage.io
    import torch
    import torchvision
    import torchxrayvision as xrv

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = xrv.models.DenseNet(weights=None, num_classes=18, in_channels=1).eval()
    reduce = torchvision.transforms.Compose(
        [xrv.datasets.XRayCenterCrop(), xrv.datasets.XRayResizer(224)]
    )

    def predict(image: Path) -> np.ndarray:
        grey = xrv.datasets.normalize(skimage.io.imread(image), 255)
        grey = grey if grey.ndim == 2 else grey[:, :, 0]
        with torch.no_grad():
            return net(torch.from_numpy(reduce(grey[None]))[None]).numpy()

    what = "TorchXRayVision's DenseNet-121 / one 1024x1024 PNG"
    images = sorted((data / "images").iterdir())[:24]
    return _times_faster(what, predict, model, images)


def _times_faster(
    what: str, peer: Callable[[Path], Any], model: Path, images: list[Path]
) -> list[Metric]:
    """How many times as fast as the peer we are, and what only takes the unavoidable steps."""
    predictor = Predictor(model)
    steps = unavoidable.steps(model, predictor.config.image_size)
    ours, ceiling = ratios(
        lambda: seconds(peer, images),
        lambda: seconds(lambda image: predictor.analyze(image), images),
        lambda: seconds(lambda image: steps(image.read_bytes()), images),
        rounds=3,
    )
    return [
        Metric(what, ours, below(ceiling, 5), "higher"),
        Metric(f"{what.partition(' / ')[0]} / decode + resize + run", ceiling, None, "higher"),
    ]
