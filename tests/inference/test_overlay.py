"""What the overlay and the heatmap for display look like, pixel by pixel."""

import numpy as np
import pytest

from cxr.inference.overlay import draw_overlay, eight_bit_heatmap


@pytest.mark.parametrize("reduced", [1, 2, 3])
def test_box_is_drawn_where_it_lies_on_an_image_of_any_size(reduced):
    """A box is in fractions of the image's sides, and the overlay is reduced to 1024 px."""
    image = np.zeros((1024 * reduced, 512 * reduced), np.uint8)
    flat = np.zeros((16, 16), np.float32)  # no colour, so that only the box is bright
    overlay = draw_overlay(image, flat, [(50 / 512, 200 / 1024, 60 / 512, 100 / 1024)])
    rows, columns = np.nonzero(overlay.any(axis=2))
    drawn = [columns.min(), rows.min(), np.ptp(columns), np.ptp(rows)]
    assert overlay.shape == (1024, 512, 3)
    assert drawn == [50, 200, 60, 100]


def test_heatmap_is_laid_over_the_image_in_orange():
    """At the peak 55 % of (255, 140, 0) and 45 % of the image; at the median the image alone."""
    overlay = draw_overlay(np.full((64, 64), 128, np.uint8), np.array([[0.0, 4.0]] * 2), [])
    assert overlay[0, 0].tolist() == [128, 128, 128]
    assert overlay[0, -1].tolist() == [198, 135, 58]


@pytest.mark.parametrize(("side", "line"), [(512, 2), (1024, 3)])
def test_line_of_a_box_is_thicker_on_a_larger_image(side, line):
    """Two pixels, or a 300th of the image's width if that is more."""
    black, flat = np.zeros((side, side), np.uint8), np.zeros((2, 2), np.float32)
    row = draw_overlay(black, flat, [(0.25, 0.25, 0.5, 0.5)])[side // 2]
    assert row.any(axis=1).sum() == 2 * line
    assert row[side // 4].tolist() == [255, 200, 60]


def test_heatmap_for_display_runs_from_the_median_to_the_peak():
    """Cells at the median and below are 0, and others are rounded to the nearest of 255 steps."""
    heatmap = np.array([[-3, 0, 0, 1, 4]], np.float32)
    assert eight_bit_heatmap(heatmap).tolist() == [[0, 0, 0, 64, 255]]
    assert not eight_bit_heatmap(np.ones((2, 2), np.float32)).any()
