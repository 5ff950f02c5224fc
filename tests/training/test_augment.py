"""Augmentation: images stay valid, box maps move with them, mixup mixes everything alike."""

import numpy as np
import pytest
import torch
from fastai.torch_core import TensorMultiCategory

from cxr.datasets.boxes import GRID
from cxr.training.augment import AddNoise, Augmentation, MixImages
from cxr.training.tensors import TensorBoxMap, TensorXray
from cxr_labels import LABELS

SIDE = 128
TRAINING, VALIDATION = 0, 1  # as fastai numbers the sets


@pytest.fixture(autouse=True)
def _same_draws():
    torch.manual_seed(0)


def image_and_maps() -> tuple[np.ndarray, np.ndarray]:
    """A dark image with a bright patch, uint8, which is the box of the first label."""
    image, maps = np.full((SIDE, SIDE), 60, np.uint8), np.zeros((len(LABELS), GRID, GRID), np.uint8)
    image[::2] += 25  # lines, so that blur and brightness show everywhere
    image[48:72, 56:72], maps[0, 12:18, 14:18] = 230, 255
    return image, maps


def centre(image: np.ndarray, above: int) -> np.ndarray:
    """Centre (y, x) of what is brighter, 0..1."""
    bright = np.maximum(image.astype(float) - above, 0)
    places = (np.indices(image.shape) + 0.5) / len(image)
    return (places * bright).sum((1, 2)) / bright.sum()


def test_default_changes_nothing():
    """Without changes image and box maps come out as they went in."""
    image, maps = image_and_maps()
    assert np.array_equal(Augmentation().image(image), image)
    assert np.array_equal(Augmentation().box_maps(maps), maps)


def test_drawn_changes_change_every_image():
    """Shape and type stay, the pixels change."""
    image, _ = image_and_maps()
    for _ in range(20):
        changed = Augmentation.draw().image(image)
        assert changed.shape == image.shape
        assert changed.dtype == np.uint8
        assert np.abs(changed.astype(int) - image).max() > 12


def test_draws_stay_in_their_ranges():
    """Each change is drawn around what changes nothing, half of the images are compressed."""
    drawn = [Augmentation.draw(mirror=0.5) for _ in range(1000)]
    for name, middle, largest in (
        ("angle", 0, 10),
        ("scale", 1, 0.15),
        ("shear", 0, 3),
        ("sharpness", 1, 1),
        ("contrast", 1, 0.25),
        ("brightness", 1, 0.25),
    ):
        values = np.array([getattr(one, name) for one in drawn]) - middle
        assert 0.9 * largest < np.abs(values).max() <= largest, name
        assert abs(values.mean()) < 0.1 * largest, name
    shifts = np.array([one.shift for one in drawn])
    assert np.abs(shifts).max(0) == pytest.approx([0.06, 0.06], rel=0.1)
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.2
    qualities = np.array([one.quality for one in drawn])
    assert qualities.min() >= 30
    assert (qualities < 100).mean() == pytest.approx(0.5, abs=0.05)
    assert np.mean([one.mirrored for one in drawn]) == pytest.approx(0.5, abs=0.05)


def test_same_seed_draws_the_same():
    """Draws follow torch's generator."""
    torch.manual_seed(1)
    first = [Augmentation.draw() for _ in range(5)]
    torch.manual_seed(1)
    assert [Augmentation.draw() for _ in range(5)] == first


@pytest.mark.parametrize(
    ("change", "darker"),
    [({"contrast": 0.75}, True), ({"brightness": 0.75}, True), ({"brightness": 1.25}, False)],
)
def test_brightest_part_follows_the_change(change, darker):
    """Contrast and brightness work in the named direction."""
    image, _ = image_and_maps()
    changed = Augmentation(**change).image(image)
    assert (changed.max() < image.max()) == darker


def test_sharpness_blurs_and_sharpens():
    """0 lowers the contrast between neighbouring lines, 2 raises it."""
    image, _ = image_and_maps()
    blurred, same, sharp = (
        np.ptp(Augmentation(sharpness=s).image(image)[100:120, 10:50].astype(int), axis=0).mean()
        for s in (0, 1, 2)
    )
    assert blurred < same < sharp


def test_low_quality_loses_more():
    """JPEG at a low quality changes an image more than at a high one."""
    image, _ = image_and_maps()
    low, high = (
        np.abs(Augmentation(quality=q).image(image).astype(int) - image).mean() for q in (30, 90)
    )
    assert 0 < high < low


def test_box_maps_move_with_their_images():
    """The centre of the box map follows that of the bright patch on the image."""
    image, maps = image_and_maps()
    before = centre(image, above=100)
    away = []
    for _ in range(30):
        drawn = Augmentation.draw(mirror=0.5)
        move = {name: getattr(drawn, name) for name in ("angle", "shift", "scale", "shear")}
        moves = Augmentation(mirrored=drawn.mirrored, **move)
        on_image = centre(moves.image(image), above=100)
        on_map = centre(moves.box_maps(maps)[0], above=0)
        assert np.linalg.norm(on_image - on_map) < 0.25 / GRID  # of a cell
        away.append(np.linalg.norm(on_image - before))
    assert np.median(away) > 1 / GRID


@pytest.mark.parametrize(
    ("change", "place", "area"),
    [
        ({"shift": (0.25, 0)}, (0.5, 0.75), 1),  # to the right
        ({"shift": (0, -0.125)}, (0.375, 0.5), 1),  # up
        ({"scale": 1.5}, (0.5, 0.5), 2.25),
        ({"shear": 3}, (0.5, 0.5), 1),
        ({"angle": 10}, (0.5, 0.5), 1),
    ],
)
def test_patch_in_the_middle_moves_by_the_change(change, place, area):
    """A shift is a share of the side along x and y, a scale magnifies, the rest keeps areas."""
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[56:72, 56:72] = 200
    changed = Augmentation(**change).image(image)
    assert centre(changed, above=0) == pytest.approx(place, abs=0.01)
    assert changed.sum(dtype=float) / image.sum(dtype=float) == pytest.approx(area, rel=0.05)
    assert not np.array_equal(changed, image)


def test_mirroring_is_exact():
    """A mirrored image and its box maps are those read from right to left."""
    image, maps = image_and_maps()
    mirrored = Augmentation(mirrored=True)
    assert np.array_equal(mirrored.image(image), image[:, ::-1])
    assert np.array_equal(mirrored.box_maps(maps), maps[..., ::-1])


def test_images_are_mirrored_only_on_request():
    """By default left stays left."""
    assert not any(Augmentation.draw().mirrored for _ in range(100))


def test_noise_is_as_strong_as_promised():
    """The standard deviation of the noise differs between images and stays below the limit."""
    images = TensorXray(torch.full((32, 1, 64, 64), 0.5))
    (noisy,) = AddNoise()((images,), split_idx=TRAINING)
    strength = noisy.as_subclass(torch.Tensor).flatten(1).std(1)
    assert strength.max() < 0.021
    assert strength.max() > 0.015
    assert strength.min() < 0.005


def test_noise_keeps_the_range():
    """Black and white stay within 0..1."""
    images = TensorXray(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 32, 32))
    (noisy,) = AddNoise(0.1)((images,), split_idx=TRAINING)
    assert noisy.min() >= 0
    assert noisy.max() <= 1


@pytest.mark.parametrize("transform", [AddNoise(), MixImages(p=1.0)])
def test_validation_images_are_untouched(transform):
    """Neither noise nor mixup touches what is measured."""
    batch = (
        TensorXray(torch.rand(8, 1, 16, 16)),
        TensorMultiCategory(torch.eye(8, len(LABELS))),
        TensorBoxMap(torch.rand(8, len(LABELS), GRID, GRID)),
    )
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


def test_half_of_the_batches_are_mixed():
    """By default every other batch is mixed, and most images keep most of themselves."""
    transform, own = MixImages(), []
    for _ in range(200):
        images = TensorXray(torch.eye(8).reshape(8, 1, 1, 8))
        (mixed,) = transform((images,), split_idx=TRAINING)
        own.append(mixed.as_subclass(torch.Tensor).reshape(8, 8).diagonal())
    changed = torch.stack([(share < 1).any() for share in own]).float().mean()
    assert changed == pytest.approx(0.5, abs=0.1)
    shares = torch.cat([share for share in own if (share < 1).any()])
    # The larger of the shares of a beta distribution of 0.4 is 0.84 on average; 1/8 stay unmixed.
    assert shares.mean() == pytest.approx(0.84 + 0.16 / 8, abs=0.02)
