"""95 % intervals by resampling patients, because images of one patient are not independent.

Patients are drawn with replacement, and all images of a patient count as often as the patient was
drawn (Field and Welsh, "Bootstrapping clustered data", 2007). All metrics of all findings use the
same resamples, so that means over findings and differences between groups have intervals too.

Arrays over resamples have shape [1 + B]: place 0 is the sample itself, in which every image counts
once, and the B resamples follow. NaN stands for an undefined metric.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from cxr.evaluation import scoring
from cxr.inference.probability import shift
from cxr.model.metrics import Estimate

RESAMPLES = 1000
DRAWS = 50  # of labels, for the calibration error of a calibrated model

_Z = 1.959963984540054  # of the normal distribution, two-sided 95 %
_CELLS = 500_000  # rows times resamples that are computed at once: what a cache can hold
_SAME = 1e-9  # metrics nearer than this are equal


@dataclass(frozen=True)
class Resamples:
    """Which patients were drawn how often.

    Attributes:
        patient_of: Index of each image's patient, [N].
        counts: How often each patient counts, [1 + B, P]; 1 in the first row.
    """

    patient_of: np.ndarray
    counts: np.ndarray

    def of(self, images: np.ndarray) -> "Resamples":
        """The same draws, restricted to some of the images (a mask [N])."""
        return Resamples(self.patient_of[images], self.counts)

    def patients(self, images: np.ndarray | None = None) -> int:
        """How many patients the images have, or some of the images (a mask [N])."""
        return len(np.unique(self.patient_of if images is None else self.patient_of[images]))

    def by_patient(
        self, rows: np.ndarray, images: np.ndarray, count: int, values: np.ndarray | None = None
    ) -> sparse.csr_array:
        """Sums over the images of each patient, [count, P].

        Args:
            rows: The row to which each of the images is added, [n].
            images: The images' places, [n].
            count: Number of rows.
            values: What is added, [n]; 1 if None.
        """
        values = np.ones(len(rows)) if values is None else values
        shape = (count, self.counts.shape[1])
        return sparse.csr_array((values, (rows, self.patient_of[images])), shape)

    def sums(self, *by_patient: sparse.csr_array) -> Iterator[tuple[np.ndarray, ...]]:
        """Sums over the patients in some resamples after the other, each [count, b]."""
        size = max(16, _CELLS // max(1, *(matrix.shape[0] for matrix in by_patient)))
        for start in range(0, len(self.counts), size):
            part = self.counts[start : start + size].T.astype(np.float64)
            yield tuple(matrix @ part for matrix in by_patient)


def draw(patients: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> Resamples:
    """Draws patients.

    Args:
        patients: The patient of each image, [N].
        seed: Of the random numbers.
        resamples: B.
    """
    rng = np.random.default_rng(seed)
    names, patient_of = np.unique(patients, return_inverse=True)
    counts = np.ones((1 + resamples, len(names)), np.uint16)
    for row in counts[1:]:
        row[:] = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
    return Resamples(patient_of, counts)


def ranking(drawn: Resamples, target: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, ...]:
    """AUROC (ties count half) and average precision of one label.

    Args:
        drawn: The resamples of the N images.
        target: 0 or 1, [N].
        score: [N].

    Returns:
        Two arrays [1 + B]; NaN where a resample has no positives or no negatives.
    """
    positive = target.astype(bool)
    found_at, lost = np.flatnonzero(positive), np.flatnonzero(~positive)
    # From the highest score down: the scores of positives, and where negatives lie among them.
    levels, level = np.unique(-score[positive], return_inverse=True)
    below = np.searchsorted(levels, -score[~positive])
    ties = np.append(levels, np.inf)[below] == -score[~positive]
    count = len(levels)
    by_patient = (
        drawn.by_patient(level, found_at, count),
        drawn.by_patient(below[ties], lost[ties], count),
        drawn.by_patient(below[~ties], lost[~ties], count + 1),
    )
    aurocs, precisions = [], []
    for found, tied, between in drawn.sums(*by_patient):
        true, false = np.cumsum(found, 0), np.cumsum(between[:-1] + tied, 0)
        positives, negatives = found.sum(0), between.sum(0) + tied.sum(0)
        defined = (positives > 0) & (negatives > 0)
        beaten = (found * (negatives - false + tied / 2)).sum(0)
        precision = (found * true / np.maximum(true + false, 1)).sum(0)
        aurocs.append(_ratio(beaten, positives * negatives, defined))
        precisions.append(_ratio(precision, positives, defined))
    return np.concatenate(aurocs), np.concatenate(precisions)


def share(drawn: Resamples, hits: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Sum of the hits over the sum of the cases.

    Args:
        drawn: The resamples of the N images.
        hits: A mask or counts, [N], or [N, C] for C metrics at once.
        among: Likewise.

    Returns:
        [1 + B] or [1 + B, C]; NaN where a resample has no case.
    """
    columns = np.column_stack([hits, among])
    images, rows = np.nonzero(columns)
    values = columns[images, rows].astype(np.float64)
    by_patient = drawn.by_patient(rows, images, columns.shape[1], values)
    totals = np.concatenate([total for (total,) in drawn.sums(by_patient)], 1).T
    found, cases = np.split(totals, 2, axis=1)
    return _ratio(found, cases, cases > 0).reshape(len(found), *hits.shape[1:])


def calibration_error(
    drawn: Resamples, target: np.ndarray, probability: np.ndarray, prevalence: float
) -> np.ndarray:
    """`scoring.ece` of one label, [1 + B], with the images weighted to a prevalence.

    All resamples use the bins of the sample itself.

    Args:
        drawn: The resamples of the N images.
        target: 0 or 1, [N].
        probability: At `prevalence`, [N].
        prevalence: Share of the label after weighting.
    """
    weights = scoring.restating_weights(target, prevalence)
    if weights is None:
        return np.full(len(drawn.counts), np.nan)
    positive = target.astype(bool)
    # Of each bin the sum of probability - label, over its negatives, then over its positives.
    place = scoring.bins(probability, weights) + scoring.BINS * positive
    images, count = np.arange(len(place)), 2 * scoring.BINS
    errors = []
    for gaps, images_of in drawn.sums(
        drawn.by_patient(place, images, count, probability - positive),
        drawn.by_patient(place, images, count),
    ):
        (negative_gaps, positive_gaps), (negatives, positives) = (
            np.split(sums, 2) for sums in (gaps, images_of)
        )
        negatives, positives = negatives.sum(0), positives.sum(0)
        defined = (negatives > 0) & (positives > 0)
        each = _ratio(np.full(len(defined), prevalence), positives, defined)
        other = _ratio(np.full(len(defined), 1 - prevalence), negatives, defined)
        errors.append(np.abs(each * positive_gaps + other * negative_gaps).sum(0))
    return np.concatenate(errors)


def error_if_calibrated(
    probability: np.ndarray, prevalence: float, seed: int = 0, draws: int = DRAWS
) -> float | None:
    """The mean `scoring.ece` of one label if its probabilities were exactly right.

    It is not 0, because few images make noise (Kumar, Liang and Ma, "Verified uncertainty
    calibration", 2019). Labels are drawn from the probabilities; both are then restated to the
    prevalence as the real images are.

    Args:
        probability: At the training prevalence, [N].
        prevalence: Share of the label after weighting.
        seed: Of the random numbers.
        draws: How often labels are drawn.

    Returns:
        None if no draw has both positives and negatives.
    """
    chances = np.sort(np.asarray(probability, np.float64))
    stated = shift(chances, np.asarray(chances.mean()), np.asarray(prevalence))
    rng = np.random.default_rng(seed)
    errors = []
    for _ in range(draws):
        target = rng.random(len(chances)) < chances
        weights = scoring.restating_weights(target, prevalence)
        if weights is not None:
            errors.append(scoring.ece(target, stated, weights))
    return float(np.mean(errors)) if errors else None


def interval(resampled: np.ndarray) -> tuple[float, float] | None:
    """The middle 95 % of a metric over its resamples [B]; None if most of them are undefined."""
    defined = resampled[np.isfinite(resampled)]
    if len(defined) < len(resampled) / 2:
        return None
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)


def basic_interval(metric: np.ndarray) -> tuple[float, float] | None:
    """The interval of a metric [1 + B] that noise makes too large, such as a calibration error.

    A resample has each image several times, so it overstates the metric once more. The basic
    bootstrap interval (Davison and Hinkley, "Bootstrap methods and their application", 1997)
    reflects the resamples at the value and thereby corrects for this. It is then widened to
    contain the value and cut at 0.
    """
    value, found = float(metric[0]), interval(metric[1:])
    if found is None:
        return None
    return min(value, max(0.0, 2 * value - found[1])), min(1.0, max(value, 2 * value - found[0]))


def estimate(metric: np.ndarray, patients: int) -> Estimate | None:
    """A metric between 0 and 1 with its interval.

    Where all resamples are equal, as for a share of exactly 0 or 1, they say nothing about the
    spread. The interval is then Wilson's with the patients as the number of trials.

    Args:
        metric: [1 + B].
        patients: How many patients it rests on. For a metric that compares two classes: how many
            the smaller class has.

    Returns:
        None if the metric is undefined. Without interval if most resamples are undefined, or if
        all of it comes from one patient, who says nothing about the spread between patients.
    """
    value = float(metric[0])
    if not np.isfinite(value):
        return None
    value = min(1.0, max(0.0, value))
    found = interval(metric[1:])
    if found and found[1] - found[0] < _SAME:
        return Estimate(value=value, ci95=wilson(value, patients))
    return Estimate(value=value, ci95=found if patients > 1 else None)


def estimate_share(drawn: Resamples, hits: np.ndarray, among: np.ndarray) -> Estimate | None:
    """The share of some images (a mask [N]) that are hits (a mask [N]), with its interval."""
    return estimate(share(drawn, hits & among, among), drawn.patients(among))


def wilson(share: float, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927), which is never empty.

    Args:
        share: 0..1.
        trials: 1 or more.
    """
    middle = (share + _Z**2 / (2 * trials)) / (1 + _Z**2 / trials)
    spread = share * (1 - share) / trials + _Z**2 / (4 * trials**2)
    half = _Z * np.sqrt(spread) / (1 + _Z**2 / trials)
    # A share of 0 or 1 is the end of its own interval, whatever rounding says.
    return max(0.0, min(share, float(middle - half))), min(1.0, max(share, float(middle + half)))


def difference(
    one: np.ndarray, other: np.ndarray, patients: tuple[int, int]
) -> tuple[float, tuple[float, float]] | None:
    """One metric [1 + B] minus another in the same resamples, with its interval.

    Where one of them is equal in all resamples, the two intervals are combined by their squares
    instead (Newcombe 1998), as if they were independent.

    Args:
        one: A metric of one group.
        other: The same metric of another group.
        patients: How many patients either rests on, as for `estimate`.

    Returns:
        None if either metric or its interval is undefined.
    """
    first, second = estimate(one, patients[0]), estimate(other, patients[1])
    if not (first and second and first.ci95 and second.ci95):
        return None
    value = first.value - second.value
    if min(np.nanstd(one[1:]), np.nanstd(other[1:])) > _SAME:
        found = interval(one[1:] - other[1:])
        return (value, found) if found else None
    below = np.hypot(first.value - first.ci95[0], second.ci95[1] - second.value)
    above = np.hypot(first.ci95[1] - first.value, second.value - second.ci95[0])
    return value, (float(max(-1, value - below)), float(min(1, value + above)))


def mean(metrics: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of several metrics, each [1 + B], over those that are defined in a resample."""
    stacked = np.stack(metrics)
    defined = np.isfinite(stacked)
    return _ratio(np.where(defined, stacked, 0.0).sum(0), defined.sum(0), defined.any(0))


def _ratio(above: np.ndarray, below: np.ndarray, defined: np.ndarray) -> np.ndarray:
    """above / below; NaN where it is not defined."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=defined)
