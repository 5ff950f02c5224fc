"""Augmentation of a whole batch in one step, on the device that the batch lies on.

Rotation, scale, shift and shear by one grid_sample, then contrast and brightness. No flips: on a
chest film left and right differ.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from fastai.torch_core import TensorMultiCategory
from fastai.vision.augment import RandTransform
from fastai.vision.core import TensorImageBW


class TensorFilm(TensorImageBW):
    """Films [N, 1, S, S]; bone white, so shown with a grey colour map that is not inverted."""

    _show_args: ClassVar = {"cmap": "gray"}


class TensorBoxMap(TensorImageBW):
    """Box maps [N, 15, 32, 32]: the share of each cell that a box of the label covers."""


class AugmentFilms(RandTransform):
    """Draws one random affine map and one change of grey for each film of a batch.

    The box maps of the batch move with their films. degrees, scale, shift (share of the side),
    shear and grey are the largest changes either way.
    """

    order = 20  # behind IntToFloatTensor
    split_idx = 0  # training only

    def __init__(
        self,
        degrees: float = 10.0,
        scale: float = 0.15,
        shift: float = 0.06,
        shear: float = 0.05,
        grey: float = 0.25,
    ):
        super().__init__(p=1.0)
        self.degrees, self.scale, self.shift, self.shear = degrees, scale, shift, shear
        self.grey = grey

    def before_call(self, b, split_idx: int) -> None:
        """Draws the state for the batch, once for films and box maps."""
        self.do = split_idx == self.split_idx
        films = b[0] if isinstance(b, tuple | list) else b
        n, device = len(films), films.device

        def draw(limit: float) -> torch.Tensor:
            return ((torch.rand(n) * 2 - 1) * limit).to(device)

        angle = torch.deg2rad(draw(self.degrees))
        size = 1 + draw(self.scale)
        cos, sin, shear = angle.cos() * size, angle.sin() * size, draw(self.shear)
        rows = [
            torch.stack([cos, -sin + shear, draw(2 * self.shift)], -1),
            torch.stack([sin, cos, draw(2 * self.shift)], -1),
        ]
        self.theta = torch.stack(rows, 1)
        self.contrast, self.brightness = 1 + draw(self.grey), draw(self.grey / 2)

    def encodes(self, films: TensorFilm):
        moved = self._move(films.as_subclass(torch.Tensor))
        contrast, brightness = (v[:, None, None, None] for v in (self.contrast, self.brightness))
        # Contrast turns about the middle grey: (x - 0.5) * contrast + 0.5 + brightness.
        grey = moved.mul_(contrast).add_(0.5 - 0.5 * contrast + brightness).clamp_(0, 1)
        return TensorFilm(grey)

    def encodes(self, maps: TensorBoxMap):  # type: ignore[no-redef]  # noqa: F811
        if not maps.any():
            return maps
        return TensorBoxMap(self._move(maps.as_subclass(torch.Tensor)))

    def _move(self, pictures: torch.Tensor) -> torch.Tensor:
        grid = _affine_grid(self.theta, pictures.shape[-2], pictures.shape[-1])
        return F.grid_sample(
            pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )


class MixFilms(RandTransform):
    """Mixup: half of the batches are laid over themselves in another order, in random shares.

    Targets mix in the same shares; as their loss is linear in them, that is the mixup of Zhang et
    al. (2018). Box maps mix too, but each box counts in full whatever its share, since the loss
    takes it as a distribution. Mixup keeps a small training set from being learned by heart.
    """

    order = 30  # behind AugmentFilms
    split_idx = 0  # training only

    def __init__(self, p: float = 0.5, alpha: float = 0.4):
        super().__init__(p=p)
        self.share = torch.distributions.Beta(alpha, alpha)

    def before_call(self, b, split_idx: int) -> None:
        """Draws the other order and the shares for the batch, once for all its parts."""
        self.do = split_idx == self.split_idx and bool(torch.rand(()) < self.p)
        if self.do:
            n, device = len(b[0]), b[0].device
            self.other = torch.randperm(n).to(device)
            share = self.share.sample((n,)).to(device)
            self.shares = torch.maximum(share, 1 - share)

    def encodes(self, films: TensorFilm):
        return self._mix(films)

    def encodes(self, targets: TensorMultiCategory):  # type: ignore[no-redef]  # noqa: F811
        return self._mix(targets)

    def encodes(self, maps: TensorBoxMap):  # type: ignore[no-redef]  # noqa: F811
        return self._mix(maps)

    def _mix(self, part: torch.Tensor) -> torch.Tensor:
        shares = self.shares.reshape(-1, *[1] * (part.ndim - 1))
        return torch.lerp(part[self.other], part, shares)


def _affine_grid(theta: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """F.affine_grid(theta, ..., align_corners=False) by broadcasting: far faster on a CPU."""
    y, x = ((torch.arange(n, device=theta.device) * 2 + 1) / n - 1 for n in (height, width))
    along_x, along_y, shift = (theta[:, None, :, k] for k in range(3))
    rows, columns = along_y * y[:, None] + shift, along_x * x[:, None]
    return rows[:, :, None] + columns[:, None]
