"""Augmentation of a whole batch in one step, on the device that the batch lies on.

Rotation, scale, shift and shear by one grid_sample, then sharpness and noise, contrast and
brightness, and the marks that JPEG leaves. No flips: on a chest film left and right differ.
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
    """Draws one random affine map and one change of grey and of grain for each film of a batch.

    The box maps of the batch move with their films. degrees, scale, shift (share of the side),
    shear, grey and sharpness are the largest changes either way; noise is the largest standard
    deviation; quality is the lowest of JPEG (1 to 100), which half of the films go through. The
    last three stand for the web's copies of a film, at other sizes and compressions: without them
    a net leans on grain that another copy does not have.
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
        sharpness: float = 1.0,
        noise: float = 0.02,
        quality: float = 30.0,
    ):
        super().__init__(p=1.0)
        self.degrees, self.scale, self.shift, self.shear = degrees, scale, shift, shear
        self.grey, self.sharpness, self.noise, self.quality = grey, sharpness, noise, quality

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
        self.blur, self.grain = draw(self.sharpness), draw(self.noise).abs()
        # As many are drawn above 100, which leaves a film as it is, as below.
        self.qualities = 100 + draw(100 - self.quality)

    def encodes(self, films: TensorFilm):
        moved = self._move(films.as_subclass(torch.Tensor))
        exposed = self._add_noise(self._expose(moved)).clamp_(0, 1)
        return TensorFilm(compress(exposed, self.qualities).clamp_(0, 1))

    def encodes(self, maps: TensorBoxMap):  # type: ignore[no-redef]  # noqa: F811
        if not maps.any():
            return maps
        return TensorBoxMap(self._move(maps.as_subclass(torch.Tensor)))

    def _expose(self, films: torch.Tensor) -> torch.Tensor:
        """Towards the 3x3 mean (blur) or away from it (sharpness), then contrast and brightness.

        Both in one convolution of each film with a kernel of its own. Contrast turns about the
        middle grey: (x - 0.5) * contrast + 0.5 + brightness.
        """
        kernels = (self.blur / 9)[:, None, None, None].repeat(1, 1, 3, 3)
        kernels[:, 0, 1, 1] += 1 - self.blur
        kernels *= self.contrast[:, None, None, None]
        shifts = 0.5 - 0.5 * self.contrast + self.brightness
        as_channels = F.pad(films.transpose(0, 1), (1, 1, 1, 1), mode="replicate")
        return F.conv2d(as_channels, kernels, shifts, groups=len(films)).transpose(0, 1)

    def _add_noise(self, films: torch.Tensor) -> torch.Tensor:
        """Each film takes its noise from another place of one field, drawn anew for each batch.

        Drawing it for every pixel would take longer than all else that is done to a film.
        """
        area = films[0].numel()
        field = torch.randn(2 * area, device=films.device)
        places = torch.randint(area, (len(films),)).tolist()
        grains = (self.grain * self.contrast).tolist()
        for film, place, grain in zip(films, places, grains, strict=True):
            film.add_(field[place : place + area].view_as(film), alpha=grain)
        return films

    def _move(self, pictures: torch.Tensor) -> torch.Tensor:
        grid = _affine_grid(self.theta, pictures.shape[-2], pictures.shape[-1])
        return F.grid_sample(
            pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )


# The luminance table of the JPEG standard (ITU-T T.81, Annex K.1), for grey levels 0..255.
_QUANTA = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=torch.float32,
)
_BLOCK = 8
_LEVEL = 128 / 255  # taken off before, added after


def compress(films: torch.Tensor, qualities: torch.Tensor) -> torch.Tensor:
    """What JPEG leaves of films [N, 1, S, S], 0..1, at a quality each [N]; from 100 on, all.

    The lossy step alone: cosines of 8x8 blocks are rounded to the standard's steps, scaled by the
    quality as libjpeg does. A border that fills no block stays as it is.
    """
    side = films.shape[-1] // _BLOCK * _BLOCK
    if not side:
        return films
    cosines = _cosines(films.device)
    quality = qualities.clamp(1, 99)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)[:, None]
    steps = (_QUANTA.to(films.device).flatten() * scale).round().clamp(1, 255) / 255
    films = films.clone()
    # One by one, for a film's blocks stay in a processor's cache and a batch's do not.
    for i in (qualities < 100).nonzero()[:, 0].tolist():
        whole = films[i : i + 1, :, :side, :side]
        blocks = F.pixel_unshuffle(whole - _LEVEL, _BLOCK).flatten(2)
        rounded = (cosines @ blocks).div_(steps[i, :, None]).round_().mul_(steps[i, :, None])
        back = (cosines.T @ rounded).unflatten(-1, (side // _BLOCK, side // _BLOCK))
        whole.copy_(F.pixel_shuffle(back, _BLOCK).add_(_LEVEL))
    return films


def _cosines(device: torch.device) -> torch.Tensor:
    """The orthonormal cosine transform of 8x8 values, row by row: [64, 64]."""
    at = torch.arange(_BLOCK, device=device, dtype=torch.float32)
    waves = torch.cos(torch.pi / _BLOCK * (at + 0.5) * at[:, None]) * (2 / _BLOCK) ** 0.5
    waves[0] *= 0.5**0.5
    return torch.kron(waves, waves)


class MixFilms(RandTransform):
    """Mixup: half of the batches are laid over themselves in another order, in random shares.

    Targets mix in the same shares; as their loss is linear in them, that is the mixup of Zhang et
    al. (2018). Box maps mix too, so that a box counts by its film's share. Mixup keeps a small
    training set from being learned by heart.
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
