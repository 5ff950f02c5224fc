"""fastai loaders over the pixel cache."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from fastai.data.block import DataBlock, MultiCategoryBlock, TransformBlock
from fastai.data.core import DataLoaders, TfmdDL
from fastai.data.transforms import IndexSplitter, IntToFloatTensor
from fastai.torch_core import TensorMultiCategory
from fastai.vision.augment import aug_transforms

from cxr import machine
from cxr.datasets.boxes import GRID, Boxes
from cxr.training import distributed
from cxr.training.augment import AddNoise, Augmentation, MixImages
from cxr.training.pixels import PixelCache
from cxr.training.settings import ARTICLE, DEFAULT
from cxr.training.tensors import TensorBoxMap, TensorXray
from cxr_labels import LABELS

_TRAINING = 0  # fastai's number of the training set


@dataclass(frozen=True)
class Images:
    """N images with all that training needs of them, in one order.

    Attributes:
        cache: Their pixels.
        targets: uint8 [N, 15].
        names: Their file names.
        boxes: Boxes of findings on some of them.
    """

    cache: PixelCache
    targets: np.ndarray
    names: list[str]
    boxes: Boxes


def make_dls(
    images: Images,
    train: np.ndarray,
    valid: np.ndarray,
    batch_size: int,
    recipe: str = DEFAULT,
    mirror: bool = False,
    workers: int | None = None,
) -> DataLoaders:
    """Makes fastai loaders of the training and the validation images.

    A batch is (images [B, 1, S, S] 0..1, targets [B, 15], box maps [B, 15, 32, 32] 0..1).

    Args:
        images: The images.
        train: Indices of the training images.
        valid: Indices of the validation images.
        batch_size: Images per batch; reduced where there are fewer training images.
        recipe: DEFAULT, or ARTICLE for fastai's default augmentation, flips included, which the
            2021 article used.
        mirror: Whether the default recipe mirrors half of the training images.
        workers: Processes that prepare batches beside the training; 0 prepares them in the threads
            of the training process. By default none on a CPU, and one per core with a GPU.
    """
    rows = np.concatenate([train, valid])
    draw = None if recipe == ARTICLE else lambda: Augmentation.draw(0.5 if mirror else 0.0)
    on_batch = aug_transforms() if recipe == ARTICLE else [AddNoise(), MixImages()]
    block = DataBlock(
        blocks=(
            TransformBlock,
            MultiCategoryBlock(encoded=True, vocab=list(LABELS)),
            TransformBlock,
        ),
        dl_type=_cached_dl(images, draw),
        n_inp=1,
        splitter=IndexSplitter(np.arange(len(train), len(rows))),
        batch_tfms=[IntToFloatTensor(), *on_batch],
    )
    return block.dataloaders(
        rows,
        # fastai drops a last batch that is not full, so one full batch is needed.
        bs=min(batch_size, len(train)),
        num_workers=_workers() if workers is None else workers,
    )


def _workers() -> int:
    if not torch.cuda.is_available():
        return 0  # the cores are busy with the training
    return max(1, machine.cores() // distributed.processes())


def _cached_dl(images: Images, draw) -> type[TfmdDL]:
    """A loader class that reads whole batches from the cache.

    fastai's own runs its pipeline item by item, which takes longer than reading.
    """

    class CachedDL(TfmdDL):
        def create_item(self, s):
            return int(self.dataset.items[s or 0])

        def create_batch(self, b):
            training = self.dataset.split_idx == _TRAINING
            return read_batch(images, b, [draw() for _ in b] if training and draw else None)

        def retain(self, res, b):
            return res  # has the right types already

    return CachedDL


def read_batch(
    images: Images, rows: Sequence[int], augmentations: Sequence[Augmentation] | None
) -> tuple[TensorXray, TensorMultiCategory, TensorBoxMap]:
    """Reads some images and their labels.

    Returns:
        Images uint8 [B, 1, S, S], targets float32 [B, 15], box maps uint8 [B, 15, 32, 32].
    """
    no_boxes = np.zeros((len(LABELS), GRID, GRID), np.uint8)

    def read(place: int) -> tuple[np.ndarray, np.ndarray]:
        row = rows[place]
        pixels, name = images.cache.image(row), images.names[row]
        maps = images.boxes.map_of(name) if name in images.boxes.of_image else no_boxes
        if augmentations:
            return augmentations[place].image(pixels), augmentations[place].box_maps(maps)
        return pixels, maps

    in_worker = torch.utils.data.get_worker_info() is not None
    places = range(len(rows))
    read_all = list(map(read, places)) if in_worker else machine.in_threads(read, places)
    pixels, maps = zip(*read_all, strict=True)
    targets = images.targets[list(rows)].astype(np.float32)
    return (
        TensorXray(torch.from_numpy(np.stack(pixels)[:, None])),
        TensorMultiCategory(torch.from_numpy(targets)),
        TensorBoxMap(torch.from_numpy(np.stack(maps))),
    )
