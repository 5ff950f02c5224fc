"""Predictions and labels of a set of images -> `Metrics`.

Two kinds of metrics hold at any prevalence: how images are ranked (AUROC, but not average
precision), and which images of either class are flagged (sensitivity, specificity). The others
depend on it. They are given at NIH's prevalence, with the probabilities restated and the images
weighted so that each label has that share; and as measured, at the training prevalence with every
image counted once. The weighting assumes that images of a class look alike at both prevalences
(Saerens, Latinne and Decaestecker 2002); selecting images for their boxes violates this.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxr import machine
from cxr.evaluation import baselines, bootstrap, scoring, subgroups
from cxr.evaluation.bootstrap import Resamples
from cxr.inference.prevalence import NIH, restate, shares_at
from cxr.model.config import Config
from cxr.model.metrics import AsMeasured, Baselines, Estimate, Finding, Metrics
from cxr_labels import FINDINGS, LABELS

_RARE_OR_NOISY = ("Pneumonia", "Hernia")  # left out of the second mean


@dataclass(frozen=True)
class Sample:
    """Images with their labels and what the model predicts for them.

    Attributes:
        table: The images' rows of `nih.NihData.table`.
        targets: 0 or 1, [N, 15].
        probabilities: At the training prevalence, [N, 15].
    """

    table: pd.DataFrame
    targets: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class _Label:
    """One label's metrics, and what means over labels need.

    Attributes:
        patients: With the label or without it, whichever are fewer.
        auroc, average_precision, ece: [1 + B].
    """

    finding: Finding
    patients: int
    auroc: np.ndarray
    average_precision: np.ndarray
    ece: np.ndarray


def compute(
    sample: Sample, config: Config, train: tuple[pd.DataFrame, np.ndarray] | None
) -> Metrics:
    """All metrics but those of the boxes and of the input check.

    Args:
        sample: The images.
        config: Its thresholds and prevalences are used. Its calibration is already in the
            probabilities.
        train: Table and targets of the training images, for the baseline from sex, age and view.
            Without at least `baselines.ENOUGH` of them that baseline is cross-validated.

    Raises:
        ValueError: There is no image.
    """
    if not len(sample.table):
        raise ValueError("No image is left to be measured.")
    drawn = bootstrap.draw(sample.table["patient"].to_numpy())
    shares, stated = shares_at(config, NIH), restate(config, sample.probabilities, NIH)

    def measure(k: int) -> _Label:
        return _label(sample, k, stated[:, k], shares[k], config.thresholds.get(LABELS[k]), drawn)

    labels = dict(zip(LABELS, machine.in_threads(measure, range(len(LABELS))), strict=True))
    groups, group_notes = subgroups.compute(
        sample.table, sample.targets, sample.probabilities, config.thresholds, drawn
    )
    if train is not None and len(train[0]) < baselines.ENOUGH:
        train = None
    metadata_only = _metadata_only(sample, train)
    findings = [labels[label] for label in FINDINGS]
    common = [labels[label] for label in FINDINGS if label not in _RARE_OR_NOISY]
    return Metrics(
        n_images=len(sample.table),
        n_patients=drawn.patients(),
        split=str(config.training.get("split", "unknown")),
        prevalence=NIH,
        notes=[*_notes(sample, labels, train, metadata_only), *group_notes],
        mean_auroc=_mean_auroc(findings, drawn),
        mean_of=sum(label.finding.auroc is not None for label in findings),
        mean_auroc_without_pneumonia_hernia=_mean_auroc(common, drawn),
        mean_average_precision=_biased_mean(findings, "average_precision"),
        mean_ece=_biased_mean(findings, "ece"),
        mean_ece_if_calibrated=scoring.mean(x.finding.ece_if_calibrated for x in findings),
        mean_brier=scoring.mean(label.finding.brier for label in findings),
        accuracy_multi=scoring.accuracy_multi(
            sample.targets, sample.probabilities, config.accuracy_threshold
        ),
        accuracy_threshold=config.accuracy_threshold,
        baselines=Baselines(
            predict_nothing=baselines.predict_nothing(sample.targets),
            always_no_finding=baselines.always_no_finding(sample.targets),
            metadata_only_mean_auroc=metadata_only,
        ),
        findings={label: found.finding for label, found in labels.items()},
        subgroups=groups,
    )


def _label(
    sample: Sample,
    k: int,
    stated: np.ndarray,
    share: float,
    threshold: float | None,
    drawn: Resamples,
) -> _Label:
    """The metrics of label number k.

    Args:
        stated: Its probabilities [N] where `share` of the images carries it.
    """
    target, score = sample.targets[:, k], sample.probabilities[:, k]
    positive = target.astype(bool)
    patients = min(drawn.patients(positive), drawn.patients(~positive))
    auroc, average_precision = bootstrap.ranking(drawn, target, score)
    ece = bootstrap.calibration_error(drawn, target, stated, share)
    ppv, npv = None, None
    if threshold is not None:
        ppv, npv = scoring.predictive_values(target, score >= threshold)
    finding = Finding(
        positives=int(positive.sum()),
        auroc=bootstrap.estimate(auroc, patients),
        average_precision=bootstrap.estimate(average_precision, patients),
        threshold=threshold,
        as_measured=AsMeasured(
            share=float(target.mean()),
            brier=scoring.brier(target, score),
            ece=scoring.ece(target, score),
            ppv=ppv,
            npv=npv,
        ),
        **_calibration(target, score, stated, share, k, ece, patients),
        **_flags(drawn, positive, score, threshold, share),
    )
    finding = finding.model_copy(update={"why": _why(positive, finding)})
    return _Label(finding, patients, auroc, average_precision, ece)


def _calibration(
    target: np.ndarray,
    score: np.ndarray,
    stated: np.ndarray,
    share: float,
    seed: int,
    ece: np.ndarray,
    patients: int,
) -> dict[str, Any]:
    """Brier score, reliability and calibration error of one label at a stated share."""
    weights = scoring.restating_weights(target, share)
    if weights is None:
        return {}
    ci95 = bootstrap.basic_interval(ece) if patients > 1 else None
    return {
        "brier": scoring.brier(target, stated, weights),
        "ece": Estimate(value=float(ece[0]), ci95=ci95),
        "ece_if_calibrated": bootstrap.error_if_calibrated(score, share, seed),
        "reliability": scoring.reliability(target, stated, weights),
    }


def _flags(
    drawn: Resamples,
    positive: np.ndarray,
    score: np.ndarray,
    threshold: float | None,
    share: float,
) -> dict[str, Any]:
    """Sensitivity and specificity, and PPV and NPV where `share` of the images is positive."""
    if threshold is None:
        return {}
    flagged = score >= threshold
    found = bootstrap.share(drawn, flagged & positive, positive)
    spared = bootstrap.share(drawn, ~flagged & ~positive, ~positive)
    sensitivity = bootstrap.estimate(found, drawn.patients(positive))
    specificity = bootstrap.estimate(spared, drawn.patients(~positive))
    return {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": _predictive_value(found, spared, share, sensitivity, specificity),
        "npv": _predictive_value(spared, found, 1 - share, specificity, sensitivity),
    }


def _predictive_value(
    right: np.ndarray,
    other_right: np.ndarray,
    share: float,
    one: Estimate | None,
    other: Estimate | None,
) -> Estimate | None:
    """The share of right predictions among all predictions of one class.

    Where all resamples agree, as without a false flag, the ends of the two intervals give those of
    the value, because Wilson's interval does not know the stated share.

    Args:
        right: Share of the class that is predicted rightly, [1 + B].
        other_right: The same of the other class.
        share: The class's share of all images.
        one: `right` with its interval.
        other: `other_right` with its interval.
    """
    found = bootstrap.estimate(_bayes(right, other_right, share), patients=2)
    if found is None or found.ci95 is None or not (one and one.ci95 and other and other.ci95):
        return found
    if found.value not in (0.0, 1.0):
        return found
    low, high = (
        float(_bayes(np.array(one.ci95[end]), np.array(other.ci95[end]), share)) for end in (0, 1)
    )
    return Estimate(value=found.value, ci95=(min(found.value, low), max(found.value, high)))


def _bayes(right: np.ndarray, other_right: np.ndarray, share: float) -> np.ndarray:
    """PPV from sensitivity, specificity and share; NaN if nothing is predicted."""
    true, false = share * right, (1 - share) * (1 - other_right)
    predicted = true + false
    nan = np.full(np.shape(predicted), np.nan)
    return np.divide(true, predicted, out=nan, where=predicted > 0)


def _why(positive: np.ndarray, finding: Finding) -> str:
    """Why metrics are None."""
    reasons = []
    if not positive.any():
        reasons.append("no test image carries it")
    elif positive.all():
        reasons.append("every test image carries it")
    elif finding.auroc is None or finding.auroc.ci95 is None:
        reasons.append("too few patients carry it, or lack it, for an interval")
    if finding.threshold is None:
        reasons.append("it is never flagged")
    elif finding.as_measured.ppv is None:
        reasons.append("no test image was flagged")
    elif finding.as_measured.npv is None:
        reasons.append("every test image was flagged")
    return "; ".join(reasons)


def _notes(
    sample: Sample,
    labels: dict[str, _Label],
    train: tuple[pd.DataFrame, np.ndarray] | None,
    metadata_only: float | None,
) -> list[str]:
    """Sentences about what could not be measured on these images."""
    notes = []
    positives = {label: labels[label].finding.positives for label in FINDINGS}
    missing = [label for label, count in positives.items() if not count]
    full = [label for label, count in positives.items() if count == len(sample.table)]
    if len(missing) == len(FINDINGS):
        notes.append("No image carries a finding, so only specificity could be measured.")
    elif missing:
        notes.append(f"No image carries {_listed(missing)}: no metric compares images with it.")
    if full:
        notes.append(f"Every image carries {_listed(full)}: no metric compares images without it.")
    if sample.table["patient"].nunique() == 1:
        notes.append("All images are of one patient: intervals say nothing about other patients.")
    if not baselines.known(sample.table):
        notes.append("Sex, age and view are unknown, so what they alone reach was not measured.")
    elif metadata_only is None:
        notes.append("What sex, age and view alone reach could not be measured.")
    elif train is None:
        notes.append(
            "What sex, age and view alone reach was learned on the other patients of these images "
            f"({baselines.FOLDS}-fold cross-validation), not on the model's training images."
        )
    return notes


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _metadata_only(sample: Sample, train: tuple[pd.DataFrame, np.ndarray] | None) -> float | None:
    if train is None:
        return baselines.metadata_only_mean_auroc_cross_validated(sample.table, sample.targets)
    return baselines.metadata_only_mean_auroc(*train, sample.table, sample.targets)


def _mean_auroc(findings: Sequence[_Label], drawn: Resamples) -> Estimate | None:
    moved = _mean(findings, "auroc")
    return None if moved is None else bootstrap.estimate(moved.clip(0, 1), drawn.patients())


def _biased_mean(findings: Sequence[_Label], name: str) -> Estimate | None:
    """A mean of metrics that are too large where positives are few."""
    moved = _mean(findings, name)
    if moved is None:
        return None
    return Estimate(value=float(moved[0]), ci95=bootstrap.basic_interval(moved))


def _mean(findings: Sequence[_Label], name: str) -> np.ndarray | None:
    """Mean of a metric over the findings where it is defined, [1 + B].

    The spread comes from the findings of more than one patient. One patient, who has all images
    of a class, says nothing about the spread between patients.
    """
    value = scoring.mean(x.value for x in (getattr(f.finding, name) for f in findings) if x)
    if value is None:
        return None
    spread = [getattr(found, name) for found in findings if found.patients > 1]
    resampled = bootstrap.mean(spread) if spread else np.full(1 + bootstrap.RESAMPLES, np.nan)
    moved = resampled + (value - resampled[0])
    moved[0] = value
    return moved
