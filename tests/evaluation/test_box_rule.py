"""Choosing the rule that draws boxes: from a grid, by a point whose neighbours do well too."""

import numpy as np
import pytest

from cxr.datasets.boxes import Boxes
from cxr.evaluation import box_rule, localisation
from cxr.inference.boxes import find_boxes
from cxr.model.config import BoxRule
from cxr_labels import LABELS

BOX = (4, 0.2, 0.3, 0.2, 0.1)
MANY = Boxes({"v": [BOX] * 20, "t": [(4, 0.0, 0.0, 0.1, 0.4), (0, 0.5, 0.5, 0.2, 0.2)]})
MAPS = {"v": np.zeros((15, 10, 10), np.float32)}


@pytest.mark.parametrize(
    ("untuned", "chosen"), [(0.59, (0.7, 0.75)), (0.6, (0.5, 0.0)), (0.95, (0.5, 0.0))]
)
def test_middle_of_a_broad_top_wins_over_a_lucky_point(monkeypatch, untuned, chosen):
    """Nine rules around (0.7, 0.75) reach 0.6, one alone 0.9; the untuned must be worse than that.

    The mean IoU is planted; ties with the untuned rule leave it.
    """

    def planted(rule, cases):
        assert len(cases) == 20
        if rule == BoxRule():
            return untuned
        assert rule.fine == 4
        assert rule.sizes == {
            "Atelectasis": pytest.approx((0.2, 0.2)),
            "Mass": pytest.approx((0.1, 0.4)),
        }
        if (rule.height, rule.pull) == (0.3, 0.0):
            return 0.9
        return 0.6 if rule.height in (0.6, 0.7, 0.8) and rule.pull >= 0.5 else 0.1

    monkeypatch.setattr(box_rule, "mean_iou", planted)
    rule = box_rule.tune(MAPS, MANY, ["t"])
    assert (rule.height, rule.pull) == chosen
    assert (rule == BoxRule()) == (untuned >= 0.6)


def test_mean_iou_is_over_the_boxes_each_on_the_heatmap_of_its_finding():
    """One heatmap that fits its box and one that lies beside it: 1 and 0."""
    maps = np.zeros((15, 10, 10), np.float32)
    maps[4, 3:4, 2:4] = 1
    maps[0, 8:9, 8:9] = 1
    cases = [(maps, BOX), (maps, (0, *BOX[1:]))]
    [frame] = find_boxes(maps[4], BoxRule(), LABELS[4])
    assert localisation.overlaps(BOX, [frame]).iou == pytest.approx(1)
    assert box_rule.mean_iou(BoxRule(), cases) == pytest.approx(0.5)
    assert box_rule.mean_iou(BoxRule(), cases[:1]) == pytest.approx(1)


def test_highest_cell_is_located_by_its_centre():
    """Rows are y and columns are x, also of a map that is no square."""
    heatmap = np.zeros((4, 10))
    heatmap[3, 6] = 1
    assert localisation.peak(heatmap) == pytest.approx((0.65, 0.875))


@pytest.mark.parametrize(
    ("point", "within"),
    [((0.2, 0.3), True), ((0.4, 0.4), True), ((0.3, 0.35), True), ((0.41, 0.35), False),
     ((0.19, 0.35), False), ((0.3, 0.41), False), ((0.3, 0.29), False), ((0.35, 0.3), True)],
)  # fmt: skip
def test_borders_belong_to_a_box(point, within):
    """A place on the edge is a hit; 0.01 outside of any side is none."""
    box = (4, 0.2, 0.3, 0.2 + 1e-12, 0.1 + 1e-12)
    assert localisation.inside(point, box) == within


def test_typical_size_of_boxes_beyond_the_image_ends_at_its_sides():
    """Rounded boxes may exceed the image by a pixel; without a box it is half of the image."""
    assert localisation.typical_size([(0, 0.0, 0.0, 1.001, 0.25), (0, 0.0, 0.0, 0.25, 1.0)]) == (
        pytest.approx((0.5, 0.5))
    )
    assert localisation.typical_size([]) == (0.5, 0.5)


def test_random_place_hits_the_part_of_a_box_on_the_image():
    """A box that leaves the image by rounding counts to the image's edge."""
    boxes = Boxes({"a": [(4, 0.8, 0.5, 0.201, 0.501)]})
    maps = {"a": np.zeros((15, 4, 4), np.float32)}
    found, _ = localisation.compute(maps, {"a": 1}, boxes, ["a"], BoxRule())
    assert found.random_map.pointing.value == pytest.approx(0.2 * 0.5)
