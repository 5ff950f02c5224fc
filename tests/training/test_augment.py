"""Augmentation: what JPEG leaves of an image, maps that move with their images, boxes by share."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fastai.torch_core import TensorMultiCategory
from PIL import Image

from cxr.datasets.boxes import GRID
from cxr.training.augment import (
    AugmentImages,
    MixImages,
    TensorBoxMap,
    TensorXray,
    ToFloat,
    change,
    compress,
)
from cxr.training.learner import box_loss
from cxr_labels import LABELS

QUALITIES = (30, 40, 50, 60, 75, 90)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TRAINING, VALIDATION = 0, 1  # as fastai numbers the sets


@pytest.fixture(autouse=True)
def _same_draws():
    torch.manual_seed(0)


@pytest.mark.parametrize("quality", QUALITIES)
def test_compression_is_that_of_jpeg(quality):
    """An image loses what Pillow's JPEG takes at that quality, not at one ten lower or higher."""
    _check_compression(_drawn(128), quality)


@pytest.mark.parametrize("quality", QUALITIES)
def test_compression_of_a_real_image_is_that_of_jpeg(nih_folder: Path, quality):
    """The same of a radiograph with its grain."""
    with Image.open(min((nih_folder / "images").iterdir())) as image:
        _check_compression(np.asarray(image.convert("L")), quality)


def test_quality_from_100_on_leaves_an_image_as_it_is():
    """Of a batch only the images below 100 change."""
    images = torch.rand(4, 1, 32, 32)
    found = compress(images, torch.tensor([100.0, 60.0, 130.0, 100.0]))
    assert [torch.equal(a, b) for a, b in zip(found, images, strict=True)] == [
        True,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("side", [7, 8, 100, 127])
def test_border_that_fills_no_block_stays(side):
    """Sides that 8 does not divide: whole blocks lose detail, the rest is untouched."""
    images = torch.rand(2, 1, side, side)
    found = compress(images, torch.full((2,), 30.0))
    whole = side // 8 * 8
    assert found.shape == images.shape
    assert torch.equal(found[..., whole:, :], images[..., whole:, :])
    assert torch.equal(found[..., :, whole:], images[..., :, whole:])
    assert whole == 0 or not torch.equal(found, images)


def test_each_image_has_its_own_quality():
    """An image of a batch is compressed as if it were alone."""
    images, qualities = torch.rand(3, 1, 40, 40), torch.tensor([30.0, 55.0, 90.0])
    together = compress(images, qualities)
    alone = torch.cat([compress(images[i : i + 1], qualities[i : i + 1]) for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-6)


def test_augmented_images_keep_range_and_shape():
    """Training images come out changed, of the same shape and type, within 0 and 1."""
    images, targets, maps = _batch(16)
    augmented = AugmentImages()((images, targets, maps), split_idx=TRAINING)
    assert isinstance(augmented[0], TensorXray)
    assert augmented[0].shape == images.shape
    assert augmented[2].shape == maps.shape
    for part in (augmented[0], augmented[2]):
        assert part.min() >= 0
        assert part.max() <= 1
    assert all((a - b).abs().max() > 0.05 for a, b in zip(augmented[0], images, strict=True))
    assert torch.equal(augmented[1], targets)


def test_images_are_moved_and_exposed_as_torch_would():
    """Without noise and JPEG, the images are those of torch's own affine map and convolution."""
    images = torch.rand(6, 1, 45, 45)
    plain = AugmentImages(noise=0, quality=100)
    found = plain((TensorXray(images),), split_idx=TRAINING)[0].as_subclass(torch.Tensor)
    grid = F.affine_grid(plain.theta, [6, 1, 45, 45], align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="zeros", align_corners=False)
    mean = F.conv2d(F.pad(moved, (1, 1, 1, 1), mode="replicate"), torch.full((1, 1, 3, 3), 1 / 9))
    blur, contrast, brightness = (
        values[:, None, None, None] for values in (plain.blur, plain.contrast, plain.brightness)
    )
    wanted = (torch.lerp(moved, mean, blur) - 0.5) * contrast + 0.5 + brightness
    assert torch.allclose(found, wanted.clamp(0, 1), atol=1e-5)


def test_noise_is_as_strong_as_drawn_and_differs_between_images():
    """Each image's noise has the drawn deviation, times its contrast; no two images share it."""
    images = torch.full((8, 1, 128, 128), 0.5)
    noisy = AugmentImages(degrees=0, scale=0, shift=0, shear=0, sharpness=0, quality=100)
    found = noisy((TensorXray(images),), split_idx=TRAINING)[0].as_subclass(torch.Tensor)
    inside = found[:, 0, 10:-10, 10:-10].flatten(1)
    assert torch.allclose(inside.std(1), noisy.grain * noisy.contrast, rtol=0.05, atol=1e-5)
    alike = torch.corrcoef(inside) - torch.eye(8)
    assert alike.abs().max() < 0.05


def test_bytes_are_augmented_as_floats_are():
    """Images and box maps may come as the cache holds them, and come out float, 0 to 1."""
    augment = AugmentImages()
    images, _, maps = _batch(8)
    stored = [(255 * part.as_subclass(torch.Tensor)).round().byte() for part in (images, maps)]
    both = []
    for white, dtype in ((1, torch.uint8), (255, torch.float32)):
        torch.manual_seed(1)
        bytes_or_floats = [(part / white).to(dtype) for part in stored]
        batch = (TensorXray(bytes_or_floats[0]), TensorBoxMap(bytes_or_floats[1]))
        both.append(augment(batch, split_idx=TRAINING))
    for from_bytes, from_floats in zip(*both, strict=True):
        assert from_bytes.dtype == torch.float32
        # A cosine may fall on the other side of a rounding step.
        assert (from_bytes - from_floats).abs().mean() < 1e-5


def test_images_of_a_batch_change_at_once_as_in_parts():
    """What a GPU does to the whole batch in one call is what a CPU's threads do to a few each."""
    images, _, _ = _batch(12)
    augment = AugmentImages()
    in_parts = augment((images,), split_idx=TRAINING)[0]
    plain = images.as_subclass(torch.Tensor).to(DEVICE)
    at_once = torch.empty_like(plain)
    change(plain, *augment.drawn_for(plain), out=at_once)
    # Of numbers on the edge a GPU may round some the other way, in JPEG's steps.
    near = 1e-5 if DEVICE == "cpu" else 1e-3
    assert (at_once.cpu() - in_parts).abs().mean() < near


def test_same_seed_gives_the_same_images_in_any_thread():
    """Images do not depend on which thread took which."""
    found = []
    for _ in range(3):
        torch.manual_seed(2)
        found.append(AugmentImages()((_batch(32)[0],), split_idx=TRAINING)[0])
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_augmenting_leaves_torch_its_threads():
    """The threads that augment compute alone; the one that trains keeps its helpers."""
    before = torch.get_num_threads()
    AugmentImages()((_batch(4)[0],), split_idx=TRAINING)
    assert torch.get_num_threads() == before


def test_bytes_become_floats_once():
    """What is float already is left alone."""
    images = TensorXray(torch.tensor([0, 51, 255], dtype=torch.uint8))
    once = ToFloat()(images)
    assert torch.allclose(once.as_subclass(torch.Tensor), torch.tensor([0, 0.2, 1]))
    assert torch.equal(ToFloat()(once), once)


def test_box_maps_move_with_their_images():
    """The centre of a box on the map follows that of the bright patch on the image."""
    images, targets, maps = _batch(32)
    before = _centres(images)
    still = AugmentImages(grey=0, sharpness=0, noise=0, quality=100)
    moved, _, moved_maps = still((images, targets, maps), split_idx=TRAINING)
    on_images, on_maps = _centres(moved), _centres(moved_maps[:, :1])
    assert (on_images - before).norm(dim=-1).median() > 1 / GRID  # a cell
    assert (on_images - on_maps).norm(dim=-1).max() < 0.25 / GRID


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.5, 70, 130)])
def test_images_are_mirrored_only_where_asked_for(share, low, high):
    """Else an image stays the right way round: the part on its left stays left."""
    images = torch.zeros(200, 1, 32, 32)
    images[..., :16] = 1
    turned = AugmentImages(mirror=share)((TensorXray(images),), split_idx=TRAINING)[0]
    left, right = turned[..., 8:24, :16].mean((1, 2, 3)), turned[..., 8:24, 16:].mean((1, 2, 3))
    assert low <= (left < right).sum() <= high


def test_box_maps_are_mirrored_with_their_images():
    """Where nothing else is done, both are what they were, from right to left."""
    images, targets, maps = _batch(8)
    mirrored = AugmentImages(0, 0, 0, 0, 0, 0, 0, quality=100, mirror=1.0)
    moved, _, moved_maps = mirrored((images, targets, maps), split_idx=TRAINING)
    for found, before in ((moved, images), (moved_maps, maps)):
        assert torch.allclose(found, before.flip(-1), atol=1e-4)


@pytest.mark.parametrize("transform", [AugmentImages(), MixImages(p=1.0)])
def test_validation_images_are_untouched(transform):
    """Neither augmentation nor mixup touches what is measured."""
    batch = _batch(8)
    for before, after in zip(batch, transform(batch, split_idx=VALIDATION), strict=True):
        assert torch.equal(before, after)


def test_everything_of_an_image_mixes_in_one_share():
    """Images, targets and box maps are mixed with the same other image in the same share."""
    n = 8
    known = torch.eye(n)  # image i is bright at pixel i alone, so that a mix shows its parts
    images = TensorXray(known.reshape(n, 1, 1, n))
    maps = TensorBoxMap(known.reshape(n, 1, 1, n).expand(n, 2, 1, n))
    found = MixImages(p=1.0)((images, TensorMultiCategory(known), maps), split_idx=TRAINING)
    shares, targets, mixed = (part.as_subclass(torch.Tensor) for part in found)
    shares = shares.reshape(n, n)
    assert torch.allclose(shares.sum(1), torch.ones(n))
    assert (shares.diagonal() >= 0.5).all()  # an image's own share is the larger
    assert ((shares > 0) & (shares < 1)).any()
    assert torch.equal(targets, shares)
    assert all(torch.equal(mixed[:, label, 0], shares) for label in range(2))


def test_box_counts_by_its_share():
    """Of two boxes the loss is the mean weighted by the share that each image has in its mix."""
    heatmap = torch.randn(2, 3, 8, 8)
    boxes = torch.zeros(2, 3, GRID, GRID)
    boxes[0, 1, 4:8, 4:12] = 1
    boxes[1, 2, 16:24, 8:20] = 1
    each = [float(box_loss(heatmap[i : i + 1], boxes[i : i + 1])) for i in range(2)]
    boxes[1] *= 0.25
    assert abs(each[0] - each[1]) > 0.1
    assert float(box_loss(heatmap[1:], boxes[1:])) == pytest.approx(each[1], rel=1e-5)
    expected = (each[0] + 0.25 * each[1]) / 1.25
    assert float(box_loss(heatmap, boxes)) == pytest.approx(expected, rel=1e-5)


def test_box_loss_is_least_for_a_map_like_the_box():
    """The loss falls to the box's entropy where the map's softmax is the box."""
    boxes = torch.zeros(1, 1, GRID, GRID)
    boxes[0, 0, 8:16, 8:24] = 1  # 2 x 4 cells of the 8 x 8 map
    inside = torch.full((1, 1, 8, 8), -30.0)
    inside[0, 0, 2:4, 2:6] = 0
    assert float(box_loss(inside, boxes)) == pytest.approx(np.log(8), abs=1e-4)
    assert float(box_loss(inside.roll(4, 2), boxes)) > 20


def test_no_box_no_loss():
    """A batch without a box adds nothing, and its gradient is 0."""
    heatmap = torch.randn(2, 3, 8, 8, requires_grad=True)
    loss = box_loss(heatmap, torch.zeros(2, 3, GRID, GRID))
    loss.backward()
    assert loss.item() == 0
    assert heatmap.grad is not None
    assert not heatmap.grad.any()


def _check_compression(grey: np.ndarray, quality: int) -> None:
    images = torch.from_numpy(grey[None, None] / np.float32(255))
    found = compress(images, torch.tensor([float(quality)]))[0, 0].numpy() * 255
    away, lower, higher = (
        np.abs(found - _jpeg(grey, near)).mean() for near in (quality, quality - 10, quality + 10)
    )
    # Pillow's pixels are rounded to whole grey levels; ours are not.
    assert away < 0.6
    assert away < 0.8 * min(lower, higher)


def _jpeg(grey: np.ndarray, quality: int) -> np.ndarray:
    """Grey levels after Pillow's JPEG, float [H, W]; a quality of 100 loses next to nothing."""
    packed = io.BytesIO()
    Image.fromarray(grey).save(packed, "JPEG", quality=quality)
    return np.asarray(Image.open(packed)).astype(float)


def _drawn(side: int) -> np.ndarray:
    """Smooth shades with a bar and a disc on them, uint8 [side, side]."""
    y, x = np.mgrid[:side, :side] / side
    shades = 0.5 + 0.3 * np.sin(5 * x + 2 * y) * np.cos(4 * y)
    shades[(x > 0.3) & (x < 0.6) & (y > 0.25) & (y < 0.7)] += 0.15
    shades[(x - 0.7) ** 2 + (y - 0.6) ** 2 < 0.02] -= 0.25
    return np.rint(255 * np.clip(shades, 0, 1)).astype(np.uint8)


def _batch(n: int) -> tuple[TensorXray, TensorMultiCategory, TensorBoxMap]:
    """Dark images 128 px wide with one bright patch each, which is boxed as the first label."""
    images, maps = torch.full((n, 1, 128, 128), 0.2), torch.zeros(n, len(LABELS), GRID, GRID)
    images[:, :, ::2] += 0.1  # lines, so that brightness and blur show everywhere
    for i in range(n):
        row, column = 10 + i % 5, 10 + i % 7  # cells; far enough from the border to stay on
        maps[i, 0, row : row + 6, column : column + 4] = 1
        images[i, 0, 4 * row : 4 * row + 24, 4 * column : 4 * column + 16] = 0.9
    return (
        TensorXray(images),
        TensorMultiCategory(torch.eye(len(LABELS))[torch.arange(n) % len(LABELS)]),
        TensorBoxMap(maps),
    )


def _centres(pictures: torch.Tensor) -> torch.Tensor:
    """Centre (y, x) of what is brighter than the lines of `_batch`, 0..1 [N, 2]."""
    bright = (pictures.as_subclass(torch.Tensor)[:, 0] - 0.35).clamp_min(0)
    side = bright.shape[-1]
    at = (torch.arange(side) + 0.5) / side
    total = bright.sum((1, 2))
    return torch.stack([(bright.sum(d) * at).sum(1) / total for d in (2, 1)], -1)
