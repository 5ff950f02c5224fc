"""Thresholds, chosen on the validation patients at the training prevalence.

The rules: "youden" (sensitivity + specificity is highest; Youden 1950), "f1" (the F1 score is
highest), "accuracy" (one threshold for all findings, at the highest point of the article's plot of
accuracy over all labels) and "sensitivity=0.9" (the highest threshold that reaches it).

For a finding with five positives the best point of the observed curve is mostly chance. The
probabilities of a calibrated model imply a curve too: of the images with probability p, a share of
p has the finding. "youden" and "f1" use a pooled curve, which weights the observed curve by its
number of positives, and the implied curve as if it had `IMPLIED` positives. On simulated new images
(tests/evaluation) this finds better points than the observed curve alone, also where the model is
miscalibrated.
"""

import math
from dataclasses import dataclass

import numpy as np

from cxr.evaluation import bootstrap, scoring
from cxr.model.config import OperatingPoint
from cxr_labels import FINDINGS, LABELS

RULES = ("youden", "f1", "accuracy", "sensitivity=0.9")
IMPLIED = 30.0  # positives that the calibrated probabilities' own curve is worth

_UNKNOWN_SHARE = 0.95  # of images that stay unflagged where validation cannot say


@dataclass(frozen=True)
class Rule:
    """A way to choose thresholds.

    Attributes:
        name: "youden", "f1", "accuracy" or "sensitivity".
        sensitivity: What "sensitivity" must reach, above 0 and up to 1; None for the others.
    """

    name: str
    sensitivity: float | None = None


def parse_rule(text: str) -> Rule:
    """The rule that a text such as "youden" or "sensitivity=0.9" names.

    Raises:
        ValueError: There is no such rule; the message is one sentence.
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
    """Chooses a threshold for each finding.

    A finding without positives or without negatives gets the probability that 5 % of the images
    exceed (but the common threshold under "accuracy"). "No Finding" gets none: it is never flagged.

    Args:
        rule: As of `parse_rule`.
        targets: 0 or 1, [N, 15].
        probabilities: Calibrated, at the training prevalence, [N, 15].

    Raises:
        ValueError: There is no such rule.
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
    """The article's plot: thresholds 0.05 to 0.95, accuracy over 15 labels at each, the best."""
    thresholds = np.linspace(0.05, 0.95, 91)
    accuracies = np.array([scoring.accuracy_multi(targets, probabilities, t) for t in thresholds])
    return thresholds, accuracies, float(thresholds[accuracies.argmax()])


def operating_points(
    targets: np.ndarray,
    probabilities: np.ndarray,
    thresholds: dict[str, float],
    patients: np.ndarray,
) -> dict[str, OperatingPoint]:
    """What the thresholds reach on the images they were chosen on.

    Args:
        targets: 0 or 1, [N, 15].
        probabilities: At the training prevalence, [N, 15].
        thresholds: {finding: threshold}.
        patients: [N].

    Returns:
        {finding: what its threshold reaches}.
    """
    drawn = bootstrap.draw(patients)
    points = {}
    for k, label in enumerate(LABELS):
        if label in thresholds:
            positive = targets[:, k].astype(bool)
            flagged = probabilities[:, k] >= thresholds[label]
            points[label] = OperatingPoint(
                positives=int(positive.sum()),
                sensitivity=bootstrap.estimate_share(drawn, flagged, positive),
                specificity=bootstrap.estimate_share(drawn, ~flagged, ~positive),
            )
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
