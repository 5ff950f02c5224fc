"""Platt scaling per label, with shrinkage towards a fit common to all findings.

For each label a slope a and an offset b are fitted by logistic regression of the label on the logit
of the validation images (Cox 1958; Platt 1999). A finding with five positives there does not
support two free parameters: its own fit is mostly noise. So each label's fit is shrunk towards a
common fit, the more the fewer images it has (empirical Bayes; Efron and Morris, "Data analysis
using Stein's estimator and its generalizations", 1975):

1. The logit z of a label is stretched about that label's centre c, the log-odds of its mean
   predicted probability, and moved: log-odds = c + s (z - c) + d. A network that is too confident
   is so relative to what it expects of each label; stretching about 0 would move rare labels most.
2. One (log s, d) is fitted to the 14 findings together: the common fit.
3. Each label's (log s, d) maximises its likelihood times a Gaussian around the common fit. The
   Gaussian's widths, how much labels truly differ, are estimated by expectation maximisation. They
   have a prior as strong as two labels at `SPREAD`, because without it the estimate of a spread
   from a dozen groups is often zero (Chung et al., "A nondegenerate penalized likelihood estimator
   for variance parameters in multilevel models", 2013).

The slope is exp(log s), so it is positive and never reverses a ranking.

All images count equally. Patients with more images carry more findings, so counting patients
equally would change the share of each label. But images of one patient are alike and carry less
information than as many patients would. This design effect is measured at the common fit, by the
score sums within patients against those within images, and all likelihoods are divided by it (Rao
and Scott 1984), which shrinks labels further.

The fit is for the training prevalence. Where the share of a label differs in the validation images,
their log-odds are moved by the difference while fitting (Prentice and Pyke 1979).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cxr.inference.probability import log_odds, log_odds_shift, sigmoid
from cxr_labels import FINDINGS, LABELS

SPREAD = np.array([0.2, 0.2])  # of log slope and offset between labels, before seeing data
_SPREAD_LABELS = 2.0  # weight of that guess, in labels
_WEAK = np.array([1.0, 1.0])  # widths of the prior that keeps a fit of many positives finite
_ROUNDS = 200
_TOLERANCE = 1e-8


@dataclass(frozen=True)
class _Images:
    """Validation images of one label, or of several labels concatenated.

    Attributes:
        stretched: z - c, [N].
        fixed: What is added to the log-odds: c and the shift of prevalence.
        outcome: 0 or 1, [N].
    """

    stretched: np.ndarray
    fixed: np.ndarray
    outcome: np.ndarray

    def log_odds(self, at: np.ndarray) -> np.ndarray:
        return self.fixed + np.exp(at[0]) * self.stretched + at[1]


def fit(
    logits: np.ndarray, targets: np.ndarray, patients: np.ndarray, prevalence: np.ndarray
) -> dict[str, tuple[float, float]]:
    """Fits the calibration of each label.

    A label without positives or without negatives gets the common fit. "No Finding" does not
    contribute to the common fit and is hardly shrunk towards it: it is frequent enough for a fit of
    its own, and its error is opposite to that of the findings.

    Args:
        logits: Of the validation images, [N, 15].
        targets: 0 or 1, [N, 15].
        patients: [N].
        prevalence: Shares of the labels in the training images, [15].

    Returns:
        {label: (a, b)}: sigmoid(a * logit + b) is the probability at `prevalence`, and a > 0. It
        is nearly the identity if the logits are calibrated already.
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
    """The maximum of likelihood (divided by `effect`) times Gaussian, and the covariance there.

    By Fisher scoring; a step that does not improve is halved.
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
    """Derivatives of the log-odds by log slope and offset, [N, 2]."""
    return np.stack([np.exp(at[0]) * images.stretched, np.ones(len(images.stretched))], 1)


def _joined(parts: Iterable[_Images]) -> _Images:
    parts = list(parts)
    return _Images(
        np.concatenate([p.stretched for p in parts]),
        np.concatenate([np.broadcast_to(p.fixed, p.outcome.shape) for p in parts]),
        np.concatenate([p.outcome for p in parts]),
    )


def _design_effect(findings: list[_Images], at: np.ndarray, patients: np.ndarray) -> float:
    """The design effect of several images per patient; 1 or more."""
    _, owner = np.unique(patients, return_inverse=True)
    within_patients = within_images = 0.0
    for images in findings:
        inputs = _inputs(images, at)
        _, information = _derivatives(images, at)
        scores = inputs * (images.outcome - sigmoid(images.log_odds(at)))[:, None]
        by_patient = np.stack([np.bincount(owner, column) for column in scores.T], 1)
        # Both parameters count alike: scores are in units of their own information.
        units = np.maximum(np.diag(information), 1e-12)
        within_patients += float((by_patient**2 / units).sum())
        within_images += float((scores**2 / units).sum())
    return max(1.0, within_patients / within_images) if within_images > 0 else 1.0


def _spread(findings: list[_Images], common: np.ndarray, effect: float) -> np.ndarray:
    """The Gaussian's two widths: how far labels lie from the common fit."""
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
