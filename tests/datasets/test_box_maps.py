"""Box maps: where on a grid the boxes of an image lie."""

import numpy as np

from cxr.datasets.boxes import GRID, Boxes
from cxr_labels import LABELS

MASS = LABELS.index("Mass")


def test_map_of_a_box_is_the_share_of_each_cell_that_it_covers():
    """Rows go down and columns across; half a cell is half of 255."""
    found = Boxes({"a.png": [(MASS, 0.5, 0.25, 0.25, 1.5 / GRID)]}).map_of("a.png")
    expected = np.zeros((len(LABELS), GRID, GRID))
    expected[MASS, 8, 16:24] = 255
    expected[MASS, 9, 16:24] = 127.5
    np.testing.assert_array_equal(found, np.rint(expected))
    assert found.dtype == np.uint8


def test_map_holds_all_boxes_of_a_finding():
    """A second box leaves the first one where it is."""
    one, other = (MASS, 0.0, 0.0, 0.25, 0.25), (MASS, 0.5, 0.5, 0.25, 0.25)
    both = Boxes({"a.png": [one, other]}).map_of("a.png")
    alone = [Boxes({"a.png": [box]}).map_of("a.png") for box in (one, other)]
    assert np.array_equal(both, np.maximum(*alone))


def test_half_covered_cells_of_two_boxes_stay_half():
    """Boxes that overlap are not added up."""
    box = (MASS, 0.0, 0.0, 0.5 / GRID, 1 / GRID)
    found = Boxes({"a.png": [box, box]}).map_of("a.png")
    assert found[MASS, 0, 0] == found.sum() == 128


def test_images_known_counts_the_images_with_a_box():
    """Counted are images, not boxes, and only those that are asked for."""
    box = (MASS, 0.0, 0.0, 0.25, 0.25)
    boxes = Boxes({"a.png": [box, box], "b.png": [box]})
    assert boxes.images_known({"a.png", "c.png", "d.png"}) == 1
    assert not boxes.map_of("c.png").any()
