"""What training and measuring need of a set of images, in one order."""

from dataclasses import dataclass

import numpy as np

from cxr.datasets.boxes import Boxes
from cxr.training.pixels import PixelCache


@dataclass(frozen=True)
class Images:
    """What training needs of N images, in one order.

    cache: their pixels. targets: uint8 [N, 15]. names: their file names. boxes: where findings
    lie on some of them.
    """

    cache: PixelCache
    targets: np.ndarray
    names: list[str]
    boxes: Boxes
