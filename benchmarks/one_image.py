"""One image from bytes to probabilities and maps: against the physical limit, and against peers."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import unavoidable
from benchmarks.figure import Figure
from benchmarks.layout import images_of
from benchmarks.timing import ratio, seconds
from cxr.inference import analysis
from cxr.inference.predictor import Predictor
from cxr.model import model_folder
from cxr_labels import LABELS


def limit(data: Path, model: Path) -> list[Figure]:
    """Against the three steps that it cannot avoid."""
    predictor, images = Predictor(model), images_of(data)
    steps = unavoidable.steps(model, predictor.config.image_size)
    value = ratio(
        lambda: seconds(lambda image: analysis.analyze(predictor, image), images),
        lambda: seconds(steps, images),
    )
    what = "one 1024x1024 PNG to probabilities and maps / decode + resize + run"
    return [Figure(what, value, 1.1, "lower")]


def fastai(data: Path, model: Path) -> list[Figure]:
    """Against `learn.predict` of the same network behind fastai's own pipeline for images."""
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
    steps = unavoidable.steps(model, model_folder.load(model).image_size)
    what = "fastai learn.predict of the same network / one 1024x1024 PNG"
    ceiling = "the same / decode + resize + run: the ceiling of all that runs the network"
    with learn.no_bar():
        return [
            _times_faster(what, learn.predict, _ours(model), images[:24]),
            _times_faster(
                ceiling, learn.predict, lambda image: steps(image.read_bytes()), images[:24]
            ),
        ]


def torchxrayvision(data: Path, model: Path) -> list[Figure]:
    """Against TorchXRayVision's pipeline, as its own script for one image has it.

    Its DenseNet-121 for 224 px has random weights here, which changes nothing in the time.
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
    return [_times_faster(what, predict, _ours(model), images)]


def _ours(model: Path) -> Callable[[Path], Any]:
    predictor = Predictor(model)
    return lambda image: analysis.analyze(predictor, image)


def _times_faster(
    what: str, peer: Callable[[Path], Any], ours: Callable[[Path], Any], images: list[Path]
) -> Figure:
    value = ratio(lambda: seconds(peer, images), lambda: seconds(ours, images), rounds=3)
    return Figure(what, value, 5, "higher")
