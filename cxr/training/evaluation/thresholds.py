"""Thresholds, chosen on the validation patients at the training prevalence."""

import numpy as np
from sklearn.metrics import roc_curve

from cxr.training.evaluation import metrics
from cxr_labels import FINDINGS, LABELS


def youden(targets: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Per finding, the threshold where sensitivity + specificity is highest (Youden 1950).

    targets, probabilities: [N, 15]. A finding without positives or negatives on validation gets
    the score that 5 % of the films exceed. "No Finding" gets none: it is never flagged.
    """
    return {
        label: _youden(targets[:, k], probabilities[:, k])
        for k, label in enumerate(LABELS)
        if label in FINDINGS
    }


def accuracy_curve(
    targets: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """The article's plot: thresholds 0.05 to 0.95, accuracy over the 15 labels, the best one."""
    thresholds = np.linspace(0.05, 0.95, 91)
    accuracies = np.array([metrics.accuracy_multi(targets, probabilities, t) for t in thresholds])
    return thresholds, accuracies, float(thresholds[accuracies.argmax()])


def _youden(target: np.ndarray, probability: np.ndarray) -> float:
    if target.min() == target.max():
        return float(np.quantile(probability, 0.95))
    false_positive, true_positive, thresholds = roc_curve(target, probability)
    # The curve's first point, which flags nothing, has no finite threshold.
    best = 1 + int((true_positive - false_positive)[1:].argmax())
    return float(thresholds[best])
