"""Thresholds, chosen on the validation patients at the training prevalence.

The rules: "youden" (sensitivity + specificity is highest; Youden 1950), "f1" (the F1 score is
highest), "accuracy" (one threshold for all findings, where the article's plot of accuracy over
all labels is highest) and "sensitivity=0.9" (the highest threshold that reaches it).

On a finding with five positives the best point of the observed curve is mostly chance. The
probabilities of a calibrated model imply a curve too: of images at p, a share of p carries the
finding. "youden" and "f1" look at the pooled curve, the observed one counting as much as it has
positives, the implied one as `IMPLIED`. On simulated new images (tests/test_evaluation.py) that
finds better points than the observed curve alone, also where the model is miscalibrated.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cxr.evaluation import bootstrap, metrics
from cxr_labels import FINDINGS, LABELS

RULES = ("youden", "f1", "accuracy", "sensitivity=0.9")
IMPLIED = 30.0  # positives that the calibrated probabilities' own curve is worth

_UNKNOWN_SHARE = 0.95  # of images that stay unflagged where validation cannot say


@dataclass(frozen=True)
class Rule:
    """A way of choosing thresholds; sensitivity, above 0 to 1, is that of its own rule alone."""

    name: str
    sensitivity: float | None = None


def parse_rule(text: str) -> Rule:
    """The rule that a text such as "youden" or "sensitivity=0.9" names.

    Raises ValueError with one sentence.
    """
    name, equals, number = text.strip().partition("=")
    if name in ("youden", "f1", "accuracy") and not equals:
        return Rule(name)
    if name == "sensitivity":
        try:
            wanted = float(number)
        except ValueError:
            wanted = math.nan
        if not 0 < wanted <= 1:
            raise ValueError(
                f"The threshold rule {text!r} needs a share above 0 and up to 1, as in "
                "'sensitivity=0.9'."
            )
        return Rule(name, wanted)
    raise ValueError(f"The threshold rule {text!r} is none of {', '.join(RULES)}.")


def choose(rule: str, targets: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Threshold of each finding by a rule as of `parse_rule`, which raises ValueError.

    targets, probabilities: [N, 15], calibrated, at the training prevalence. A finding without
    positives or without negatives gets the probability that 5 % of the images exceed (but the
    common one under "accuracy"). "No Finding" gets none: it is never flagged.
    """
    parsed = parse_rule(rule)
    if parsed.name == "accuracy":
        return dict.fromkeys(FINDINGS, accuracy_curve(targets, probabilities)[2])
    return {
        label: _choose(parsed, targets[:, k].astype(np.float64), probabilities[:, k])
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


def operating_points(
    targets: np.ndarray,
    probabilities: np.ndarray,
    thresholds: dict[str, float],
    patients: np.ndarray,
) -> dict[str, dict[str, Any]]:
    """What the thresholds reach on the images they were chosen on, per finding that has one.

    targets, probabilities: [N, 15]; patients: [N]. Per finding positives (images), sensitivity
    and specificity with their intervals; None where no image, or every image, carries it.
    """
    drawn = bootstrap.draw(patients)
    points = {}
    for k, label in enumerate(LABELS):
        if label in thresholds:
            positive = targets[:, k].astype(bool)
            flagged = probabilities[:, k] >= thresholds[label]
            point: dict[str, Any] = {"positives": int(positive.sum())}
            for name, hits, among in (
                ("sensitivity", flagged & positive, positive),
                ("specificity", ~flagged & ~positive, ~positive),
            ):
                figures = bootstrap.share(drawn, hits, among)
                value, interval = bootstrap.estimate(figures, drawn.patients(among))
                point |= {name: value, f"{name}_ci95": interval}
            points[label] = point
    return points


def _choose(rule: Rule, target: np.ndarray, probability: np.ndarray) -> float:
    if target.min() == target.max():
        return float(np.quantile(probability, _UNKNOWN_SHARE))
    if rule.sensitivity is not None:
        scores = np.sort(probability[target == 1])[::-1]
        needed = math.ceil(rule.sensitivity * len(scores) - 1e-9)
        return float(scores[needed - 1])
    levels, level = np.unique(-probability, return_inverse=True)  # ties are flagged together
    own = IMPLIED / (IMPLIED + target.sum())
    carried = np.bincount(level, (1 - own) * target + own * probability)
    images = np.bincount(level)
    true, flagged = np.cumsum(carried), np.cumsum(images)
    if rule.name == "f1":
        gain = 2 * true / (flagged + true[-1])
    else:
        false = flagged - true
        gain = true / true[-1] - false / false[-1]
    return float(-levels[gain.argmax()])
