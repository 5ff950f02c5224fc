"""The tensor types by which fastai tells images from box maps."""

from typing import ClassVar

from fastai.vision.core import TensorImageBW


class TensorXray(TensorImageBW):
    """Images [N, 1, S, S]; shown with bone white, which fastai's own type would invert."""

    _show_args: ClassVar = {"cmap": "gray"}


class TensorBoxMap(TensorImageBW):
    """Box maps [N, 15, 32, 32]: the share of each cell that a box of the label covers."""
