"""Do the heatmaps lie on the findings? Measured against the official boxes.

Pointing game: a heatmap hits if the centre of its highest cell lies in a box of that finding
(Zhang et al., "Top-down neural attention by excitation backprop", 2016). IoU and IoBB: the overlap
of the box drawn from the heatmap with the official one, as a share of their union and of the drawn
box, and the share of official boxes that is reached above a threshold (Wang et al., "ChestX-ray8",
2017). IoBB rewards small boxes and is to be read beside IoU.

Two controls that never use the image stand beside every metric. The constant box gives each finding
the one answer that is right most often: for pointing the place that most boxes cover, for the
overlaps the box that most boxes overlap with above an IoU of 0.3; ties are decided by the mean IoU.
It learns from training images only. It is made for IoU: for IoBB a tiny box at the constant place
would do as well as that place does in the pointing game. The random map gives a place, and a box of
the finding's typical size, anywhere on the image.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from cxr.datasets.boxes import Boxes
from cxr.evaluation import bootstrap
from cxr.inference.boxes import Box as Frame
from cxr.inference.boxes import find_boxes
from cxr.model.config import BoxRule
from cxr.model.metrics import Estimate, Localisation, Located, LocatedEach, Overlap
from cxr_labels import LABELS

Box = tuple[int, float, float, float, float]  # label, x, y, w, h as shares of the image's sides

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
_JUDGED = 0.3  # the IoU that the constant box is made for
_PLACES = 64  # candidate places of the constant point along a side
_CENTRES = 32  # candidate centres of the constant box along a side
_SIDES = 0.04 * 1.35 ** np.arange(10)  # its candidate sides, 0.04 to 0.6 of the image's
_STEPS = (1 / 64, 1 / 256)  # by which the best candidate is moved
_TIE = 1e-4  # decides between candidates that suit equally many boxes
_RANDOM = 32  # positions along a side that stand for all positions of the random box


class BestOverlap(NamedTuple):
    """Highest IoU and IoBB of drawn boxes with an official one, 0..1."""

    iou: float
    iobb: float


class _Case(NamedTuple):
    """An official box, its image, and the patient."""

    image: str
    patient: Any
    box: Box


class _Reached(NamedTuple):
    """What a method reaches on each of N cases, averaged over A answers where they are random.

    Attributes:
        hits: 0..1, [N].
        iou, iobb: [N, A].
    """

    hits: np.ndarray
    iou: np.ndarray
    iobb: np.ndarray


def compute(
    heatmaps: dict[str, np.ndarray],
    patients: dict[str, Any],
    boxes: Boxes,
    train: Iterable[str],
    rule: BoxRule,
) -> tuple[Localisation | None, list[str]]:
    """The heatmaps and both controls against the official boxes.

    IoU and IoBB of an official box are those of the best box that is drawn for its finding on its
    image. Means are over boxes, intervals from resampling patients.

    Args:
        heatmaps: {image: float [15, h, w]} of the measured images, none of them for training.
        patients: {image: patient} of all images of the data.
        boxes: The official boxes.
        train: Names of the training images, whose boxes the controls learn from. If none has a
            box, the controls learn from the measured images of the other patients.
        rule: Draws the boxes.

    Returns:
        None if no measured image has a box, and notes about what could not be measured.
    """
    cases = [
        _Case(image, patients[image], box)
        for image in sorted(heatmaps)
        for box in boxes.of_image.get(image, ())
    ]
    notes = _unknown(boxes, patients)
    if not cases:
        return None, notes
    teachers = [
        _Case(image, patients.get(image), box)
        for image in sorted(train)
        for box in boxes.of_image.get(image, ())
    ]
    if not teachers:
        teachers = cases
        notes.append(
            "No training image has a box here, so the constant box of the localisation controls "
            "was learned on the measured images of the other patients."
        )
    labels = np.array([LABELS[case.box[0]] for case in cases])
    drawn = bootstrap.draw(np.array([case.patient for case in cases]))
    reached = (
        _by_heatmaps(cases, heatmaps, rule),
        _by_constants(cases, teachers),
        _by_chance(cases, teachers),
    )
    model, constant, random = (_located_each(one, labels, drawn) for one in reached)
    return Localisation(heatmaps=model, constant_box=constant, random_map=random), notes


def peak(heatmap: np.ndarray) -> tuple[float, float]:
    """Centre (x, y) of the highest cell of a heatmap [h, w], as shares of the image's sides."""
    row, column = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    return (float(column) + 0.5) / heatmap.shape[1], (float(row) + 0.5) / heatmap.shape[0]


def inside(point: tuple[float, float], box: Box) -> bool:
    """Whether a place lies in a box, borders included."""
    _, x, y, w, h = box
    return x <= point[0] <= x + w and y <= point[1] <= y + h


def overlaps(box: Box, drawn: Sequence[Frame]) -> BestOverlap:
    """The best IoU and the best IoBB that the drawn boxes reach; 0 without one."""
    if not drawn:
        return BestOverlap(0.0, 0.0)
    iou, iobb = _overlaps(box, np.array(drawn))
    return BestOverlap(float(iou.max()), float(iobb.max()))


def _overlaps(box: Box | np.ndarray, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """IoU and IoBB [...] of frames [..., 4] (x, y, w, h) with a box; IoBB by the frame's area.

    For T boxes, [5, T, 1], and M frames the result is [T, M].
    """
    _, x, y, w, h = box
    left, top, wide, tall = np.moveaxis(frames, -1, 0)
    across = np.minimum(left + wide, x + w) - np.maximum(left, x)
    down = np.minimum(top + tall, y + h) - np.maximum(top, y)
    shared, area = across.clip(0) * down.clip(0), wide * tall
    return shared / (area + w * h - shared), shared / area


def typical_size(boxes: Sequence[Box]) -> tuple[float, float]:
    """Geometric mean of widths and heights, as shares of the image's sides; 0.5 without a box."""
    if not boxes:
        return 0.5, 0.5
    sides = np.array([box[3:] for box in boxes]).clip(None, 1)
    w, h = np.exp(np.log(sides).mean(0))
    return float(w), float(h)


def _unknown(boxes: Boxes, images: Container[str]) -> list[str]:
    count = sum(len(found) for image, found in boxes.of_image.items() if image not in images)
    if not count:
        return []
    if count == 1:
        return ["1 box is on an image that the data does not contain and was left out."]
    return [f"{count:,} boxes are on images that the data does not contain and were left out."]


def _located_each(reached: _Reached, labels: np.ndarray, drawn: bootstrap.Resamples) -> LocatedEach:
    everything = _located(reached, np.ones(len(labels), bool), drawn)
    findings = {str(k): _located(reached, labels == k, drawn) for k in np.unique(labels)}
    return LocatedEach(**dict(everything), findings=findings)


def _located(reached: _Reached, of: np.ndarray, drawn: bootstrap.Resamples) -> Located:
    """Means over some of the cases (a mask [N])."""
    iou, iobb = (
        [overlap.mean(1), *((overlap > t).mean(1) for t in THRESHOLDS)]
        for overlap in (reached.iou, reached.iobb)
    )
    columns = np.stack([reached.hits, *iou, *iobb], 1)
    means = bootstrap.share(drawn, columns * of[:, None], np.ones_like(columns) * of[:, None])
    patients = drawn.patients(of)
    estimates = [bootstrap.estimate(column, patients) for column in means.T]
    pointing, *overlap = [one for one in estimates if one is not None]
    half = len(iou)
    return Located(
        boxes=int(of.sum()),
        pointing=pointing,
        iou=_overlap(overlap[:half]),
        iobb=_overlap(overlap[half:]),
    )


def _overlap(estimates: Sequence[Estimate]) -> Overlap:
    mean, *above = estimates
    return Overlap(mean=mean, above={str(t): one for t, one in zip(THRESHOLDS, above, strict=True)})


def _by_heatmaps(
    cases: Sequence[_Case], heatmaps: dict[str, np.ndarray], rule: BoxRule
) -> _Reached:
    maps = [heatmaps[case.image][case.box[0]] for case in cases]
    hits = [inside(peak(of), case.box) for of, case in zip(maps, cases, strict=True)]
    overlap = np.array(
        [
            overlaps(case.box, find_boxes(of, rule, LABELS[case.box[0]]))
            for of, case in zip(maps, cases, strict=True)
        ]
    )
    return _Reached(np.array(hits, float), overlap[:, :1], overlap[:, 1:])


def _by_constants(cases: Sequence[_Case], teachers: Sequence[_Case]) -> _Reached:
    places = _Constant(_candidate_places(), _score_places, teachers)
    frames = _Constant(_candidate_frames(), _score_frames, teachers)
    hits = [inside(tuple(places.answer(case)), case.box) for case in cases]
    overlap = np.array([_overlaps(case.box, frames.answer(case)) for case in cases])
    return _Reached(np.array(hits, float), overlap[:, :1], overlap[:, 1:])


class _Constant:
    """The constant answer to each case: the one that suits the boxes best that teach it.

    It is the best of the candidates, moved in ever smaller steps while that improves it.

    Args:
        candidates: Places or frames, [M, C].
        score: Candidates [M, C] and boxes [T, 5] -> scores [T, M].
        teachers: The cases to learn from.
    """

    def __init__(
        self,
        candidates: np.ndarray,
        score: Callable[[np.ndarray, np.ndarray], np.ndarray],
        teachers: Sequence[_Case],
    ):
        self._candidates = candidates
        self._score = score
        self._teachers = teachers
        # The boxes of all findings (None) and of each finding, with the sums of their scores.
        self._pools: dict[int | None, Counter[Box]] = {None: Counter(c.box for c in teachers)}
        for label in {case.box[0] for case in teachers}:
            self._pools[label] = Counter(c.box for c in teachers if c.box[0] == label)
        self._totals = {of: self._total(pool) for of, pool in self._pools.items()}
        self._answers: dict[tuple[Box, ...], np.ndarray] = {}

    def answer(self, case: _Case) -> np.ndarray:
        """The answer to a case, [C]; cases that the same boxes teach share one."""
        taught = tuple(_taught(case, self._teachers))
        if taught not in self._answers:
            self._answers[taught] = self._best(taught)
        return self._answers[taught]

    def _best(self, taught: tuple[Box, ...]) -> np.ndarray:
        labels = {box[0] for box in taught}
        pool = labels.pop() if len(labels) == 1 else None
        # The patient's own boxes do not teach: they are subtracted from the pool's.
        total = self._totals[pool] - self._total(self._pools[pool] - Counter(taught))
        best = self._candidates[int(total.argmax())]
        moves = np.array(list(product((0, -1, 1, -2, 2), repeat=len(best))))
        boxes = np.array(taught).reshape(-1, 5)
        for step in _STEPS:
            near = best + step * moves
            best = near[int(self._score(near, boxes).sum(0).argmax())]
        return best

    def _total(self, boxes: Counter[Box]) -> np.ndarray:
        """Sums of the scores of all candidates, [M]."""
        total = np.zeros(len(self._candidates))
        for box, count in boxes.items():
            total += count * self._score(self._candidates, np.array([box]))[0].astype(np.float32)
        return total


def _taught(case: _Case, teachers: Sequence[_Case]) -> list[Box]:
    """The boxes that teach the controls' answer to a case.

    They are those of its finding on images of other patients; if there are none, those of all
    findings.
    """
    others = [teacher.box for teacher in teachers if teacher.patient != case.patient]
    return [box for box in others if box[0] == case.box[0]] or others


def _score_places(places: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """[T, M]: 1 for places [M, 2] in boxes [T, 5], and a little more in the inner half of one."""
    _, x, y, w, h = boxes.T[:, :, None]
    across, down = places.T
    # 0 in the middle, 0.5 at the edge.
    away = np.maximum(np.abs((across - (x + w / 2)) / w), np.abs((down - (y + h / 2)) / h))
    return (away <= 0.5) + _TIE * (away <= 0.25)


def _score_frames(frames: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """[T, M]: 1 for frames [M, 4] that overlap enough with boxes [T, 5], plus a bit of the IoU."""
    iou, _ = _overlaps(boxes.T[:, :, None], frames)
    return (iou > _JUDGED) + _TIE * iou


def _candidate_places() -> np.ndarray:
    """Places [M, 2]: the centre of the image, then a grid over it."""
    steps = (np.arange(_PLACES) + 0.5) / _PLACES
    return np.concatenate([[[0.5, 0.5]], np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)])


def _candidate_frames() -> np.ndarray:
    """Frames [M, 4]: one at the centre of the image, then all of a grid that lie on the image."""
    steps = (np.arange(_CENTRES) + 0.5) / _CENTRES
    x, y, w, h = (v.ravel() for v in np.meshgrid(steps, steps, _SIDES, _SIDES))
    frames = np.stack([x - w / 2, y - h / 2, w, h], 1)
    on_image = (frames[:, :2] >= 0).all(1) & (frames[:, :2] + frames[:, 2:] <= 1).all(1)
    return np.concatenate([[[0.25, 0.25, 0.5, 0.5]], frames[on_image]])


def _by_chance(cases: Sequence[_Case], teachers: Sequence[_Case]) -> _Reached:
    """The expectation over random places and boxes; no random numbers are drawn.

    A random place hits a box by the share of the image that the box covers. A grid of positions
    stands for all positions that the random box can take on the image.
    """
    hits, iou, iobb = [], [], []
    for case in cases:
        _, x, y, w, h = case.box
        hits.append((min(x + w, 1) - x) * (min(y + h, 1) - y))
        size = np.array(typical_size(_taught(case, teachers)))
        steps = (np.arange(_RANDOM) + 0.5) / _RANDOM
        corners = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2) * (1 - size)
        reached = _overlaps(case.box, np.hstack([corners, np.tile(size, (len(corners), 1))]))
        iou.append(reached[0])
        iobb.append(reached[1])
    return _Reached(np.array(hits), np.array(iou), np.array(iobb))
