"""The overlay of an image that is larger than its preview."""

import numpy as np
import pytest

from cxr.inference.overlay import draw_overlay


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
