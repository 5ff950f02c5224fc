"""95 % intervals by resampling patients: images of one patient are not independent.

Patients are drawn with replacement and all images of a patient count as often as the patient was
drawn (Field and Welsh, "Bootstrapping clustered data", 2007). Every figure of every finding is
computed in the same resamples, so that means over findings and differences between groups of
images have intervals too.

Arrays over resamples are [1 + B]: at place 0 stand the images as they are, each counted once, and
after it the B resamples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from cxr.evaluation import metrics
from cxr.inference.probability import shift

RESAMPLES = 1000
DRAWS = 50  # of outcomes, for the calibration error of a calibrated model

_Z = 1.959963984540054  # of the normal distribution, two-sided 95 %
_CELLS = 500_000  # images times resamples at once: what a processor's cache can hold
_AT_ONCE = 16  # resamples at once at least; of 112,120 images an array then takes a few MB
_SAME = 1e-9  # figures nearer than this are one


@dataclass(frozen=True)
class Resamples:
    """Who was drawn how often.

    patient_of: place of each image's patient, [N]. counts: how often each patient counts in some
    resamples after the other, float32 [patients, b], [1 + B] of them in all; the first is 1 for
    all. Sums of up to 16 million images are exact in float32.
    """

    patient_of: np.ndarray
    counts: tuple[np.ndarray, ...]

    def of(self, images: np.ndarray) -> "Resamples":
        """The same draws, looked at on some of the images (mask [N] or their places)."""
        return Resamples(self.patient_of[images], self.counts)

    def patients(self, images: np.ndarray | None = None) -> int:
        """How many patients some of the images (mask [N]) belong to; all that were drawn from."""
        return len(self.counts[0] if images is None else np.unique(self.patient_of[images]))


def draw(patients: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> Resamples:
    """Draws patients, given the patient of each image [N]."""
    rng = np.random.default_rng(seed)
    names, patient_of = np.unique(patients, return_inverse=True)
    size = max(_AT_ONCE, _CELLS // len(patients))
    counts = [
        np.ones((len(names), min(size, 1 + resamples - start)), np.float32)
        for start in range(0, 1 + resamples, size)
    ]
    for b in range(1, 1 + resamples):
        drawn = rng.integers(0, len(names), len(names))
        counts[b // size][:, b % size] = np.bincount(drawn, minlength=len(names))
    return Resamples(patient_of, tuple(counts))


def totals(drawn: Resamples, columns: np.ndarray) -> np.ndarray:
    """Sums over the images of columns [N, C], in each resample: float64 [1 + B, C]."""
    images, places = np.nonzero(columns)
    values = columns[images, places].astype(np.float64)
    return _summed(drawn, _by_patient(drawn, places, images, columns.shape[1], values))


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
    for part in drawn.counts:
        counted = line.counted(part)
        aurocs.append(counted.auroc())
        precisions.append(counted.average_precision())
    return np.concatenate(aurocs), np.concatenate(precisions)


def auroc(drawn: Resamples, target: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The first half of `ranking`, in half the time."""
    positive = target.astype(bool)
    if not positive.any() or positive.all():
        return _undefined(drawn)
    line = _Line.of(drawn, positive, score)
    return np.concatenate([line.counted(part).auroc() for part in drawn.counts])


def precision_on_others(drawn: Resamples, target: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Average precision with each positive judged by the other patients' positives, [1 + B].

    Average precision counts each positive among the images that it is to be compared with, and is
    too large where positives are few; a resample, which has the same positive several times, adds
    as much again. For one finding that is little beside its spread, for a mean over findings it
    is not: intervals of the mean come from this figure, which has hardly any of that bias. nan as
    for `ranking`, and where one patient has all positives.
    """
    positive = target.astype(bool)
    if not positive.any() or positive.all():
        return _undefined(drawn)
    line = _Line.of(drawn, positive, score)
    owners, level = drawn.patient_of[positive], line.level
    above, all_own = (own[:, None] for own in _own_before(owners, level))
    figures = []
    for part in drawn.counts:
        counted = line.counted(part)
        count, wrong = part[owners], counted.false[level]
        flagged = counted.flagged()
        others = flagged[-1] - count * all_own
        found = flagged[level] - count * above
        true = np.divide(found, np.maximum(others, 1), dtype=np.float64)
        true *= counted.positives
        # Above the first negative every image is a positive, whoever it is of.
        precision = np.divide(true, true + wrong, out=np.ones_like(true), where=wrong > 0)
        count *= others > 0
        precision *= count
        total = count.sum(0, dtype=np.float64)
        defined = (total > 0) & (counted.negatives > 0)
        figures.append(_ratio(precision.sum(0), total, defined))
    return np.concatenate(figures)


def share(drawn: Resamples, hits: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Sum of hits over sum of cases, [1 + B]; hits, among: masks or counts per image, [N].

    Of several figures at once, [N, C] gives [1 + B, C]. nan where a resample has no case.
    """
    found, cases = np.split(totals(drawn, np.column_stack([hits, among])), 2, axis=1)
    return _ratio(found, cases, cases > 0).reshape(len(found), *hits.shape[1:])


@dataclass(frozen=True)
class CalibrationError:
    """An expected calibration error and how far off such an estimate is.

    value: `metrics.ece`. chance: what it would be of a perfectly calibrated model on such images,
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
        """The error that a perfectly calibrated model would show on such images."""
        defined = self.chance[np.isfinite(self.chance)]
        return float(defined.mean()) if len(defined) else None

    def interval(self) -> list[float] | None:
        """The interval of the true error; None where most resamples, or draws, are undefined.

        From 0, where chance alone explains the value: either that of the outcomes, which does not
        know that images of a patient are alike, or that of who was drawn, which does not know of
        positives that none of the images is. The upper end is not lowered by what the
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
    restated to a `share` of positives as the images themselves are. The share that is left is the
    drawn outcomes' own, so that probabilities which are too high or too low in the mean count as
    right here too. nan where a draw has no positives or no negatives.
    """
    chances = np.asarray(probability, np.float64)
    stated = shift(chances, np.asarray(chances.mean()), np.asarray(share))
    order = np.argsort(stated, kind="stable")
    chances, stated = chances[order], stated[order]
    starts = np.flatnonzero(np.diff(stated, prepend=-1.0))
    images = np.diff(starts, append=len(stated))
    rng = np.random.default_rng(seed)
    errors = np.full(draws, np.nan)
    for draw in range(draws):
        positives = np.add.reduceat(rng.random(len(chances)) < chances, starts, dtype=np.float64)
        here = positives.sum() / len(chances)
        if 0 < here < 1:
            found = positives * (share / here)
            mass = found + (images - positives) * ((1 - share) / (1 - here))
            in_bin = metrics.bins_of(mass)
            gaps = np.bincount(in_bin, found - mass * stated[starts], metrics.BINS)
            errors[draw] = np.abs(gaps).sum() / len(chances)
    return errors


def calibration_error(
    drawn: Resamples, target: np.ndarray, probability: np.ndarray, share: float, chance: np.ndarray
) -> CalibrationError:
    """`metrics.ece` of one label, images weighted so that `share` of them is positive.

    The expected calibration error of a perfectly calibrated model is not 0 but noise (Kumar,
    Liang and Ma, "Verified uncertainty calibration", 2019), and a resample doubles the noise:
    its percentiles miss the truth. So the noise is taken apart: how far each bin's gap moves in a
    resample. Alone it gives what chance makes of no error; added to the gaps, shrunk by the part
    of them that is noise (James and Stein 1961), what it makes of an error like this one. Bins
    are those of the images as they are. chance: `errors_if_calibrated` of the label. Raises
    ValueError without positives or negatives.
    """
    weights = metrics.restating_weights(target, share)
    if weights is None:
        raise ValueError("Without positives or without negatives no share can be restated.")
    positive = target.astype(bool)
    in_bin = metrics.equal_mass_bins(probability, weights)
    # Of each bin what its positives lack of 1, then what its other images have above 0.
    place = in_bin + metrics.BINS * ~positive
    errors = np.abs(positive - np.asarray(probability, np.float64))
    of_bin = _by_patient(drawn, place, np.arange(len(place)), 2 * metrics.BINS, errors)
    lacking, excess = np.split(_summed(drawn, of_bin), 2, axis=1)
    positives, negatives = totals(drawn, np.stack([positive, ~positive], 1)).T
    defined = (positives > 0) & (negatives > 0)
    each = _ratio(np.full(len(positives), share), positives, defined)[:, None]
    other = _ratio(np.full(len(negatives), 1 - share), negatives, defined)[:, None]
    gaps = lacking * each - excess * other
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
    """Images from the highest score down: the scores that positives have, and what lies between.

    level: place of each positive among those scores, L in all. The others say how many images each
    patient has, sparse [L, patients]: positives, and negatives that tie with them; and negatives
    above each level but not above the one before, [L + 1, patients].
    """

    level: np.ndarray
    found: sparse.csr_array
    tied: sparse.csr_array
    between: sparse.csr_array

    @staticmethod
    def of(drawn: Resamples, positive: np.ndarray, score: np.ndarray) -> "_Line":
        levels, level = np.unique(-score[positive], return_inverse=True)
        lower = -score[~positive]
        below = np.searchsorted(levels, lower)
        ties = np.append(levels, np.inf)[below] == lower
        images, others = np.flatnonzero(positive), np.flatnonzero(~positive)
        count = len(levels)
        return _Line(
            level,
            _by_patient(drawn, level, images, count),
            _by_patient(drawn, below[ties], others[ties], count),
            _by_patient(drawn, below[~ties], others[~ties], count + 1),
        )

    def counted(self, part: np.ndarray) -> "_Counted":
        """The images in resamples with these counts [patients, b], in float32."""
        found, tied, between = self.found @ part, self.tied @ part, self.between @ part
        false = np.cumsum(between[:-1] + tied, axis=0)
        negatives = false[-1] + between[-1]
        positives, negatives = (n.astype(np.float64) for n in (found.sum(0), negatives))
        return _Counted(found, tied, false, positives, negatives)


@dataclass(frozen=True)
class _Counted:
    """Images of `_Line` in b resamples. Per level [L, b]: positives; negatives that tie with it;
    negatives down to it, ties included. All positives and negatives, float64 [b].
    """

    found: np.ndarray
    tied: np.ndarray
    false: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray

    def flagged(self) -> np.ndarray:
        """Positives down to each level, [L, b]."""
        return np.cumsum(self.found, axis=0)

    def auroc(self) -> np.ndarray:
        beaten = self.negatives - self.false + np.float32(0.5) * self.tied
        beaten *= self.found
        return self._defined(beaten.sum(0), self.positives * self.negatives)

    def average_precision(self) -> np.ndarray:
        flagged = self.flagged()
        precision = np.divide(flagged, np.maximum(flagged + self.false, 1), dtype=np.float64)
        precision *= self.found
        return self._defined(precision.sum(0), self.positives)

    def _defined(self, above: np.ndarray, below: np.ndarray) -> np.ndarray:
        return _ratio(above, below, (self.positives > 0) & (self.negatives > 0))


def _by_patient(
    drawn: Resamples,
    rows: np.ndarray,
    images: np.ndarray,
    count: int,
    values: np.ndarray | None = None,
) -> sparse.csr_array:
    """Sums over the images of each patient, sparse [count, patients].

    rows: where each of the images counts, [n]; images: their places, [n]. values: what they count,
    [n]; 1 where None, in float32, in which sums of up to 16 million images are exact.
    """
    counted = np.ones(len(rows), np.float32) if values is None else values
    shape = (count, drawn.patients())
    return sparse.csr_array((counted, (rows, drawn.patient_of[images])), shape)


def _summed(drawn: Resamples, by_patient: sparse.csr_array) -> np.ndarray:
    """Sums over the patients, [count, patients], in each resample: [1 + B, count]."""
    return np.concatenate([by_patient @ part for part in drawn.counts], axis=1).T


def _own_before(owners: np.ndarray, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each positive: how many its patient has down to its level, and has in all."""
    order = np.lexsort((level, owners))
    pairs = np.stack([owners[order], level[order]], 1)
    _, first = np.unique(owners[order], return_index=True)
    of_owner = np.cumsum(np.isin(np.arange(len(order)), first)) - 1
    ends = np.r_[np.flatnonzero((np.diff(pairs, axis=0) != 0).any(1)) + 1, len(order)]
    end = ends[np.searchsorted(ends, np.arange(len(order)), side="right")]
    above, in_all = np.empty((2, len(order)), np.float32)
    above[order] = end - first[of_owner]
    in_all[order] = np.bincount(of_owner)[of_owner]
    return above, in_all


def _undefined(drawn: Resamples) -> np.ndarray:
    return np.full(sum(part.shape[1] for part in drawn.counts), np.nan)


def _ratio(above: np.ndarray, below: np.ndarray, defined: np.ndarray) -> np.ndarray:
    """above / below, nan where it is not defined."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=defined)
