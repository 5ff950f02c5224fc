"""Boxes around the peaks of heatmaps, and overlays."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from cxr.inference.boxes import find_boxes, in_pixels, median
from cxr.inference.overlay import draw_overlay, preview
from cxr.model.config import BoxRule


def pixel_boxes(
    heatmap: np.ndarray,
    width: int,
    height: int,
    rule: BoxRule = BoxRule(),  # noqa: B008
    label: str | None = None,
) -> list[list[int]]:
    return in_pixels(find_boxes(heatmap, rule, label), width, height)


def test_box_frames_a_planted_peak():
    """A blob on a map gives one box around it, in pixels of the image."""
    heatmap = np.zeros((16, 16), np.float32)
    heatmap[4:6, 10:13] = 5.0
    assert pixel_boxes(heatmap, width=1600, height=800) == [[1000, 200, 300, 100]]


def test_flat_map_has_no_box():
    """A map without a peak frames nothing."""
    assert pixel_boxes(np.ones((16, 16), np.float32), 100, 100) == []


@pytest.mark.parametrize(("neighbour", "width"), [(0.5, 200), (0.49, 100)])
def test_cell_that_reaches_the_height_belongs_to_the_region(neighbour, width):
    """The rule's height, half of the peak by default, is the least that counts."""
    heatmap = np.zeros((8, 8), np.float32)
    heatmap[4, 3:5] = 1.0, neighbour
    assert pixel_boxes(heatmap, 800, 800) == [[300, 400, width, 100]]


def test_edges_of_a_box_are_rounded_to_pixels():
    """Not its sides: 1.4 to 2.6 is 1 to 3, and 0.4 to 2.6 is 0 to 3."""
    assert in_pixels([(0.14, 0.04, 0.12, 0.22)], 10, 10) == [[1, 0, 2, 3]]


@pytest.mark.parametrize("shape", [(3, 3), (3, 4), (1, 1), (1, 2)])
def test_median_is_that_of_numpy(shape):
    """Of an odd and an even number of cells."""
    heatmap = np.random.default_rng(0).random(shape).astype(np.float32)
    assert median(heatmap) == pytest.approx(np.median(heatmap))


def test_box_leaves_out_a_second_blob():
    """Only the region that is connected with the peak is framed."""
    heatmap = np.zeros((16, 16), np.float32)
    heatmap[2, 2], heatmap[12, 12] = 5.0, 4.0
    assert pixel_boxes(heatmap, 160, 160) == [[20, 20, 10, 10]]


def test_box_follows_a_winding_region():
    """A region that turns back on itself is framed whole, and nothing but it."""
    heatmap = np.zeros((16, 16), np.float32)
    for row in range(1, 12, 2):
        heatmap[row, 2:9] = 4.0
    heatmap[2:11:4, 8] = heatmap[4:11:4, 2] = 4.0
    heatmap[13:, 12:] = 4.0
    heatmap[1, 2] = 5.0
    assert pixel_boxes(heatmap, 160, 160) == [[20, 10, 70, 110]]


@pytest.mark.parametrize("fine", [1, 2])
@pytest.mark.parametrize("seed", range(10))
def test_box_frames_the_region_that_scipy_finds(seed, fine):
    """On maps as torn as chance makes them, the region of the peak is the one SciPy labels.

    Where cells are divided, heights still count from the median of the heatmap as it was.
    """
    heatmap = np.random.default_rng(seed).random((40, 30)).astype(np.float32) ** 4
    width, height = 30 * fine, 40 * fine
    enlarged = Image.fromarray(heatmap).resize((width, height), Image.Resampling.BICUBIC)
    divided, floor = np.asarray(enlarged), np.median(heatmap)
    labelled, _ = ndimage.label((divided - floor) / (divided.max() - floor) >= 0.1)
    rows, columns = ndimage.find_objects(labelled)[labelled.flat[divided.argmax()] - 1]
    framed = [columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start]
    assert pixel_boxes(heatmap, width, height, BoxRule(height=0.1, fine=fine)) == [framed]


def test_tiny_peak_is_no_error():
    """A cell that is higher by one bit is framed; after interpolation it may have no box."""
    heatmap = np.full((20, 20), 0.3, np.float32)
    heatmap[3, 4] = np.nextafter(np.float32(0.3), np.float32(1))
    assert pixel_boxes(heatmap, 100, 100, BoxRule(fine=1)) == [[20, 15, 5, 5]]
    pixel_boxes(heatmap, 100, 100, BoxRule(fine=4))


def test_pull_gives_the_typical_size_around_the_peak():
    """Pulled all the way, a box has its finding's typical size, centred on the planted peak."""
    rows, columns = np.mgrid[:20, :20]
    heatmap = np.exp(-((columns - 6) ** 2 + (rows - 12) ** 2) / 8).astype(np.float32)
    rule = BoxRule(height=0.7, pull=1.0, fine=4, sizes={"Mass": (0.2, 0.1)})
    assert pixel_boxes(heatmap, 1000, 2000, rule, "Mass") == [[225, 1150, 200, 200]]


def test_half_a_pull_lies_between_region_and_typical_size():
    """A box pulled half-way has the geometric mean of the two sizes; others' sizes do not count."""
    heatmap = np.zeros((20, 20), np.float32)
    heatmap[8:12, 8:12] = 1.0
    rule = BoxRule(height=0.5, pull=0.5, fine=1, sizes={"Mass": (0.8, 0.05)})
    assert pixel_boxes(heatmap, 1000, 1000, rule, "Mass") == [[300, 450, 400, 100]]
    assert pixel_boxes(heatmap, 1000, 1000, rule, "Nodule") == [[400, 400, 200, 200]]


def test_fine_rule_finds_a_peak_between_cells():
    """A peak between two cells is framed around the border between them, under a cell's width."""
    heatmap = np.zeros((20, 20), np.float32)
    heatmap[10, 9:11] = 1.0
    [[x, _, w, _]] = pixel_boxes(heatmap, 2000, 2000, BoxRule(height=0.97, fine=16))
    assert x + w / 2 == pytest.approx(1000, abs=1)
    assert w < 100


@pytest.mark.parametrize("corner", [(0, 0), (0, 19), (19, 0), (19, 19)])
def test_box_at_the_border_stays_on_the_image(corner):
    """A box of a typical size that would reach over the image's border is cut there."""
    heatmap = np.zeros((20, 20), np.float32)
    heatmap[corner] = 1.0
    rule = BoxRule(pull=1.0, sizes={"Mass": (0.3, 0.3)})
    [[x, y, w, h]] = pixel_boxes(heatmap, 400, 200, rule, "Mass")
    assert min(x, y) >= 0
    assert (x + w, y + h) == (400 if corner[1] else 70, 200 if corner[0] else 35)


@pytest.mark.parametrize("side", [160, 1600])
def test_overlay_shows_heatmap_and_boxes_at_any_size(side):
    """Far from the peak the overlay is the image; at the peak it is orange; boxes are scaled."""
    heatmap = np.zeros((16, 16), np.float32)
    heatmap[8, 8] = 1.0
    overlay = draw_overlay(np.full((side, side), 128, np.uint8), heatmap, [(0.25, 0.5, 0.5, 0.25)])
    shown = len(overlay)
    assert shown == min(side, 1024)
    assert (overlay[shown // 16, shown // 16] == 128).all()
    red, _, blue = overlay[shown * 17 // 32, shown * 17 // 32].astype(int)
    assert red > 128 > blue
    rows, columns = np.nonzero((overlay == (255, 200, 60)).all(-1))
    edges = [columns.min(), rows.min(), columns.max(), rows.max()]
    assert np.array(edges) / shown == pytest.approx([0.25, 0.5, 0.75, 0.75], abs=0.01)


def test_preview_keeps_the_sides_ratio():
    """Only images over 1024 px are reduced, and none to nothing."""
    assert preview(np.zeros((2048, 512), np.uint8)).shape == (1024, 256)
    assert preview(np.zeros((1, 4000), np.uint8)).shape == (1, 1024)
    assert preview(np.zeros((1024, 70), np.uint8)).shape == (1024, 70)
