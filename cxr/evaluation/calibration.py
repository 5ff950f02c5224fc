"""Two numbers per label that make the network's logits keep their word.

Per label a slope a and an offset b are fitted by logistic regression of the outcome on the logit
of the validation images (Cox 1958; Platt 1999). A finding with five positives there cannot hold
two free numbers: its own fit is mostly noise. So each label's fit is drawn towards what all
findings have in common, the more the less its own images say (empirical Bayes; Efron and Morris,
"Data analysis using Stein's estimator and its generalizations", 1975):

1. The logit z of a label is stretched about that label's centre c, the log-odds of its mean
   predicted probability, and moved: log-odds = c + s (z - c) + d. A net that is too sure of itself
   is so about what it expects of each label; stretching about 0 would move rare labels most.
2. One (log s, d) is fitted to the 14 findings together: the common fit.
3. Each label's (log s, d) maximises its likelihood and a Gaussian around the common fit. The
   Gaussian's widths, how much labels truly differ, are estimated by expectation maximisation,
   with a prior as strong as two labels at `SPREAD`, because the estimate of a spread from a dozen
   groups is else often zero (Chung et al., "A nondegenerate penalized likelihood estimator for
   variance parameters in multilevel models", 2013).

The slope is exp(log s), so that it is positive and no ranking is turned round.

Images count equally, also those of patients with many: a probability is a promise on images, and
patients with more images carry more findings, so that weighing patients equally would promise
another share. But images of one patient are alike and say less than as many patients would. How
much less, the design effect, is measured at the common fit by the sum of scores within patients
against that within images, and all likelihoods are divided by it (Rao and Scott 1984), which draws
labels closer to the common fit.

The fit is for the training prevalence, where the validation images have another share of a label:
their log-odds are moved by the difference while fitting (Prentice and Pyke 1979).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cxr.inference.probability import log_odds, log_odds_shift, sigmoid
from cxr_labels import FINDINGS, LABELS

SPREAD = np.array([0.2, 0.2])  # of log slope and offset between labels, before seeing data
_SPREAD_LABELS = 2.0  # how many labels that guess is worth
_WEAK = np.array([1.0, 1.0])  # widths of the prior that keeps a fit of many positives finite
_ROUNDS = 200
_TOLERANCE = 1e-8


@dataclass(frozen=True)
class _Images:
    """Validation images of one label, or of several one after the other.

    stretched: z - c. fixed: what is added to the log-odds besides, c and the shift of prevalence.
    """

    stretched: np.ndarray
    fixed: np.ndarray
    outcome: np.ndarray

    def log_odds(self, at: np.ndarray) -> np.ndarray:
        return self.fixed + np.exp(at[0]) * self.stretched + at[1]


def fit(
    logits: np.ndarray, targets: np.ndarray, patients: np.ndarray, prevalence: np.ndarray
) -> dict[str, tuple[float, float]]:
    """(a, b) of each label: sigmoid(a * logit + b) is its probability at `prevalence`.

    logits, targets: [N, 15] of the validation images; patients: [N]; prevalence: [15], the shares
    at which the model was trained. a > 0. A label without positives or without negatives gets
    the common fit. "No Finding" has no part in it and is hardly drawn to it: it is frequent
    enough to stand alone, what is missing in the findings is too much in it, and how far findings
    lie apart says nothing of it. The identity, nearly, where the logits are calibrated already.
    """
    logits = np.asarray(logits, np.float64)
    centres = log_odds(sigmoid(logits).mean(0))
    shares = targets.mean(0)
    fitted = {
        label: _Images(
            logits[:, k] - centres[k],
            centres[k] + log_odds_shift(prevalence[k], shares[k]),
            targets[:, k].astype(np.float64),
        )
        for k, label in enumerate(LABELS)
        if 0 < shares[k] < 1
    }
    findings = [fitted[label] for label in FINDINGS if label in fitted]
    common = np.zeros(2)
    effect = 1.0
    if findings:
        common, _ = _maximum(_joined(findings), np.zeros(2), _WEAK, 1.0)
        effect = _design_effect(findings, common, patients)
    spread = _spread(findings, common, effect)
    pairs = {}
    for k, label in enumerate(LABELS):
        at, widths = (common, spread) if label in FINDINGS else (common * (1, 0), _WEAK)
        if label in fitted:
            at, _ = _maximum(fitted[label], at, widths, effect)
        slope = float(np.exp(at[0]))
        pairs[label] = (slope, float(centres[k] * (1 - slope) + at[1]))
    return pairs


def _maximum(
    images: _Images, centre: np.ndarray, widths: np.ndarray, effect: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where likelihood (divided by `effect`) times Gaussian is highest, and its covariance there.

    Fisher scoring; a step that does not climb is halved.
    """
    at = centre.copy()
    height = _height(images, at, centre, widths, effect)
    for _ in range(_ROUNDS):
        slope, information = _derivatives(images, at)
        information = information / effect + np.diag(widths**-2.0)
        step = np.linalg.solve(information, slope / effect - (at - centre) / widths**2)
        step /= max(1.0, np.abs(step).max())
        while (higher := _height(images, at + step, centre, widths, effect)) < height:
            step /= 2
            if np.abs(step).max() < _TOLERANCE:
                return at, np.linalg.inv(information)
        at, height = at + step, higher
        if np.abs(step).max() < _TOLERANCE:
            break
    return at, np.linalg.inv(information)


def _height(
    images: _Images, at: np.ndarray, centre: np.ndarray, widths: np.ndarray, effect: float
) -> float:
    eta = images.log_odds(at)
    likelihood = images.outcome @ eta - np.logaddexp(0, eta).sum()
    return float(likelihood / effect - (((at - centre) / widths) ** 2).sum() / 2)


def _derivatives(images: _Images, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient [2] and Fisher information [2, 2] of the log-likelihood."""
    p = sigmoid(images.log_odds(at))
    inputs = _inputs(images, at)
    return inputs.T @ (images.outcome - p), (inputs.T * (p * (1 - p))) @ inputs


def _inputs(images: _Images, at: np.ndarray) -> np.ndarray:
    """Change of the log-odds with log slope and offset, [N, 2]."""
    return np.stack([np.exp(at[0]) * images.stretched, np.ones(len(images.stretched))], 1)


def _joined(parts: Iterable[_Images]) -> _Images:
    parts = list(parts)
    return _Images(
        np.concatenate([p.stretched for p in parts]),
        np.concatenate([np.broadcast_to(p.fixed, p.outcome.shape) for p in parts]),
        np.concatenate([p.outcome for p in parts]),
    )


def _design_effect(findings: list[_Images], at: np.ndarray, patients: np.ndarray) -> float:
    """By how much images of one patient say less than images of as many patients; 1 or more."""
    _, owner = np.unique(patients, return_inverse=True)
    within_patients = within_images = 0.0
    for images in findings:
        inputs = _inputs(images, at)
        _, information = _derivatives(images, at)
        scores = inputs * (images.outcome - sigmoid(images.log_odds(at)))[:, None]
        by_patient = np.stack([np.bincount(owner, column) for column in scores.T], 1)
        # Each number counts alike: scores are taken in units of their own information.
        units = np.maximum(np.diag(information), 1e-12)
        within_patients += float((by_patient**2 / units).sum())
        within_images += float((scores**2 / units).sum())
    return max(1.0, within_patients / within_images) if within_images > 0 else 1.0


def _spread(findings: list[_Images], common: np.ndarray, effect: float) -> np.ndarray:
    """How far labels lie from the common fit: the Gaussian's two widths."""
    spread = SPREAD
    for _ in range(_ROUNDS):
        squares = _SPREAD_LABELS * SPREAD**2
        for images in findings:
            at, covariance = _maximum(images, common, spread, effect)
            squares = squares + (at - common) ** 2 + np.diag(covariance)
        updated = np.sqrt(squares / (len(findings) + _SPREAD_LABELS))
        if np.abs(updated - spread).max() < 1e-4:
            return updated
        spread = updated
    return spread
