"""Heatmaps against boxes: the figures, their controls, and the rule that draws the boxes."""

import numpy as np
import pytest

from cxr.datasets.boxes import Boxes
from cxr.evaluation import box_rule as tuning
from cxr.evaluation import localisation
from cxr.model.config import BoxRule
from cxr.model.metrics import Localisation
from cxr_labels import LABELS

HALF_HEIGHT = BoxRule()


def maps_of(label: int, *cells: tuple[slice, slice], side: int = 10) -> np.ndarray:
    """The maps of an image, flat but for one label's, which is 1 in the given cells."""
    maps = np.zeros((len(LABELS), side, side), np.float32)
    for rows, columns in cells:
        maps[label, rows, columns] = 1.0
    return maps


def measure(heatmap, boxes, train=(), rule=HALF_HEIGHT) -> Localisation:
    """The metrics, each image being of a patient of its own unless its name has a "-"."""
    names = sorted({name.split("-")[0] for name in [*heatmap, *boxes, *train]})
    patients = {image: names.index(image.split("-")[0]) + 1 for image in [*heatmap, *boxes]}
    found, _ = localisation.compute(heatmap, patients, Boxes(boxes), train, rule)
    assert found is not None
    return found


def scattered_boxes(count: int, seed: int, side: float = 0.1) -> list[tuple]:
    """Boxes of varying size, more of them at the upper left than at the lower right."""
    rng = np.random.default_rng(seed)
    sizes = side * np.exp(rng.normal(0, 0.3, (count, 2)))
    centres = np.where(rng.random(count) < 0.7, 0.3, 0.7)[:, None] + rng.normal(0, 0.06, (count, 2))
    return [
        (0, float(x), float(y), float(w), float(h))
        for (x, y), (w, h) in zip(centres - sizes / 2, sizes, strict=True)
    ]


def test_overlap_of_hand_made_boxes():
    """IoU by the union, IoBB by the drawn box; of several drawn boxes the best counts for each."""
    box = (0, 0.2, 0.2, 0.4, 0.4)
    beside, within, apart = (0.4, 0.2, 0.4, 0.4), (0.3, 0.3, 0.2, 0.2), (0.7, 0.7, 0.2, 0.2)
    assert localisation.overlaps(box, [beside]) == pytest.approx((1 / 3, 1 / 2))
    assert localisation.overlaps(box, [within]) == pytest.approx((1 / 4, 1))
    assert localisation.overlaps(box, [apart]) == (0, 0)
    assert localisation.overlaps(box, []) == (0, 0)
    assert localisation.overlaps(box, [apart, within, beside]) == pytest.approx((1 / 3, 1))


def test_pointing_game_counts_hits():
    """A map that peaks in the box hits, one that peaks elsewhere misses."""
    maps = maps_of(0, (slice(2, 3), slice(7, 8)))
    boxes = {"hit": [(0, 0.7, 0.2, 0.1, 0.1)], "miss": [(0, 0.1, 0.1, 0.1, 0.1)]}
    found = measure({"hit": maps, "miss": maps}, boxes)
    assert found.heatmaps.pointing.value == 0.5
    assert found.heatmaps.boxes == 2
    assert found.random_map.pointing.value == pytest.approx(0.01)


def test_planted_maps_reach_every_threshold_and_others_none():
    """A map that fills its box exactly has an IoU of 1, one that lies elsewhere 0, by finding."""
    boxes = {"a": [(0, 0.3, 0.4, 0.2, 0.1)], "b": [(1, 0.3, 0.4, 0.2, 0.1)]}
    cells = (slice(4, 5), slice(3, 5))
    heatmap = {"a": maps_of(0, cells), "b": maps_of(1, (slice(8, 9), slice(8, 9)))}
    found = measure(heatmap, boxes)
    for name in ("iou", "iobb"):
        overlap = getattr(found.heatmaps, name)
        assert overlap.mean.value == pytest.approx(0.5)
        assert list(overlap.above) == ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"]
        assert all(share.value == 0.5 for share in overlap.above.values())
        exact, wrong = (found.heatmaps.findings[label] for label in LABELS[:2])
        assert getattr(exact, name).mean.value == pytest.approx(1)
        assert getattr(exact, name).above["0.7"].value == 1
        assert getattr(wrong, name).mean.value == getattr(wrong, name).above["0.1"].value == 0
        assert exact.boxes == wrong.boxes == 1


def test_shares_count_boxes_above_the_threshold():
    """A drawn box that covers half of its box counts up to an IoU of 0.4 and not from 0.6 on."""
    boxes = {"a": [(0, 0.3, 0.4, 0.4, 0.1)]}
    found = measure({"a": maps_of(0, (slice(4, 5), slice(3, 5)))}, boxes)
    shares = {t: share.value for t, share in found.heatmaps.iou.above.items()}
    assert [shares[t] for t in ("0.1", "0.4", "0.6", "0.7")] == [1, 1, 0, 0]
    assert found.heatmaps.iobb.above["0.7"].value == 1


def test_intervals_draw_patients_not_boxes():
    """Boxes of one patient come and go together: two patients give resamples of 0, 0.5 and 1."""
    hit, miss = maps_of(0, (slice(4, 5), slice(4, 5))), maps_of(0, (slice(0, 1), slice(0, 1)))
    heatmap = {f"a-{i}": hit for i in range(50)} | {f"b-{i}": miss for i in range(50)}
    boxes = {image: [(0, 0.4, 0.4, 0.1, 0.1)] for image in heatmap}
    found = measure(heatmap, boxes)
    assert found.heatmaps.pointing.ci95 == (0, 1)
    assert found.heatmaps.overlap.ci95 == (0, 1)
    apart = {image.replace("-", "."): maps for image, maps in heatmap.items()}
    boxes = {image.replace("-", "."): box for image, box in boxes.items()}
    low, high = measure(apart, boxes).heatmaps.pointing.ci95
    assert 0.35 < low < 0.45
    assert 0.55 < high < 0.65


def test_misses_of_few_patients_leave_room_above_zero():
    """No hit in ten patients, and more so in one, does not make an interval of no width."""
    miss = maps_of(0, (slice(0, 1), slice(0, 1)))
    boxes = {f"f{i}": [(0, 0.4, 0.4, 0.1, 0.1)] for i in range(10)}
    boxes |= {"g": [(1, 0.4, 0.4, 0.1, 0.1)]}
    found = measure(dict.fromkeys(boxes, miss), boxes).heatmaps.findings
    of_ten, of_one = (found[label].overlap.ci95 for label in LABELS[:2])
    assert of_ten[0] == of_one[0] == 0
    assert 0.2 < of_ten[1] < 0.4
    assert 0.6 < of_one[1] < 1


def test_constant_control_answers_where_training_boxes_lie():
    """The constant place and box come from the training images, and from no other."""
    heatmap = {"new": maps_of(0)}
    new = {"new": [(0, 0.0, 0.0, 0.2, 0.2)]}
    near = measure(heatmap, new | {"seen": [(0, 0.0, 0.0, 0.2, 0.2)]}, train=["seen"])
    far = measure(heatmap, new | {"seen": [(0, 0.7, 0.7, 0.2, 0.2)]}, train=["seen"])
    near, far = (found.constant_box for found in (near, far))
    assert near.pointing.value == 1
    assert near.iou.above["0.7"].value == 1
    assert far.pointing.value == 0
    assert far.iou.mean.value == 0


def test_constant_control_is_the_best_constant_answer():
    """On the boxes that it learned from, no place or box of thousands does better."""
    taught = scattered_boxes(40, seed=0, side=0.2)
    seen = {f"seen{i}": [box] for i, box in enumerate(taught)}
    new = {f"new{i}": [box] for i, box in enumerate(taught)}
    found = measure(dict.fromkeys(new, maps_of(0)), seen | new, train=list(seen))
    rng = np.random.default_rng(1)
    places = rng.random((3000, 2))
    frames = np.hstack([places * 0.8, 0.05 + 0.4 * rng.random((3000, 2))])
    frames = np.concatenate([frames, [box[1:] for box in taught]])
    pointing = np.mean([[localisation.inside(p, box) for p in places] for box in taught], 0)
    iou = np.array([[localisation.overlaps(box, [f]).iou for f in frames] for box in taught])
    control = found.constant_box
    assert control.pointing.value >= pointing.max() > 0.3
    assert control.overlap.value >= (iou > 0.3).mean(0).max() > 0.3


def test_controls_are_given_for_each_finding():
    """What the constant answer reaches of each finding; the boxes' mean is that of all."""
    seen = {"s0": [(0, 0.1, 0.1, 0.2, 0.2)], "s1": [(1, 0.6, 0.6, 0.2, 0.2)]}
    new = {"a": [(0, 0.1, 0.1, 0.2, 0.2)], "b": [(1, 0.1, 0.1, 0.2, 0.2)]}
    found = measure(dict.fromkeys(new, maps_of(0)), seen | new, train=list(seen))
    for control in (found.constant_box, found.random_map):
        of = [control.findings[label] for label in LABELS[:2]]
        assert [one.boxes for one in of] == [1, 1]
        assert control.pointing.value == pytest.approx(np.mean([o.pointing.value for o in of]))
        assert control.iou.mean.value == pytest.approx(np.mean([o.iou.mean.value for o in of]))
    first, second = (found.constant_box.findings[k] for k in LABELS[:2])
    assert (first.pointing.value, second.pointing.value, second.iou.mean.value) == (1, 0, 0)
    assert first.iou.mean.value > 0.9


def test_random_control_agrees_with_simulation():
    """Its figures are those of a typical box thrown at random places on the image."""
    box = (0, 0.1, 0.6, 0.3, 0.2)
    boxes = {"seen": [(0, 0.5, 0.5, 0.2, 0.25)], "new": [box]}
    found = measure({"new": maps_of(0)}, boxes, train=["seen"]).random_map
    rng = np.random.default_rng(0)
    points = rng.random((20000, 2))
    thrown = [(x * 0.8, y * 0.75, 0.2, 0.25) for x, y in points]
    hits = [localisation.inside((x, y), box) for x, y in points]
    iou, iobb = np.array([localisation.overlaps(box, [frame]) for frame in thrown]).T
    assert found.pointing.value == pytest.approx(np.mean(hits), abs=0.01)
    assert found.iou.mean.value == pytest.approx(iou.mean(), abs=0.005)
    assert found.iobb.mean.value == pytest.approx(iobb.mean(), abs=0.005)
    for t in (0.1, 0.3, 0.5):
        share = found.iou.above[str(t)].value
        assert share == pytest.approx((iou > t).mean(), abs=0.015)


def test_without_training_boxes_other_patients_teach_the_constant_box():
    """A patient's own boxes never teach its answer, and a sentence says how it was learned."""
    boxes = {"a-1": [(0, 0.1, 0.1, 0.2, 0.2)], "a-2": [(0, 0.1, 0.1, 0.2, 0.2)]}
    boxes["b"] = [(0, 0.7, 0.7, 0.2, 0.2)]
    heatmap = dict.fromkeys(boxes, maps_of(0))
    assert measure(heatmap, boxes).constant_box.pointing.value == 0
    boxes |= dict.fromkeys("cde", boxes["b"])
    heatmap = dict.fromkeys(boxes, maps_of(0))
    patients = {"a-1": 1, "a-2": 1, "b": 2, "c": 3, "d": 4, "e": 5}
    found, notes = localisation.compute(heatmap, patients, Boxes(boxes), ["x"], HALF_HEIGHT)
    assert found is not None
    assert found.constant_box.pointing.value == pytest.approx(4 / 6)
    assert len(notes) == 1
    assert "learned on the measured images of the other patients" in notes[0]


def test_a_finding_without_taught_boxes_is_answered_from_the_others():
    """Where training has no box of a finding, the control takes the boxes of all findings."""
    boxes = {"seen": [(1, 0.1, 0.1, 0.2, 0.2)], "new": [(0, 0.1, 0.1, 0.2, 0.2)]}
    found = measure({"new": maps_of(0)}, boxes, train=["seen"])
    assert found.constant_box.pointing.value == 1


def test_boxes_of_other_images_do_not_count():
    """Boxes of images that are neither measured nor trained on change no figure."""
    boxes = {"seen": [(0, 0.1, 0.1, 0.2, 0.2)], "new": [(0, 0.3, 0.1, 0.2, 0.2)]}
    heatmap = {"new": maps_of(0, (slice(1, 3), slice(3, 6)))}
    other = {"other": [(0, 0.6, 0.6, 0.3, 0.3), (1, 0.3, 0.1, 0.2, 0.2)]}
    assert measure(heatmap, boxes, ["seen"]) == measure(heatmap, boxes | other, ["seen"])


@pytest.mark.parametrize(
    ("count", "sentence"),
    [(1, "1 box is on an image"), (1200, "1,200 boxes are on images"), (0, None)],
)
def test_boxes_of_unknown_images_are_said(count, sentence):
    """Boxes of images that the data does not hold are counted in a sentence; the rest counts."""
    boxes = {f"unknown{i}": [(0, 0.1, 0.1, 0.2, 0.2)] for i in range(count)}
    boxes |= {"seen": [(0, 0.1, 0.1, 0.2, 0.2)], "new": [(0, 0.1, 0.1, 0.2, 0.2)]}
    patients = {"seen": 1, "new": 2}
    found, notes = localisation.compute(
        {"new": maps_of(0)}, patients, Boxes(boxes), ["seen"], HALF_HEIGHT
    )
    assert found is not None
    assert found.heatmaps.boxes == 1
    assert [note.split(" that the data does not contain")[0] for note in notes] == (
        [sentence] if sentence else []
    )


def test_nothing_is_measured_without_boxes():
    """Without a box on a measured image there are no figures."""
    none = localisation.compute({}, {}, Boxes(), [], HALF_HEIGHT)
    assert none == (None, [])
    boxes = Boxes({"seen": [(0, 0.1, 0.1, 0.2, 0.2)]})
    found, _ = localisation.compute({"new": maps_of(0)}, {"new": 1}, boxes, ["seen"], HALF_HEIGHT)
    assert found is None


def test_flat_maps_reach_nothing():
    """Images whose map draws no box count as missed, in strict JSON."""
    found = measure({"a": maps_of(0)}, {"a": [(0, 0.3, 0.4, 0.2, 0.1)]})
    assert found.heatmaps.iou.mean.value == 0


def soft_maps(boxes: list[tuple], seed: int) -> dict[str, np.ndarray]:
    """Blurred, noisy maps of one box each: wider than small boxes, as heatmaps are."""
    rng = np.random.default_rng(seed)
    cells = (np.arange(20) + 0.5) / 20
    heatmap = {}
    for i, (label, x, y, w, h) in enumerate(boxes):
        maps = np.zeros((len(LABELS), 20, 20), np.float32)
        across = np.exp(-(((cells - x - w / 2) / (0.1 + w / 2)) ** 2))
        down = np.exp(-(((cells - y - h / 2) / (0.1 + h / 2)) ** 2))
        maps[label] = np.outer(down, across) + rng.normal(0, 0.05, (20, 20))
        heatmap[f"f{i}"] = maps
    return heatmap


def share_above(rule: BoxRule, heatmap: dict, boxes: dict) -> float:
    return measure(heatmap, boxes, rule=rule).heatmaps.overlap.value


def test_tuned_rule_beats_the_untuned_on_unseen_maps():
    """Tuned on some maps, the rule reaches more boxes of others than half the height does."""
    train = {"t": scattered_boxes(50, seed=2)}
    valid = scattered_boxes(40, seed=3)
    rule = tuning.tune(
        soft_maps(valid, 3), Boxes(train | {f"f{i}": [b] for i, b in enumerate(valid)}), ["t"]
    )
    unseen = scattered_boxes(40, seed=4)
    boxes = {f"f{i}": [box] for i, box in enumerate(unseen)}
    heatmap = soft_maps(unseen, 4)
    assert share_above(rule, heatmap, boxes) > share_above(HALF_HEIGHT, heatmap, boxes) + 0.2


def test_tuning_looks_at_no_other_boxes():
    """The rule depends on the boxes of the validation and training images alone."""
    valid = scattered_boxes(25, seed=3)
    boxes = {f"f{i}": [box] for i, box in enumerate(valid)} | {"t": scattered_boxes(50, seed=2)}
    heatmap = soft_maps(valid, 3)
    rule = tuning.tune(heatmap, Boxes(boxes), ["t"])
    held_out = {"held out": [(0, 0.0, 0.0, 0.9, 0.9)] * 100}
    assert tuning.tune(heatmap, Boxes(boxes | held_out), ["t"]) == rule != HALF_HEIGHT


def test_few_boxes_leave_the_rule_untuned():
    """With under 20 boxes to tune on the rule stays what it is."""
    valid = scattered_boxes(19, seed=3)
    boxes = {f"f{i}": [box] for i, box in enumerate(valid)} | {"t": scattered_boxes(50, seed=2)}
    assert tuning.tune(soft_maps(valid, 3), Boxes(boxes), ["t"]) == HALF_HEIGHT


def test_typical_size_is_the_geometric_mean():
    """Of the named images' boxes, by finding."""
    boxes = Boxes(
        {
            "a": [(0, 0.0, 0.0, 0.1, 0.2), (4, 0.0, 0.0, 0.3, 0.3)],
            "b": [(0, 0.0, 0.0, 0.4, 0.2)],
            "c": [(0, 0.0, 0.0, 0.9, 0.9)],
        }
    )
    assert tuning.typical_sizes(boxes, ["a", "b"]) == {
        "Atelectasis": pytest.approx((0.2, 0.2)),
        "Mass": pytest.approx((0.3, 0.3)),
    }


def test_overlap_at_a_threshold_is_not_above_it():
    """The drawn box is exactly half of the official one."""
    maps = maps_of(0, (slice(2, 4), slice(2, 4)), side=8)
    found = measure({"a": maps}, {"a": [(0, 0.25, 0.25, 0.5, 0.25)]})
    assert found.heatmaps.iou.mean.value == 0.5
    assert found.heatmaps.iou.above["0.4"].value == 1
    assert found.heatmaps.iou.above["0.5"].value == 0
