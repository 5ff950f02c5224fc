"""Augmentation of training images and their box maps.

An image is changed by torchvision as a Pillow image of 8 bits, before it becomes part of a batch;
noise and mixup follow on the whole batch, as fastai transforms. Images are mirrored only on
request, because left and right of a chest X-ray differ.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torchvision.transforms.v2.functional as F
from fastai.torch_core import TensorMultiCategory
from fastai.vision.augment import RandTransform
from PIL import Image
from torchvision.transforms.v2 import InterpolationMode

from cxr.training.tensors import TensorBoxMap, TensorXray


@dataclass(frozen=True)
class Augmentation:
    """The random changes of one image. The defaults change nothing.

    Compression, sharpness and noise imitate copies of an image from the web, so that the network
    does not rely on grain that another copy lacks.

    Attributes:
        angle: Rotation in degrees.
        shift: Translation along x and y, as shares of the side.
        scale: Magnification.
        shear: Shear along x in degrees.
        sharpness: 0 blurs, 1 changes nothing, 2 sharpens.
        contrast: Factor.
        brightness: Factor.
        quality: JPEG quality, 1 to 100; 100 leaves the image uncompressed.
        mirrored: Whether left and right are swapped.
    """

    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    shear: float = 0.0
    sharpness: float = 1.0
    contrast: float = 1.0
    brightness: float = 1.0
    quality: int = 100
    mirrored: bool = False

    @classmethod
    def draw(cls, mirror: float = 0.0) -> "Augmentation":
        """Draws the changes of one image from torch's generator.

        Args:
            mirror: Share of the images that are mirrored, 0..1.
        """
        return cls(
            angle=_around(0, 10),
            shift=(_around(0, 0.06), _around(0, 0.06)),
            scale=_around(1, 0.15),
            shear=_around(0, 3),
            sharpness=_around(1, 1),
            contrast=_around(1, 0.25),
            brightness=_around(1, 0.25),
            quality=min(round(_around(100, 70)), 100),  # half of the images are compressed
            mirrored=_around(0.5, 0.5) < mirror,
        )

    def image(self, pixels: np.ndarray) -> np.ndarray:
        """Returns the changed image, uint8 [S, S] as given."""
        image = self._moved(pixels)
        image = F.adjust_sharpness(image, self.sharpness)
        image = F.adjust_contrast(image, self.contrast)
        image = F.adjust_brightness(image, self.brightness)
        if self.quality < 100:
            image = F.jpeg(image, self.quality)
        return np.asarray(image)

    def box_maps(self, maps: np.ndarray) -> np.ndarray:
        """Returns box maps that moved like the image, uint8 [K, g, g] as given."""
        moved = np.zeros_like(maps)
        for label in np.flatnonzero(maps.any((1, 2))):
            moved[label] = np.asarray(self._moved(maps[label]))
        return moved

    def _moved(self, pixels: np.ndarray) -> Image.Image:
        image = Image.fromarray(pixels)
        if self.mirrored:
            image = F.horizontal_flip(image)
        return F.affine(
            image,
            self.angle,
            [share * image.width for share in self.shift],
            self.scale,
            [self.shear, 0.0],
            interpolation=InterpolationMode.BILINEAR,
        )


class AddNoise(RandTransform):
    """Adds Gaussian noise to training images, 0..1, of a random strength for each image."""

    order = 20  # after fastai's IntToFloatTensor
    split_idx = 0  # training only

    def __init__(self, strongest: float = 0.02):
        """strongest: the largest standard deviation."""
        super().__init__(p=1.0)
        self.strongest = strongest

    def encodes(self, images: TensorXray):
        plain = images.as_subclass(torch.Tensor)
        strength = self.strongest * torch.rand(len(plain), 1, 1, 1, device=plain.device)
        return TensorXray((plain + strength * torch.randn_like(plain)).clamp_(0, 1))


class MixImages(RandTransform):
    """Mixup (Zhang et al. 2018): mixes each image of half of the batches with another one.

    Targets and box maps mix in the same shares as their images: the loss is linear in the targets,
    and a box counts by the share of its image. This reduces overfitting to a small training set.
    torchvision's MixUp does not mix box maps.
    """

    order = 30  # after AddNoise
    split_idx = 0  # training only

    def __init__(self, p: float = 0.5, alpha: float = 0.4):
        """p: share of the batches that are mixed. alpha: of the beta distribution of the shares."""
        super().__init__(p=p)
        self.share = torch.distributions.Beta(alpha, alpha)

    def before_call(self, b, split_idx: int) -> None:
        """Draws the other images and the shares, once for all parts of the batch."""
        self.do = split_idx == self.split_idx and bool(torch.rand(()) < self.p)
        if self.do:
            n, device = len(b[0]), b[0].device
            self.other = torch.randperm(n).to(device)
            share = self.share.sample((n,))
            self.shares = torch.maximum(share, 1 - share).to(device)

    def encodes(self, images: TensorXray):
        return TensorXray(self._mixed(images))

    def encodes(self, targets: TensorMultiCategory):  # type: ignore[no-redef]  # noqa: F811
        return self._mixed(targets)

    def encodes(self, maps: TensorBoxMap):  # type: ignore[no-redef]  # noqa: F811
        return TensorBoxMap(self._mixed(maps))

    def _mixed(self, part: torch.Tensor) -> torch.Tensor:
        plain = part.as_subclass(torch.Tensor)
        shares = self.shares.view(-1, *[1] * (plain.ndim - 1))
        return torch.lerp(plain[self.other], plain, shares)


def _around(middle: float, largest: float) -> float:
    """A random number that differs from `middle` by at most `largest`."""
    return middle + largest * (2 * torch.rand(()).item() - 1)
