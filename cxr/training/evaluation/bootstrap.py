"""95 % intervals by resampling patients: films of one patient are not independent.

Patients are drawn with replacement and all films of a patient count as often as the patient was
drawn (Field and Welsh, "Bootstrapping clustered data", 2007). Every figure of every finding is
computed in the same resamples, so that means over findings and differences between groups of
films have intervals too.

Arrays over resamples are [1 + B]: at place 0 stand the films as they are, each counted once, and
after it the B resamples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cxr.probability import shift
from cxr.training.evaluation import metrics

RESAMPLES = 1000
DRAWS = 50  # of outcomes, for the calibration error of a calibrated model

_Z = 1.959963984540054  # of the normal distribution, two-sided 95 %
_CELLS = 500_000  # films times resamples at once: what a processor's cache can hold
_AT_ONCE = 16  # resamples at once at least: bounds the memory of 112,120 films to some 100 MB
_SAME = 1e-9  # figures nearer than this are one


@dataclass(frozen=True)
class Resamples:
    """Who was drawn how often.

    patient_of: place of each film's patient, [N]. counts: uint16 [patients, 1 + B], how often
    each patient counts; column 0 is 1 for all.
    """

    patient_of: np.ndarray
    counts: np.ndarray

    def of(self, films: np.ndarray) -> "Resamples":
        """The same draws, looked at on some of the films (mask [N] or their places)."""
        return Resamples(self.patient_of[films], self.counts)

    def patients(self, films: np.ndarray) -> int:
        """How many patients some of the films (mask [N]) belong to."""
        return len(np.unique(self.patient_of[films]))


def draw(patients: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> Resamples:
    """Draws patients, given the patient of each film [N]."""
    rng = np.random.default_rng(seed)
    names, patient_of = np.unique(patients, return_inverse=True)
    counts = np.ones((len(names), 1 + resamples), np.uint16)
    for b in range(1, 1 + resamples):
        drawn = rng.integers(0, len(names), len(names))
        counts[:, b] = np.bincount(drawn, minlength=len(names))
    return Resamples(patient_of, counts)


def totals(drawn: Resamples, columns: np.ndarray) -> np.ndarray:
    """Sums over the films of columns [N, C], in each resample: float64 [1 + B, C]."""
    order = np.argsort(drawn.patient_of, kind="stable")
    owners = drawn.patient_of[order]
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    by_patient = np.add.reduceat(np.asarray(columns, np.float64)[order], starts, axis=0)
    parts = [part[owners[starts]].T @ by_patient for part in _chunks(drawn, len(owners))]
    return np.concatenate(parts)


def ranking(
    drawn: Resamples, target: np.ndarray, score: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """AUROC (ties counted half) and average precision of one label, each [1 + B].

    target, score: [N]. nan where a resample has no positives or no negatives.
    """
    positive = target.astype(bool)
    if not positive.any() or positive.all():
        return _undefined(drawn), _undefined(drawn)
    line = _Line.of(drawn, positive, score)
    aurocs, precisions = [], []
    for part in _chunks(drawn, len(line.owners)):
        found, tied, false, negatives = line.counted(part)
        beaten = negatives - false + 0.5 * tied
        flagged = np.cumsum(found, axis=0)
        positives = flagged[-1]
        precision = flagged / np.maximum(flagged + false, 1)
        defined = (positives > 0) & (negatives > 0)
        aurocs.append(_ratio((found * beaten).sum(0), positives * negatives, defined))
        precisions.append(_ratio((found * precision).sum(0), positives, defined))
    return np.concatenate(aurocs), np.concatenate(precisions)


def precision_on_others(drawn: Resamples, target: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Average precision with each positive judged by the other patients' positives, [1 + B].

    Average precision counts each positive among the films that it is to be compared with, and is
    too large where positives are few; a resample, which has the same positive several times, adds
    as much again. For one finding that is little beside its spread, for a mean over findings it
    is not: intervals of the mean come from this figure, which has hardly any of that bias. nan as
    for `ranking`, and where one patient has all positives.
    """
    positive = target.astype(bool)
    if not positive.any() or positive.all():
        return _undefined(drawn)
    line = _Line.of(drawn, positive, score)
    owners = line.owners[line.positive]
    above, all_own = _own_before(owners, line.group)
    figures = []
    for part in _chunks(drawn, len(line.owners)):
        found, _, false, negatives = line.counted(part)
        flagged = np.cumsum(found, axis=0)
        count = part[owners]
        positives = flagged[-1]
        others = positives - count * all_own[:, None]
        reached = (flagged[line.group] - count * above[:, None]) / np.maximum(others, 1)
        true, wrong = reached * positives, false[line.group]
        # Above the first negative every film is a positive, whoever it is of.
        precision = np.divide(true, true + wrong, out=np.ones_like(true), where=wrong > 0)
        counted = count * (others > 0)
        defined = (counted.sum(0) > 0) & (negatives > 0)
        figures.append(_ratio((counted * precision).sum(0), counted.sum(0), defined))
    return np.concatenate(figures)


def share(drawn: Resamples, hits: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Sum of hits over sum of cases, [1 + B]; hits, among: masks or counts per film, [N].

    nan where a resample has no case.
    """
    found = totals(drawn, np.stack([hits, among], 1))
    return _ratio(found[:, 0], found[:, 1], found[:, 1] > 0)


@dataclass(frozen=True)
class CalibrationError:
    """An expected calibration error and how far off such an estimate is.

    value: `metrics.ece`. chance: what it would be of a perfectly calibrated model on such films,
    [D] (`errors_if_calibrated`). noise: what resampling patients makes of no error, [B]. error:
    estimate minus truth in each resample, [B], for a truth like this one.
    """

    value: float
    chance: np.ndarray
    noise: np.ndarray
    error: np.ndarray

    @staticmethod
    def mean(parts: Sequence["CalibrationError"]) -> "CalibrationError":
        """Of the mean over labels."""
        return CalibrationError(
            float(np.mean([part.value for part in parts])),
            mean([part.chance for part in parts]),
            mean([part.noise for part in parts]),
            mean([part.error for part in parts]),
        )

    def if_calibrated(self) -> float | None:
        """The error that a perfectly calibrated model would show on such films."""
        defined = self.chance[np.isfinite(self.chance)]
        return float(defined.mean()) if len(defined) else None

    def interval(self) -> list[float] | None:
        """The interval of the true error; None where most resamples, or draws, are undefined.

        From 0, where chance alone explains the value: either that of the outcomes, which does not
        know that films of a patient are alike, or that of who was drawn, which does not know of
        positives that none of the films is. The upper end is not lowered by what the
        value is too large on average, so that the value lies in its interval.
        """
        chance, noise, error = (interval(f) for f in (self.chance, self.noise, self.error))
        if chance is None or noise is None or error is None:
            return None
        low = 0.0 if self.value <= max(chance[1], noise[1]) else max(0.0, self.value - error[1])
        return [low, self.value + float(np.nanmedian(self.error)) - error[0]]


def errors_if_calibrated(
    probability: np.ndarray, share: float, seed: int = 0, draws: int = DRAWS
) -> np.ndarray:
    """`metrics.ece` of one label if its probabilities were exactly right, [draws].

    probability: [N], at the training prevalence. Outcomes are drawn from them, and both are
    restated to a `share` of positives as the films themselves are. The share that is left is the
    drawn outcomes' own, so that probabilities which are too high or too low in the mean count as
    right here too. nan where a draw has no positives or no negatives.
    """
    chances = np.asarray(probability, np.float64)
    stated = shift(chances, np.asarray(chances.mean()), np.asarray(share))
    order = np.argsort(stated, kind="stable")
    chances, stated = chances[order], stated[order]
    positive = np.random.default_rng(seed).random((draws, len(chances))) < chances
    here = positive.mean(1)
    defined = (here > 0) & (here < 1)
    positive, here = positive[defined], here[defined, None]
    weights = np.where(positive, share / here, (1 - share) / (1 - here))
    starts = np.flatnonzero(np.diff(stated, prepend=-1.0))
    mass, found = (np.add.reduceat(w, starts, axis=1) for w in (weights, weights * positive))
    # As `metrics.equal_mass_bins`, of all draws at once.
    middle = (np.cumsum(mass, 1) - mass / 2) / mass.sum(1, keepdims=True)
    in_bin = np.minimum((middle * metrics.BINS).astype(int), metrics.BINS - 1)
    place = (in_bin + metrics.BINS * np.arange(len(mass))[:, None]).ravel()
    gaps = np.bincount(place, (found - mass * stated[starts]).ravel(), metrics.BINS * len(mass))
    errors = np.full(draws, np.nan)
    errors[defined] = np.abs(gaps.reshape(-1, metrics.BINS)).sum(1) / len(chances)
    return errors


def calibration_error(
    drawn: Resamples, target: np.ndarray, probability: np.ndarray, share: float, chance: np.ndarray
) -> CalibrationError:
    """`metrics.ece` of one label, films weighted so that `share` of them is positive.

    The expected calibration error of a perfectly calibrated model is not 0 but noise (Kumar,
    Liang and Ma, "Verified uncertainty calibration", 2019), and a resample doubles the noise:
    its percentiles miss the truth. So the noise is taken apart: how far each bin's gap moves in a
    resample. Alone it gives what chance makes of no error; added to the gaps, shrunk by the part
    of them that is noise (James and Stein 1961), what it makes of an error like this one. Bins
    are those of the films as they are. chance: `errors_if_calibrated` of the label. Raises
    ValueError without positives or negatives.
    """
    weights = metrics.restating_weights(target, share)
    if weights is None:
        raise ValueError("Without positives or without negatives no share can be restated.")
    positive = target.astype(bool)
    in_bin = np.eye(metrics.BINS)[metrics.equal_mass_bins(probability, weights)]
    of_film = np.stack([positive, positive * probability, ~positive, ~positive * probability], 1)
    columns = (of_film[:, :, None] * in_bin[:, None, :]).reshape(len(target), -1)
    sums = totals(drawn, columns).reshape(-1, 4, metrics.BINS)
    positives, negatives = sums[:, 0].sum(1), sums[:, 2].sum(1)
    defined = (positives > 0) & (negatives > 0)
    each = _ratio(np.full(len(sums), share), positives, defined)[:, None]
    other = _ratio(np.full(len(sums), 1 - share), negatives, defined)[:, None]
    gaps = (sums[:, 0] - sums[:, 1]) * each - sums[:, 3] * other
    gap, noise = gaps[0], gaps[1:] - gaps[0]
    by_chance = (noise[defined[1:]] ** 2).sum() / max(1, defined[1:].sum())
    observed = (gap**2).sum()
    truth = gap * (max(0.0, 1 - by_chance / observed) if observed > 0 else 0.0)
    return CalibrationError(
        float(np.abs(gap).sum()),
        chance,
        np.abs(noise).sum(1),
        np.abs(truth + noise).sum(1) - np.abs(truth).sum(),
    )


def interval(figures: np.ndarray) -> list[float] | None:
    """The middle 95 % of a figure over its resamples [B]; None when it was mostly undefined."""
    defined = figures[np.isfinite(figures)]
    if len(defined) < len(figures) / 2:
        return None
    low, high = np.quantile(defined, [0.025, 0.975])
    return [float(low), float(high)]


def estimate(figures: np.ndarray, patients: int) -> tuple[float | None, list[float] | None]:
    """Value and interval of a figure between 0 and 1, from its array [1 + B].

    patients: how many the figure rests on; of a figure that compares two classes, how many the
    smaller class has. Where all resamples are equal, as for a share of exactly 0 or 1, they say
    nothing of the spread, and the interval is Wilson's with the patients as the number of trials.
    The value is None where it is undefined; the interval also where most resamples are, and where
    it would come from one patient, who says nothing of the spread between patients.
    """
    value = float(figures[0])
    if not np.isfinite(value):
        return None, None
    found = interval(figures[1:])
    if found and found[1] - found[0] < _SAME:
        return value, wilson(value, patients)
    return value, found if patients > 1 else None


def wilson(share: float, trials: int) -> list[float]:
    """95 % score interval of a share (Wilson 1927), never of no width. trials: 1 or more."""
    middle = (share + _Z**2 / (2 * trials)) / (1 + _Z**2 / trials)
    spread = share * (1 - share) / trials + _Z**2 / (4 * trials**2)
    half = _Z * np.sqrt(spread) / (1 + _Z**2 / trials)
    # A share of 0 or 1 is the end of its own interval, whatever rounding says.
    return [max(0.0, min(share, float(middle - half))), min(1.0, max(share, float(middle + half)))]


def difference(
    one: np.ndarray, other: np.ndarray, patients: tuple[int, int]
) -> tuple[float | None, list[float] | None]:
    """Value and interval of one figure [1 + B] minus another in the same resamples.

    patients: of either, as for `estimate`. Where one figure is equal in all resamples, the two
    intervals are joined by their squares instead (Newcombe 1998), as if independent.
    """
    values, intervals = zip(
        *(estimate(f, n) for f, n in zip((one, other), patients, strict=True)), strict=True
    )
    if None in values or None in intervals:
        return None, None
    value = values[0] - values[1]
    if min(np.nanstd(one[1:]), np.nanstd(other[1:])) > _SAME:
        return value, interval(one[1:] - other[1:])
    (low, high), (other_low, other_high) = intervals
    below = np.hypot(values[0] - low, other_high - values[1])
    above = np.hypot(high - values[0], values[1] - other_low)
    return value, [float(value - below), float(value + above)]


def mean(figures: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of several figures, each [1 + B], over those that are defined in a resample."""
    stacked = np.stack(figures)
    defined = np.isfinite(stacked)
    counts = defined.sum(0)
    return _ratio(np.where(defined, stacked, 0.0).sum(0), counts, counts > 0)


@dataclass(frozen=True)
class _Line:
    """Films from the highest score down, in stretches: each score that a positive has, with the
    films that tie with it, and what lies between two such.

    owners: place of each film's patient, [N]; positive: mask [N]. starts: where stretches start.
    groups: which stretches have positives; group: place in `groups` of each positive.
    group_starts: where groups start among the positives.
    """

    owners: np.ndarray
    positive: np.ndarray
    starts: np.ndarray
    groups: np.ndarray
    group: np.ndarray
    group_starts: np.ndarray

    @staticmethod
    def of(drawn: Resamples, positive: np.ndarray, score: np.ndarray) -> "_Line":
        order = np.argsort(-score, kind="stable")
        positive = positive[order]
        _, value = np.unique(-score[order], return_inverse=True)
        with_positive = np.isin(value, value[positive])
        changes = np.diff(np.where(with_positive, value, -1), prepend=-2) != 0
        groups, group_starts, group = np.unique(
            (np.cumsum(changes) - 1)[positive], return_index=True, return_inverse=True
        )
        starts = np.flatnonzero(changes)
        return _Line(drawn.patient_of[order], positive, starts, groups, group, group_starts)

    def counted(self, part: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Of counts [patients, b]: per group the positives, the negatives that tie with them, and
        the negatives down to it, ties included, each [groups, b]; all negatives, [b].
        """
        found = np.add.reduceat(part[self.owners[self.positive]], self.group_starts, axis=0)
        negatives = np.add.reduceat(part[self.owners], self.starts, axis=0)
        negatives[self.groups] -= found
        tied = negatives[self.groups]
        until = np.cumsum(negatives, axis=0)
        found, tied, false = (x.astype(np.float64) for x in (found, tied, until[self.groups]))
        return found, tied, false, until[-1].astype(np.float64)


def _own_before(owners: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each positive: how many its patient has down to its group, and has in all."""
    order = np.lexsort((group, owners))
    pairs = np.stack([owners[order], group[order]], 1)
    _, first = np.unique(owners[order], return_index=True)
    of_owner = np.cumsum(np.isin(np.arange(len(order)), first)) - 1
    ends = np.r_[np.flatnonzero((np.diff(pairs, axis=0) != 0).any(1)) + 1, len(order)]
    end = ends[np.searchsorted(ends, np.arange(len(order)), side="right")]
    above, in_all = np.empty(len(order)), np.empty(len(order))
    above[order] = end - first[of_owner]
    in_all[order] = np.bincount(of_owner)[of_owner]
    return above, in_all


def _undefined(drawn: Resamples) -> np.ndarray:
    return np.full(drawn.counts.shape[1], np.nan)


def _chunks(drawn: Resamples, films: int) -> Iterator[np.ndarray]:
    """The counts [patients, b], some resamples at a time.

    In float32, in which sums of up to 16 million films are exact.
    """
    size = max(_AT_ONCE, _CELLS // films)
    for start in range(0, drawn.counts.shape[1], size):
        yield drawn.counts[:, start : start + size].astype(np.float32)


def _ratio(above: np.ndarray, below: np.ndarray, defined: np.ndarray) -> np.ndarray:
    """above / below, nan where it is not defined."""
    return np.divide(above, below, out=np.full(len(above), np.nan), where=defined)
