"""Augmentation of a whole batch, on the device that the batch lies on.

Rotation, scale, shift and shear by one grid_sample, then sharpness and noise, contrast and
brightness, and the marks that JPEG leaves. Flips only where asked for: on a chest X-ray left and
right differ.

All is drawn first, on the CPU, and then done: to all images at once on a GPU, in shares on a CPU,
each by a thread. What is drawn does not depend on which thread does what.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import ClassVar

import torch
import torch.nn.functional as F
from fastai.data.transforms import IntToFloatTensor
from fastai.torch_core import TensorMultiCategory
from fastai.vision.augment import RandTransform
from fastai.vision.core import TensorImage, TensorImageBW


class TensorXray(TensorImageBW):
    """Images [N, 1, S, S]; bone white, so shown with a grey colour map that is not inverted."""

    _show_args: ClassVar = {"cmap": "gray"}


class TensorBoxMap(TensorImageBW):
    """Box maps [N, 15, 32, 32]: the share of each cell that a box of the label covers."""


class AugmentImages(RandTransform):
    """Draws one random affine map and one change of grey and of grain for each image of a batch.

    The box maps of the batch move with their images. mirror is the share of the images that
    are turned left to right. degrees, scale, shift (share of the side), shear, grey and
    sharpness are the largest changes either way; noise is the largest standard
    deviation; quality is the lowest of JPEG (1 to 100), which half of the images go through. The
    last three stand for the web's copies of an image, at other sizes and compressions: without them
    a net leans on grain that another copy does not have.

    Takes images and maps as the cache holds them, uint8, or float32 0..1; gives float32 0..1.
    """

    order = 5  # before ToFloat: an image is made float when its turn comes
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
        mirror: float = 0.0,
    ):
        super().__init__(p=1.0)
        self.degrees, self.scale, self.shift, self.shear = degrees, scale, shift, shear
        self.grey, self.sharpness, self.noise, self.quality = grey, sharpness, noise, quality
        self.mirror = mirror

    def before_call(self, b, split_idx: int) -> None:
        """Draws the state for the batch, once for images and box maps."""
        self.do = split_idx == self.split_idx
        if not self.do:
            return
        images = b[0] if isinstance(b, tuple | list) else b
        n, side = len(images), images.shape[-1]

        def draw(limit: float) -> torch.Tensor:
            return (torch.rand(n) * 2 - 1) * limit

        angle = torch.deg2rad(draw(self.degrees))
        size = 1 + draw(self.scale)
        cos, sin, shear = angle.cos() * size, angle.sin() * size, draw(self.shear)
        rows = [
            torch.stack([cos, -sin + shear, draw(2 * self.shift)], -1),
            torch.stack([sin, cos, draw(2 * self.shift)], -1),
        ]
        self.theta = torch.stack(rows, 1)
        if self.mirror:
            self.theta[torch.rand(n) < self.mirror, :, 0] *= -1
        self.contrast, self.brightness = 1 + draw(self.grey), draw(self.grey / 2)
        self.blur, self.grain = draw(self.sharpness), draw(self.noise).abs()
        # As many are drawn above 100, which leaves an image as it is, as below.
        self.qualities = 100 + draw(100 - self.quality)
        # Each image takes its noise from another place of one field, drawn anew for each batch:
        # drawing it for every pixel would take longer than all else that is done to an image.
        self.field = torch.randn(side * side + (n - 1) * _apart(n, side))

    def encodes(self, images: TensorXray):
        pixels = images.as_subclass(torch.Tensor)
        return TensorXray(in_parts(change, pixels, *self.drawn_for(pixels)))

    def encodes(self, maps: TensorBoxMap):  # type: ignore[no-redef]  # noqa: F811
        cells = maps.as_subclass(torch.Tensor)
        places = _places(self.theta, cells.shape[-2], cells.shape[-1])
        return TensorBoxMap(
            in_parts(_move_maps, cells, *(sent(part, cells.device) for part in places))
        )

    def _kernels(self) -> torch.Tensor:
        """Towards the 3x3 mean (blur) or away from it (sharpness), then contrast: [N, 1, 3, 3].

        Contrast turns about the middle grey: (x - 0.5) * contrast + 0.5 + brightness.
        """
        kernels = _by_pixel(self.blur / 9).repeat(1, 1, 3, 3)
        kernels[:, 0, 1, 1] += 1 - self.blur
        return kernels * _by_pixel(self.contrast)

    def drawn_for(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What `change` takes beside the images [N, 1, S, S]: all but the qualities on their device.

        Of those the CPU asks which images to compress, and would have to wait for a GPU.
        """
        n, side, device = len(images), images.shape[-1], images.device
        white = 255 if images.dtype == torch.uint8 else 1
        windows = sent(self.field, device).unfold(0, side * side, _apart(n, side))
        drawn = (
            *_places(self.theta, side, side),
            self._kernels() / white,
            0.5 - 0.5 * self.contrast + self.brightness,
            _by_pixel(self.contrast * self.grain),
        )
        return (
            windows.unflatten(1, (1, side, side)),
            *(sent(part, device) for part in drawn),
            self.qualities,
            sent(_steps(self.qualities), device),
        )


class ToFloat(IntToFloatTensor):
    """Makes uint8 0..255 float32 0..1; leaves alone what augmentation has made float already."""

    def encodes(self, pixels: TensorImage):
        return pixels if pixels.is_floating_point() else pixels.float().div_(self.div)


def change(
    images: torch.Tensor,
    noise: torch.Tensor,
    rows: torch.Tensor,
    columns: torch.Tensor,
    kernels: torch.Tensor,
    shift: torch.Tensor,
    grain: torch.Tensor,
    qualities: torch.Tensor,
    steps: torch.Tensor,
    out: torch.Tensor,
) -> None:
    """Images [N, 1, S, S] moved, exposed, with noise and JPEG's marks: 0..1."""
    moved = move(images.float(), rows, columns)
    exposed = expose(moved, kernels, shift).addcmul_(noise, grain)
    torch.clamp(exposed, 0, 1, out=out)
    _compress(out, qualities, steps)


def move(pictures: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Images [N, C, H, W] read at the places rows + columns, 0 outside (bilinear)."""
    grid = (rows + columns).permute(0, 2, 3, 1)  # x and y in planes: read far faster than in pairs
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _move_maps(
    maps: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, out: torch.Tensor
) -> None:
    if not maps.is_cuda and not maps.any():  # as of most images; a GPU would have to be waited for
        out.zero_()
        return
    cover = maps if maps.is_floating_point() else maps.float().div_(255)
    out.copy_(move(cover, rows, columns))


def expose(images: torch.Tensor, kernels: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Each image [N, 1, S, S] through a 3x3 kernel of its own [N, 1, 3, 3], plus its shift [N]."""
    as_channels = F.pad(images.transpose(0, 1), (1, 1, 1, 1), mode="replicate")
    return F.conv2d(as_channels, kernels, shift, groups=len(images)).transpose(0, 1)


def _apart(n: int, side: int) -> int:
    """How far the noise of one of n images lies from the next one's, in pixels of their field."""
    return side * side // (4 * n)


def _by_pixel(values: torch.Tensor) -> torch.Tensor:
    """[N] -> [N, 1, 1, 1]"""
    return values[:, None, None, None]


def _places(theta: torch.Tensor, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """F.affine_grid(theta, ..., align_corners=False) as its rows and columns, to be added up.

    rows: [N, 2, height, 1]. columns: [N, 2, 1, width]. Both x, y.
    """
    y, x = ((torch.arange(n, device=theta.device) * 2 + 1) / n - 1 for n in (height, width))
    along_x, along_y, shift = (theta[:, :, k, None, None] for k in range(3))
    return along_y * y[:, None] + shift, along_x * x


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
_LEVEL = 128 / 255  # taken off before, added after: of a block's mean, which is its first cosine


def compress(images: torch.Tensor, qualities: torch.Tensor) -> torch.Tensor:
    """What JPEG leaves of images [N, 1, S, S], 0..1, at a quality each [N]; from 100 on, all.

    The lossy step alone: cosines of 8x8 blocks are rounded to the standard's steps, scaled by the
    quality as libjpeg does. A border that fills no block stays as it is.
    """

    def write(images: torch.Tensor, *at: torch.Tensor, out: torch.Tensor) -> None:
        _compress(out.copy_(images), *at)

    qualities = qualities.cpu()
    return in_parts(write, images, qualities, sent(_steps(qualities), images.device))


def _steps(qualities: torch.Tensor) -> torch.Tensor:
    """What the cosines of a block are rounded to at each quality [N]: [N, 1, 8, 8], for 0..1."""
    quality = qualities.clamp(1, 99)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    quanta = _QUANTA * _by_pixel(scale)
    return quanta.round().clamp(1, 255) / 255


def _compress(images: torch.Tensor, qualities: torch.Tensor, steps: torch.Tensor) -> None:
    """In place. qualities: on the CPU."""
    side = images.shape[-1] // _BLOCK * _BLOCK
    if not side:
        return
    lossy = (qualities < 100).nonzero()[:, 0]
    if len(lossy):
        whole, lossy = images[..., :side, :side], sent(lossy, images.device)
        rounded = _rounded(whole.index_select(0, lossy), steps.index_select(0, lossy))
        whole.index_copy_(0, lossy, rounded)


def _rounded(images: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """Whole blocks to cosines, to the nearest step and back, along rows and along columns."""
    n, side = len(images), images.shape[-1]
    # Two blocks at a time, where they fit: a processor multiplies larger matrices faster, though
    # half of the numbers are 0.
    wide = 2 * _BLOCK if side % (2 * _BLOCK) == 0 else _BLOCK
    waves = sent(_WAVES[wide], images.device)
    each = waves.expand(n * side // wide, wide, wide)  # for each row of blocks
    by_row = (len(each), wide, side)
    # Two stretches of memory take turns, for they stay in a processor's cache.
    one = images.reshape(-1, wide) @ waves.T
    other = torch.bmm(each, one.view(by_row))
    cosines = other.view(n, -1, _BLOCK, side)
    steps = steps.repeat(1, 1, 1, side // _BLOCK)
    means = cosines[..., ::_BLOCK, ::_BLOCK]
    means -= _BLOCK * _LEVEL
    cosines.mul_(1 / steps).round_().mul_(steps)
    means += _BLOCK * _LEVEL
    torch.bmm(each.mT, other, out=one.view(by_row))
    torch.mm(one, waves, out=other.view(-1, wide))
    return other.view(n, 1, side, side).clamp_(0, 1)


def _cosines() -> torch.Tensor:
    """The orthonormal cosine transform of 8 values: [8, 8]."""
    at = torch.arange(_BLOCK, dtype=torch.float32)
    waves = torch.cos(torch.pi / _BLOCK * (at + 0.5) * at[:, None]) * (2 / _BLOCK) ** 0.5
    waves[0] *= 0.5**0.5
    return waves


# Of the values of one block, and of two side by side.
_WAVES = {_BLOCK * count: torch.block_diag(*[_cosines()] * count) for count in (1, 2)}


class MixImages(RandTransform):
    """Mixup: half of the batches are laid over themselves in another order, in random shares.

    Targets mix in the same shares; as their loss is linear in them, that is the mixup of Zhang et
    al. (2018). Box maps mix too, so that a box counts by its image's share. Mixup keeps a small
    training set from being learned by heart.
    """

    order = 30  # behind AugmentImages
    split_idx = 0  # training only

    def __init__(self, p: float = 0.5, alpha: float = 0.4):
        super().__init__(p=p)
        self.share = torch.distributions.Beta(alpha, alpha)

    def before_call(self, b, split_idx: int) -> None:
        """Draws the other order and the shares for the batch, once for all its parts."""
        self.do = split_idx == self.split_idx and bool(torch.rand(()) < self.p)
        if self.do:
            n, device = len(b[0]), b[0].device
            self.other = sent(torch.randperm(n), device)
            share = self.share.sample((n,))
            self.shares = sent(torch.maximum(share, 1 - share), device)

    def encodes(self, images: TensorXray):
        return TensorXray(self._mixed(images))

    def encodes(self, targets: TensorMultiCategory):  # type: ignore[no-redef]  # noqa: F811
        return torch.lerp(targets[self.other], targets, self.shares[:, None])

    def encodes(self, maps: TensorBoxMap):  # type: ignore[no-redef]  # noqa: F811
        return TensorBoxMap(self._mixed(maps))

    def _mixed(self, part: torch.Tensor) -> torch.Tensor:
        plain = part.as_subclass(torch.Tensor)
        if plain.is_cuda:
            return torch.lerp(plain[self.other], plain, _by_pixel(self.shares))
        return in_parts(_mix, plain, [plain[i] for i in self.other.tolist()], self.shares)


def _mix(
    images: torch.Tensor, others: list[torch.Tensor], shares: torch.Tensor, out: torch.Tensor
) -> None:
    for image, other, share, mixed in zip(images, others, shares, out, strict=True):
        torch.lerp(other, image, share, out=mixed)


def sent(part: torch.Tensor, device: torch.device | None) -> torch.Tensor:
    """To a GPU from pinned memory, so that nothing waits for the copy but what uses it."""
    if device and device.type == "cuda":
        return part.pin_memory().to(device, non_blocking=True)
    return part.to(device)


def in_parts(
    write: Callable[..., None], images: torch.Tensor, *drawn: torch.Tensor | list[torch.Tensor]
) -> torch.Tensor:
    """What write(images, *drawn, out) writes, float32. Each of drawn has a part for each image.

    On a GPU it is called once. On a CPU the images are shared out among as many threads as torch
    has, each computing alone: torch's own wait for each other after every operation, for
    milliseconds where another process holds a core. Smaller parts would stay in a core's cache, but
    then the threads hand Python to each other so often that it takes longer.
    """
    changed = torch.empty(images.shape, device=images.device)
    if images.device.type != "cpu":
        write(images, *drawn, out=changed)
        return changed
    threads, count = _threads()
    each = -(-len(images) // count)

    def work(start: int) -> None:
        share = slice(start, start + each)
        write(images[share], *(part[share] for part in drawn), out=changed[share])

    list(threads.map(work, range(0, len(images), each)))
    return changed


@cache
def _threads() -> tuple[ThreadPoolExecutor, int]:
    count = torch.get_num_threads()
    # The setting is a thread's own.
    return ThreadPoolExecutor(count, "augment", torch.set_num_threads, (1,)), count
