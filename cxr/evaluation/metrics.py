"""Figures of one label or all of them. What is undefined is None, never nan.

An image may carry a weight. `restating_weights` gives the images of one label the weights with which
that label has a stated share: what a data set of that prevalence would show, if its images of
either class look like these.
"""

from collections.abc import Iterable

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

BINS = 15


def auroc(target: np.ndarray, score: np.ndarray) -> float | None:
    """Area under the ROC curve of one label; None without positives or without negatives."""
    if target.min() == target.max():
        return None
    return float(roc_auc_score(target, score))


def average_precision(target: np.ndarray, score: np.ndarray) -> float | None:
    """Average precision of one label; None without positives or without negatives."""
    if target.min() == target.max():
        return None
    return float(average_precision_score(target, score))


def mean_auroc(targets: np.ndarray, scores: np.ndarray) -> float | None:
    """Mean AUROC over the columns [N, K] where it is defined; None when it is for none."""
    return mean(auroc(targets[:, k], scores[:, k]) for k in range(targets.shape[1]))


def mean(figures: Iterable[float | None]) -> float | None:
    """Mean of the figures that are defined; None when none is."""
    defined = [figure for figure in figures if figure is not None]
    return float(np.mean(defined)) if defined else None


def restating_weights(target: np.ndarray, share: float) -> np.ndarray | None:
    """Weights [N] of mean 1 with which the positives of a label [N] make up `share` (0..1).

    share / (share here) for positives, (1 - share) / (1 - share here) for the others; None
    without positives or without negatives, which no weight can bring back.
    """
    here = float(target.mean())
    if here in (0.0, 1.0):
        return None
    return np.where(target.astype(bool), share / here, (1 - share) / (1 - here))


def brier(target: np.ndarray, probability: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Mean squared difference of probability and outcome (Brier 1950), images weighted [N]."""
    return float(np.average((probability - target) ** 2, weights=weights))


def reliability(
    target: np.ndarray,
    probability: np.ndarray,
    weights: np.ndarray | None = None,
    bins: int = BINS,
) -> list[dict[str, float]]:
    """Predicted against observed in bins of equal mass, from the lowest probabilities up.

    Each bin has the weighted mean of its probabilities ("predicted"), the weighted share of its
    images that carry the label ("observed"), and its share of all weight ("weight"). Images of one
    probability share a bin, so that bins differ in mass, or are fewer, where probabilities tie.
    """
    weight = np.ones(len(target)) if weights is None else np.asarray(weights, np.float64)
    place = equal_mass_bins(probability, weight, bins)
    mass, predicted, observed = (
        np.bincount(place, weight * value, bins) for value in (1.0, probability, target)
    )
    return [
        {
            "predicted": float(predicted[k] / mass[k]),
            "observed": float(observed[k] / mass[k]),
            "weight": float(mass[k] / mass.sum()),
        }
        for k in np.flatnonzero(mass)
    ]


def equal_mass_bins(probability: np.ndarray, weights: np.ndarray, bins: int = BINS) -> np.ndarray:
    """The bin 0..bins-1 of each image [N], every bin holding about 1/bins of the weight [N]."""
    _, value = np.unique(probability, return_inverse=True)
    return bins_of(np.bincount(value, weights), bins)[value]


def bins_of(mass: np.ndarray, bins: int = BINS) -> np.ndarray:
    """The same for probabilities in rising order that have these masses [V]."""
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    return np.minimum((middle * bins).astype(int), bins - 1)


def ece(
    target: np.ndarray,
    probability: np.ndarray,
    weights: np.ndarray | None = None,
    bins: int = BINS,
) -> float:
    """Expected calibration error: mean distance of predicted and observed over `reliability`.

    Bins of equal mass (Nguyen and O'Connor, "Posterior calibration and exploratory analysis for
    natural language processing models", 2015) instead of equal width, which puts nearly all images
    of a rare finding into one bin.
    """
    found = reliability(target, probability, weights, bins)
    return sum(abs(b["predicted"] - b["observed"]) * b["weight"] for b in found)


def accuracy_multi(targets: np.ndarray, probabilities: np.ndarray, threshold: float) -> float:
    """Share of right answers over all images and labels at one threshold: fastai's accuracy_multi.

    A label is called at or above the threshold, as a flag is; fastai calls it above.
    """
    return float(((probabilities >= threshold) == targets.astype(bool)).mean())


def operating_point(
    target: np.ndarray,
    probability: np.ndarray,
    threshold: float,
    weights: np.ndarray | None = None,
) -> dict[str, float | None]:
    """Sensitivity, specificity, PPV and NPV of flagging at or above a threshold."""
    flagged = probability >= threshold
    positive = target.astype(bool)
    weight = np.ones(len(target)) if weights is None else weights
    return {
        "sensitivity": _share(flagged, positive, weight),
        "specificity": _share(~flagged, ~positive, weight),
        "ppv": _share(positive, flagged, weight),
        "npv": _share(~positive, ~flagged, weight),
    }


def _share(hits: np.ndarray, among: np.ndarray, weight: np.ndarray) -> float | None:
    return float(np.average(hits[among], weights=weight[among])) if among.any() else None
