"""Do the heatmaps lie on the findings? Measured against the official boxes.

Pointing game: a map hits when its highest cell's centre lies in the box of that finding (Zhang et
al., "Top-down neural attention by excitation backprop", 2016). IoU and IoBB: how far the boxes
drawn from the map overlap with the official one, as a share of their union and of the drawn box,
and how many official boxes are reached above a threshold (Wang et al., "ChestX-ray8", 2017).
IoBB rewards small boxes and is to be read beside IoU.

Two controls that never look at the image stand beside every figure. The constant box gives each
finding the one answer that is right most often: for pointing the place that most boxes cover, for
the overlaps the box that most boxes overlap with above an IoU of 0.3, ties decided by the mean IoU.
It learns from training images only. It is made for IoU: for IoBB a speck at the constant place would
do as well as that place does in the pointing game. The random map answers with a place, and a box
of the finding's typical size, anywhere on the image.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from cxr.datasets.boxes import Boxes
from cxr.evaluation import bootstrap
from cxr.inference import boxes as drawing
from cxr.model.config import BoxRule
from cxr_labels import LABELS

Box = tuple[int, float, float, float, float]

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
_JUDGED = 0.3  # the IoU that the constant box is made for
_PLACES = 64  # candidate places of the constant point along a side
_CENTRES = 32  # candidate centres of the constant box along a side
_SIDES = 0.04 * 1.35 ** np.arange(10)  # candidate sides of it, 0.04 to 0.6 of the image's
_STEPS = (1 / 64, 1 / 256)  # by which the best candidate is moved
_TIE = 1e-4  # what decides between candidates that suit equally many boxes
_RANDOM = 32  # positions along a side that stand for all positions of the random box


class Overlap(NamedTuple):
    """Highest IoU and IoBB of drawn boxes with an official one, 0..1."""

    iou: float
    iobb: float


class Case(NamedTuple):
    """An official box on an image that is measured, and the patient."""

    image: str
    patient: int
    box: Box


def measure(
    heatmap: dict[str, np.ndarray],
    patients: dict[str, int],
    boxes: Boxes,
    train: Iterable[str],
    rule: BoxRule,
) -> tuple[dict[str, Any] | None, list[str]]:
    """metrics.json's `localisation`, and sentences on what could not be measured.

    heatmap: {image: float [15, h, w]} of the images to measure, all outside training. patients: of
    every image of the data. train: names of the training images, whose boxes the controls learn from;
    where none has a box they learn from the measured images of the other patients. rule: what draws
    the boxes. None when no measured image has a box.

    IoU and IoBB of a box are those of the best box drawn for its finding on its image. Means are
    over boxes, intervals by resampling patients.
    """
    cases = [
        Case(image, patients[image], box)
        for image in sorted(heatmap)
        for box in boxes.of_image.get(image, ())
    ]
    notes = _unknown(boxes, patients)
    if not cases:
        return None, notes
    teachers = [
        Case(image, patients.get(image, -1), box)
        for image in sorted(train)
        for box in boxes.of_image.get(image, ())
    ]
    if not teachers:
        teachers = cases
        notes.append(
            "No training image has a box here, so the constant box of the localisation controls "
            "was learned on the measured images of the other patients."
        )
    drawn = [drawing.find_boxes(heatmap[c.image][c.box[0]], rule, LABELS[c.box[0]]) for c in cases]
    overlap = np.array([overlaps(c.box, d) for c, d in zip(cases, drawn, strict=True)])
    hits = np.array([inside(peak(heatmap[c.image][c.box[0]]), c.box) for c in cases], float)
    sample = _Sample(cases)
    return {
        "pointing": sample.pointing(hits),
        "iou": sample.overlap(overlap[:, :1], "mean_iou"),
        "iobb": sample.overlap(overlap[:, 1:], "mean_iobb"),
        "controls": {
            "constant_box": sample.control(*_constant(cases, teachers)),
            "random_map": sample.control(*_random(cases, teachers)),
        },
    }, notes


def peak(heatmap: np.ndarray) -> tuple[float, float]:
    """Centre (x, y) of the highest cell of a map [h, w], as shares of the image's sides."""
    row, column = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    return (float(column) + 0.5) / heatmap.shape[1], (float(row) + 0.5) / heatmap.shape[0]


def inside(point: tuple[float, float], box: Box) -> bool:
    """Whether a place lies in a box, borders included."""
    _, x, y, w, h = box
    return x <= point[0] <= x + w and y <= point[1] <= y + h


def overlaps(box: Box, drawn: Sequence[drawing.Box]) -> Overlap:
    """The best IoU and the best IoBB that the drawn boxes reach; 0 without one."""
    if not drawn:
        return Overlap(0.0, 0.0)
    iou, iobb = _overlaps(box, np.array(drawn))
    return Overlap(float(iou.max()), float(iobb.max()))


def _overlaps(box: Box | np.ndarray, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """IoU and IoBB [...] of frames [..., 4] (x, y, w, h) with a box; IoBB by the frame's area.

    Of T boxes, [5, T, 1], and M frames they are [T, M].
    """
    _, x, y, w, h = box
    left, top, wide, tall = np.moveaxis(frames, -1, 0)
    across = np.minimum(left + wide, x + w) - np.maximum(left, x)
    down = np.minimum(top + tall, y + h) - np.maximum(top, y)
    shared, area = across.clip(0) * down.clip(0), wide * tall
    return shared / (area + w * h - shared), shared / area


def typical_size(boxes: Sequence[Box]) -> tuple[float, float]:
    """Width and height, as shares of the image's sides: geometric means; half an image of no box."""
    if not boxes:
        return 0.5, 0.5
    sides = np.array([box[3:] for box in boxes]).clip(None, 1)
    w, h = np.exp(np.log(sides).mean(0))
    return float(w), float(h)


def _unknown(boxes: Boxes, images: Container[str]) -> list[str]:
    count = sum(len(found) for image, found in boxes.of_image.items() if image not in images)
    if not count:
        return []
    subject = "1 box is of an image" if count == 1 else f"{count:,} boxes are of images"
    return [f"{subject} that the data does not hold; localisation was measured without."]


class _Sample:
    """Turns what was reached on each of N cases into means, shares and their intervals."""

    def __init__(self, cases: Sequence[Case]):
        labels = np.array([LABELS[case.box[0]] for case in cases])
        self._all = np.ones(len(cases), bool)
        self._findings = {str(label): labels == label for label in np.unique(labels)}
        self._drawn = bootstrap.draw(np.array([case.patient for case in cases]))

    def pointing(self, hits: np.ndarray) -> dict[str, Any]:
        """Figures of the pointing game over all boxes and for each finding. hits: [N], 0..1."""
        return {
            **self._pointing(hits, self._all, "mean"),
            "boxes": len(self._all),
            "findings": {
                label: {**self._pointing(hits, of, "pointing"), "boxes": int(of.sum())}
                for label, of in self._findings.items()
            },
        }

    def overlap(self, reached: np.ndarray, name: str) -> dict[str, Any]:
        """Figures of IoU or IoBB over all boxes and for each finding. reached: as `_overlap`."""
        return {
            **self._overlap(reached, self._all, name),
            "boxes": len(self._all),
            "findings": {
                label: {**self._overlap(reached, of, name), "boxes": int(of.sum())}
                for label, of in self._findings.items()
            },
        }

    def control(self, hits: np.ndarray, iou: np.ndarray, iobb: np.ndarray) -> dict[str, Any]:
        """The same figures of a control, and of each finding its pointing and mean IoU."""
        return {
            **self._pointing(hits, self._all, "pointing"),
            "iou": self._overlap(iou, self._all, "mean_iou"),
            "iobb": self._overlap(iobb, self._all, "mean_iobb"),
            "findings": {
                label: {
                    "pointing": float(hits[of].mean()),
                    "boxes": int(of.sum()),
                    "mean_iou": float(iou[of].mean()),
                }
                for label, of in self._findings.items()
            },
        }

    def _pointing(self, hits: np.ndarray, of: np.ndarray, name: str) -> dict[str, Any]:
        [(mean, interval)] = self._means(hits[:, None], of)
        return {name: mean, "ci95": interval}

    def _overlap(self, reached: np.ndarray, of: np.ndarray, name: str) -> dict[str, Any]:
        """reached: [N, answers], of several answers where one of them is drawn by chance."""
        columns = [reached.mean(1), *((reached > t).mean(1) for t in THRESHOLDS)]
        (mean, interval), *shares = self._means(np.stack(columns, 1), of)
        return {
            name: mean,
            f"{name}_ci95": interval,
            "thresholds": {
                str(t): {"share": share, "ci95": ci95}
                for t, (share, ci95) in zip(THRESHOLDS, shares, strict=True)
            },
        }

    def _means(
        self, values: np.ndarray, of: np.ndarray
    ) -> list[tuple[float | None, list[float] | None]]:
        """Mean over some of the cases (mask [N]) and its interval, of each column [N, C]."""
        counted = np.column_stack([values[of], np.ones(of.sum())])
        sums = bootstrap.totals(self._drawn.of(of), counted)
        cases = sums[:, -1:]
        means = np.divide(
            sums[:, :-1], cases, out=np.full((len(sums), values.shape[1]), np.nan), where=cases > 0
        )
        patients = self._drawn.patients(of)
        return [bootstrap.estimate(column, patients) for column in means.T]


def _constant(
    cases: Sequence[Case], teachers: Sequence[Case]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits [N], IoU and IoBB [N, 1] of the constant answers."""
    places = _Constant(_candidate_places(), _score_places, teachers)
    frames = _Constant(_candidate_frames(), _score_frames, teachers)
    hits = [inside(tuple(places.answer(case)), case.box) for case in cases]
    overlap = np.array([_overlaps(case.box, frames.answer(case)) for case in cases])
    return np.array(hits, float), overlap[:, :1], overlap[:, 1:]


class _Constant:
    """The answer that suits the boxes best that teach it (see `_taught`).

    The best candidate, moved in ever smaller steps as long as that makes it better.
    """

    def __init__(
        self,
        candidates: np.ndarray,
        score: Callable[[np.ndarray, np.ndarray], np.ndarray],
        teachers: Sequence[Case],
    ):
        """score: candidates [M, C] and boxes [T, 5] -> scores [T, M]."""
        self._candidates = candidates
        self._score = score
        self._teachers = teachers
        # The boxes of all findings, and of each.
        self._pools: dict[int | None, Counter[Box]] = {None: Counter(c.box for c in teachers)}
        for label in {case.box[0] for case in teachers}:
            self._pools[label] = Counter(c.box for c in teachers if c.box[0] == label)
        self._totals = {of: self._total(pool) for of, pool in self._pools.items()}
        self._answers: dict[tuple[Box, ...], np.ndarray] = {}

    def answer(self, case: Case) -> np.ndarray:
        """The answer to a case: one for each finding, as far as the same boxes teach it."""
        taught = tuple(_taught(case, self._teachers))
        if taught not in self._answers:
            self._answers[taught] = self._best(taught)
        return self._answers[taught]

    def _best(self, taught: tuple[Box, ...]) -> np.ndarray:
        labels = {box[0] for box in taught}
        pool = labels.pop() if len(labels) == 1 else None
        # All boxes of the pool but a patient's own teach a case: those are downloaded again.
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


def _taught(case: Case, teachers: Sequence[Case]) -> list[Box]:
    """The boxes that teach the controls' answer to a case: of its finding, of other patients.

    Those of all findings where other patients have none of this one.
    """
    others = [teacher.box for teacher in teachers if teacher.patient != case.patient]
    return [box for box in others if box[0] == case.box[0]] or others


def _score_places(places: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """[T, M]: 1 for places [M, 2] in boxes [T, 5]; of equals those count more in its inner half."""
    _, x, y, w, h = boxes.T[:, :, None]
    across, down = places.T
    # 0 in the middle, 0.5 at the edge.
    away = np.maximum(np.abs((across - (x + w / 2)) / w), np.abs((down - (y + h / 2)) / h))
    return (away <= 0.5) + _TIE * (away <= 0.25)


def _score_frames(frames: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """[T, M]: 1 for frames [M, 4] that overlap enough with boxes [T, 5]; the IoU parts equals."""
    iou, _ = _overlaps(boxes.T[:, :, None], frames)
    return (iou > _JUDGED) + _TIE * iou


def _candidate_places() -> np.ndarray:
    """Places [M, 2]: the middle of the image, then a grid over it."""
    steps = (np.arange(_PLACES) + 0.5) / _PLACES
    return np.concatenate([[[0.5, 0.5]], np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)])


def _candidate_frames() -> np.ndarray:
    """Frames [M, 4]: one in the middle of the image, then all on a grid that lie on the image."""
    steps = (np.arange(_CENTRES) + 0.5) / _CENTRES
    x, y, w, h = (v.ravel() for v in np.meshgrid(steps, steps, _SIDES, _SIDES))
    frames = np.stack([x - w / 2, y - h / 2, w, h], 1)
    on_image = (frames[:, :2] >= 0).all(1) & (frames[:, :2] + frames[:, 2:] <= 1).all(1)
    return np.concatenate([[[0.25, 0.25, 0.5, 0.5]], frames[on_image]])


def _random(
    cases: Sequence[Case], teachers: Sequence[Case]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expected hits [N], and IoU and IoBB [N, positions] of boxes that are placed by chance.

    Nothing is drawn: a random place hits a box by the share of the image that it covers, and a grid
    of positions stands for all that the random box can take on the image.
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
    return np.array(hits), np.array(iou), np.array(iobb)
