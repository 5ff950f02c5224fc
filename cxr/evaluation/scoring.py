"""Metrics of one label, or of all. An undefined metric is None, never NaN.

An image may carry a weight. `restating_weights` gives the images of one label the weights with
which that label has a stated share. This shows what a data set of that prevalence would give if
its images with and without the label look like these.
"""

from collections.abc import Iterable

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from cxr.model.metrics import Bin

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
    """Mean AUROC over the columns [N, K] where it is defined; None if it is defined nowhere."""
    return mean(auroc(targets[:, k], scores[:, k]) for k in range(targets.shape[1]))


def mean(metrics: Iterable[float | None]) -> float | None:
    """Mean of the metrics that are defined; None if none is."""
    defined = [metric for metric in metrics if metric is not None]
    return float(np.mean(defined)) if defined else None


def restating_weights(target: np.ndarray, share: float) -> np.ndarray | None:
    """Weights with which the positives of one label make up a stated share.

    Args:
        target: 0 or 1, [N].
        share: The stated share, 0..1.

    Returns:
        [N], of mean 1: share / (share here) for positives, (1 - share) / (1 - share here) for the
        others. None without positives or without negatives.
    """
    here = float(target.mean())
    if here in (0.0, 1.0):
        return None
    return np.where(target.astype(bool), share / here, (1 - share) / (1 - here))


def brier(target: np.ndarray, probability: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Mean squared difference of probability and outcome (Brier 1950); all arguments [N]."""
    return float(np.average((probability - target) ** 2, weights=weights))


def reliability(
    target: np.ndarray, probability: np.ndarray, weights: np.ndarray | None = None
) -> list[Bin]:
    """Predicted and observed shares in bins of equal weight, from the lowest probabilities up.

    Images with equal probabilities share a bin, so bins may differ in weight where there are ties.
    All arguments are [N].
    """
    mass, predicted, observed = _bins(target, probability, weights)
    return [
        Bin(predicted=float(p), observed=min(1.0, float(o)), weight=float(m / mass.sum()))
        for m, p, o in zip(mass, predicted, observed, strict=True)
    ]


def ece(target: np.ndarray, probability: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Expected calibration error: mean distance of predicted and observed over `reliability`.

    The bins have equal weight (Nguyen and O'Connor, "Posterior calibration and exploratory
    analysis for natural language processing models", 2015). Bins of equal width would put nearly
    all images of a rare finding into one bin. All arguments are [N].
    """
    mass, predicted, observed = _bins(target, probability, weights)
    return float(np.average(np.abs(predicted - observed), weights=mass))


def bins(probability: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The bin 0..BINS-1 of each image; every bin has about the same weight. Arguments [N]."""
    _, level = np.unique(probability, return_inverse=True)
    mass = np.bincount(level, weights)
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    return np.minimum((middle * BINS).astype(int), BINS - 1)[level]


def _bins(
    target: np.ndarray, probability: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weight, predicted share and observed share of each bin that is not empty."""
    weight = np.ones(len(target)) if weights is None else np.asarray(weights, np.float64)
    place = bins(probability, weight)
    mass, predicted, observed = (
        np.bincount(place, weight * value, BINS) for value in (1.0, probability, target)
    )
    kept = mass > 0
    return mass[kept], predicted[kept] / mass[kept], observed[kept] / mass[kept]


def accuracy_multi(targets: np.ndarray, probabilities: np.ndarray, threshold: float) -> float:
    """Share of right predictions over all images and labels at one threshold.

    This is fastai's accuracy_multi, except that a label is predicted at the threshold itself too,
    as a flag is.

    Args:
        targets: 0 or 1, [N, 15].
        probabilities: [N, 15].
        threshold: One for all labels.
    """
    return float(((probabilities >= threshold) == targets.astype(bool)).mean())


def predictive_values(target: np.ndarray, flagged: np.ndarray) -> tuple[float | None, float | None]:
    """PPV and NPV of flags [N]; None where no image, or every image, is flagged."""
    ppv = float(target[flagged].mean()) if flagged.any() else None
    npv = float(1 - target[~flagged].mean()) if not flagged.all() else None
    return ppv, npv
