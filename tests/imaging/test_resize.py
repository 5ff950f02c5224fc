"""Resizing to the square that the network expects."""

import numpy as np
import pytest

from cxr import imaging

GREY_LEVEL = 1 / 255


def resized(pixels, size):
    return imaging.resize(imaging.GreyImage(pixels), size)


@pytest.mark.parametrize("shape", [(64, 64), (100, 300), (999, 70), (1024, 1024)])
@pytest.mark.parametrize("size", [64, 224, 320])
def test_result_is_a_square(shape, size):
    """An image of any shape becomes a float32 square of the requested size."""
    small = resized(np.zeros(shape, np.float32), size)
    assert small.shape == (size, size)
    assert small.dtype == np.float32


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_constant_stays_constant(value):
    """An image of one grey value keeps it."""
    small = resized(np.full((517, 390), value, np.float32), 256)
    np.testing.assert_allclose(small, value, atol=GREY_LEVEL / 2)


def test_mean_is_kept():
    """Every pixel counts when an image is reduced: the mean of noise is kept."""
    image = np.random.default_rng(0).random((1000, 900), dtype=np.float32)
    assert resized(image, 200).mean() == pytest.approx(image.mean(), abs=1e-3)


def test_reducing_is_antialiased():
    """A grid finer than the new pixels becomes grey, without a moiré pattern."""
    image = np.zeros((1024, 1024), np.float32)
    image[:, ::2] = 1
    small = resized(image, 224)
    np.testing.assert_allclose(small[:, 2:-2], 0.5, atol=0.06)


def test_filter_is_a_triangle():
    """Halving weighs 4 pixels with 1/8, 3/8, 3/8 and 1/8: at 0.5 and 1.5 from the new centre."""
    image = np.zeros((128, 128), np.uint8)
    image[:, 40] = 240
    np.testing.assert_allclose(resized(image, 64)[32, 18:23] * 255, [0, 30, 90, 0, 0], atol=0.01)
    np.testing.assert_allclose(resized(image.T, 64)[18:23, 32] * 255, [0, 30, 90, 0, 0], atol=0.01)


def test_image_is_squeezed_not_cropped():
    """A wide image keeps both ends, and its middle stays in the middle."""
    image = np.zeros((200, 600), np.float32)
    image[:, :60], image[:, 290:310], image[:, 540:] = 1, 0.5, 0.8
    small = resized(image, 100)
    assert (small[50, 0], small[50, 99]) == pytest.approx((1, 0.8))
    assert small[50, 49:51] == pytest.approx([0.5, 0.5], abs=0.1)
    assert not small[50, 15:40].any()


def test_image_is_not_turned():
    """Rows stay rows, columns stay columns, and nothing is mirrored."""
    image = np.zeros((300, 200), np.float32)
    image[:30, 100:] = 1
    small = resized(image, 100)
    corners = [small[2, 25], small[2, 75], small[75, 25], small[75, 75]]
    assert corners == [0, 1, 0, 0]


def test_view_of_an_array():
    """A turned or mirrored view of an array is resized like its copy."""
    image = np.random.default_rng(0).random((120, 90), dtype=np.float32)
    view = image[::-1].T
    np.testing.assert_array_equal(resized(view, 64), resized(view.copy(), 64))


def test_own_size_changes_nothing():
    """An image of the requested size keeps its pixels."""
    image = np.random.default_rng(0).random((96, 96), dtype=np.float32)
    np.testing.assert_allclose(resized(image, 96), image, atol=GREY_LEVEL / 2)
