"""Figures of one label or all of them. What is undefined is None, never nan."""

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score


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


def mean(figures) -> float | None:
    """Mean of the figures that are defined; None when none is."""
    defined = [figure for figure in figures if figure is not None]
    return float(np.mean(defined)) if defined else None


def brier(target: np.ndarray, probability: np.ndarray) -> float:
    """Mean squared difference of probability and outcome (Brier 1950)."""
    return float(np.mean((probability - target) ** 2))


def accuracy_multi(targets: np.ndarray, probabilities: np.ndarray, threshold: float) -> float:
    """Share of right answers over all films and labels at one threshold, as fastai counts it."""
    return float(((probabilities > threshold) == targets.astype(bool)).mean())


def operating_point(
    target: np.ndarray, probability: np.ndarray, threshold: float
) -> dict[str, float | None]:
    """Sensitivity, specificity and PPV of flagging at or above a threshold."""
    flagged = probability >= threshold
    positive = target.astype(bool)
    return {
        "sensitivity": _share(flagged[positive]),
        "specificity": _share(~flagged[~positive]),
        "ppv": _share(positive[flagged]),
    }


def _share(hits: np.ndarray) -> float | None:
    return float(hits.mean()) if len(hits) else None
