"""Puts every figure of a model on a set of images into one dict: metrics.json.

Two kinds of figures hold at any prevalence: how images are ranked (AUROC, though not average
precision) and what is flagged of either class (sensitivity, specificity). The others belong to
one: they are given at NIH's, with probabilities shifted to it and images weighted so that each
label has that share, and as measured, at the training prevalence with every image counted once.
The weighting takes images of a class to look alike at both prevalences (Saerens, Latinne and
Decaestecker 2002), which choosing images for their boxes violates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from cxr import machine
from cxr.evaluation import baselines, bootstrap, metrics, subgroups
from cxr.evaluation.bootstrap import CalibrationError, Resamples
from cxr.inference.prevalence import NIH, restate, shares_at
from cxr.model.config import Config
from cxr_labels import FINDINGS, LABELS

_RARE_OR_NOISY = ("Pneumonia", "Hernia")  # left out of the second mean
_SHARES = ("sensitivity", "specificity", "ppv", "npv")


@dataclass(frozen=True)
class Predicted:
    """Images of one set: their table rows (nih.NihData.table), targets and probabilities [N, 15].

    The probabilities are those at the training prevalence.
    """

    table: pd.DataFrame
    targets: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class _Label:
    """One label's part of metrics.json, and what means over labels and their intervals need.

    patients: with the label or without it, whichever are fewer.
    """

    figures: dict[str, Any]
    patients: int
    reliability: list[dict[str, float]]
    aurocs: np.ndarray
    precision_on_others: np.ndarray | None
    ece: CalibrationError | None


def measure(
    test: Predicted,
    config: Config,
    split: str,
    train: tuple[pd.DataFrame, np.ndarray] | None,
    accuracy_threshold: float,
) -> dict[str, Any]:
    """metrics.json of the images, all but localisation and input check.

    config: its thresholds and prevalences count; its calibration is in the probabilities already.
    split: how the images were set apart. train: table and targets of the training images, for the
    baseline from sex, age and view, which is cross-validated where they are None or fewer than
    `baselines.ENOUGH`. accuracy_threshold: the one that validation chose for all labels. Raises
    ValueError without an image.
    """
    if not len(test.table):
        raise ValueError("No image is left to be measured.")
    drawn = bootstrap.draw(test.table["patient"].to_numpy())
    shares, stated = shares_at(config, NIH), restate(config, test.probabilities, NIH)

    def measured(k: int) -> _Label:
        threshold = config.thresholds.get(LABELS[k])
        return _measure_label(test, k, stated[:, k], shares[k], threshold, drawn)

    places = range(len(LABELS))
    labels = dict(zip(LABELS, machine.in_threads(measured, places), strict=True))
    groups, notes = subgroups.measure(
        test.table, test.targets, test.probabilities, config.thresholds, drawn
    )
    if train is not None and len(train[0]) < baselines.ENOUGH:
        train = None
    floor = _metadata_only(test, train)
    findings = [labels[label] for label in FINDINGS]
    common = [labels[label] for label in FINDINGS if label not in _RARE_OR_NOISY]
    return {
        "n_images": len(test.table),
        "n_patients": drawn.patients(),
        "split": split,
        "prevalence": NIH,
        "notes": [*_notes(test, labels, train, floor), *notes],
        "findings": {label: found.figures for label, found in labels.items()},
        **_mean_auroc(findings, "mean_auroc", drawn),
        "mean_of": sum(found.figures["auroc"] is not None for found in findings),
        **_mean_auroc(common, "mean_auroc_without_pneumonia_hernia", drawn),
        **_mean_average_precision(findings),
        **_mean_ece(findings),
        "mean_brier": metrics.mean(found.figures["brier"] for found in findings),
        "accuracy_multi": metrics.accuracy_multi(
            test.targets, test.probabilities, accuracy_threshold
        ),
        "accuracy_threshold": accuracy_threshold,
        "baselines": {
            "predict_nothing": baselines.predict_nothing(test.targets),
            "always_no_finding": baselines.always_no_finding(test.targets),
            "metadata_only_mean_auroc": floor,
        },
        "reliability": {label: found.reliability for label, found in labels.items()},
        "subgroups": groups,
    }


def _measure_label(
    test: Predicted,
    k: int,
    stated: np.ndarray,
    share: float,
    threshold: float | None,
    drawn: Resamples,
) -> _Label:
    """k: place of the label. stated: its probabilities [N] where `share` of the images has it."""
    target, score = test.targets[:, k], test.probabilities[:, k]
    positive = target.astype(bool)
    smaller = min(drawn.patients(positive), drawn.patients(~positive))
    aurocs, precisions = bootstrap.ranking(drawn, target, score)
    weights = metrics.restating_weights(target, share)
    figures: dict[str, Any] = {
        "positives": int(positive.sum()),
        **_named("auroc", bootstrap.estimate(aurocs, smaller)),
        **_named("average_precision", bootstrap.estimate(precisions, smaller)),
    }
    reliability: list[dict[str, float]] = []
    ece = None
    if weights is None:
        figures |= {"brier": None, "ece": None, "ece_ci95": None, "ece_if_calibrated": None}
    else:
        reliability = metrics.reliability(target, stated, weights)
        chance = bootstrap.errors_if_calibrated(score, share, seed=k)
        ece = bootstrap.calibration_error(drawn, target, stated, share, chance)
        figures["brier"] = metrics.brier(target, stated, weights)
        figures |= _named("ece", (ece.value, ece.interval() if smaller > 1 else None))
        figures["ece_if_calibrated"] = ece.if_calibrated()
    figures["threshold"] = threshold
    as_measured = {
        "share": float(target.mean()),
        "brier": metrics.brier(target, score),
        "ece": metrics.ece(target, score),
        "ppv": None,
        "npv": None,
    }
    if threshold is None:
        figures |= dict.fromkeys([key for name in _SHARES for key in (name, f"{name}_ci95")])
    else:
        figures |= _operating_point(drawn, positive, score >= threshold, share)
        point = metrics.operating_point(target, score, threshold)
        as_measured |= {name: point[name] for name in ("ppv", "npv")}
    figures["as_measured"] = as_measured
    why = _why(positive, threshold, figures)
    others = None  # of "No Finding", which has no part in the mean that needs it
    if LABELS[k] in FINDINGS:
        others = bootstrap.precision_on_others(drawn, target, score)
    figures |= {"why": why} if why else {}
    return _Label(figures, smaller, reliability, aurocs, others, ece)


def _operating_point(
    drawn: Resamples, positive: np.ndarray, flagged: np.ndarray, share: float
) -> dict[str, Any]:
    """Sensitivity, specificity, and PPV and NPV where `share` of the images is positive."""
    found = bootstrap.share(drawn, flagged & positive, positive)
    spared = bootstrap.share(drawn, ~flagged & ~positive, ~positive)
    sensitivity = bootstrap.estimate(found, drawn.patients(positive))
    specificity = bootstrap.estimate(spared, drawn.patients(~positive))
    return {
        **_named("sensitivity", sensitivity),
        **_named("specificity", specificity),
        **_named("ppv", _predictive_value(found, spared, share, sensitivity, specificity)),
        **_named("npv", _predictive_value(spared, found, 1 - share, specificity, sensitivity)),
    }


_Estimate = tuple[float | None, list[float] | None]


def _predictive_value(
    right: np.ndarray, other_right: np.ndarray, share: float, one: _Estimate, other: _Estimate
) -> _Estimate:
    """Share of a call's images that are called rightly, and its interval.

    right: share of the class rightly called, [1 + B]; other_right: of the other class. share: of
    the class among all images. one, other: the two with intervals. Where all resamples agree, as
    without a false call, the ends of the two intervals give those of the value, because Wilson's
    interval does not know of the stated share.
    """
    value, interval = bootstrap.estimate(_bayes(right, other_right, share), patients=2)
    if value is None or interval is None or one[1] is None or other[1] is None:
        return value, interval
    if value in (0.0, 1.0):
        low, high = (_bayes(np.array(one[1][i]), np.array(other[1][i]), share) for i in (0, 1))
        interval = [min(value, float(low)), max(value, float(high))]
    return value, interval


def _bayes(right: np.ndarray, other_right: np.ndarray, share: float) -> np.ndarray:
    """Positive predictive value from sensitivity, specificity and share; nan if none is called."""
    true, false = share * right, (1 - share) * (1 - other_right)
    called = true + false
    return np.divide(true, called, out=np.full(np.shape(called), np.nan), where=called > 0)


def _why(positive: np.ndarray, threshold: float | None, figures: dict[str, Any]) -> str:
    """Why figures are None."""
    reasons = []
    if not positive.any():
        reasons.append("no test image carries it")
    if positive.all():
        reasons.append("every test image carries it")
    if positive.any() and not positive.all() and figures["auroc_ci95"] is None:
        reasons.append("too few patients carry it, or lack it, for an interval")
    if threshold is None:
        reasons.append("it is never flagged")
    elif figures["as_measured"]["ppv"] is None:
        reasons.append("no test image was flagged")
    elif figures["as_measured"]["npv"] is None:
        reasons.append("every test image was flagged")
    return "; ".join(reasons)


def _notes(
    test: Predicted,
    labels: dict[str, _Label],
    train: tuple[pd.DataFrame, np.ndarray] | None,
    floor: float | None,
) -> list[str]:
    """What could not be measured on these images, in sentences."""
    notes = []
    positives = {label: labels[label].figures["positives"] for label in FINDINGS}
    missing = [label for label, count in positives.items() if not count]
    full = [label for label, count in positives.items() if count == len(test.table)]
    if len(missing) == len(FINDINGS):
        notes.append("No image carries a finding, so only specificity could be measured.")
    elif missing:
        notes.append(f"No image carries {_listed(missing)}: no figure compares images with it.")
    if full:
        notes.append(f"Every image carries {_listed(full)}: no figure compares images without it.")
    if test.table["patient"].nunique() == 1:
        notes.append("All images are of one patient: intervals say nothing of other patients.")
    if not baselines.known(test.table):
        notes.append("Sex, age and view are unknown, so what they alone reach was not measured.")
    elif floor is None:
        notes.append("What sex, age and view alone reach could not be measured.")
    elif train is None:
        notes.append(
            "What sex, age and view alone reach was learned on the other patients of these images "
            f"({baselines.FOLDS}-fold cross-validation), not on the model's training images."
        )
    return notes


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _metadata_only(test: Predicted, train: tuple[pd.DataFrame, np.ndarray] | None) -> float | None:
    if train is None:
        return baselines.metadata_only_mean_auroc_cross_validated(test.table, test.targets)
    return baselines.metadata_only_mean_auroc(*train, test.table, test.targets)


def _mean_auroc(findings: Sequence[_Label], name: str, drawn: Resamples) -> dict[str, Any]:
    """Mean over the findings with a value, and its interval from those that have a spread."""
    value = metrics.mean(found.figures["auroc"] for found in findings)
    spread = [found.aurocs for found in findings if _has_spread(found)]
    if value is None or not spread:
        return _named(name, (value, None))
    resampled = bootstrap.mean(spread)
    moved = np.clip(resampled + (value - resampled[0]), 0.0, 1.0)
    return _named(name, bootstrap.estimate(moved, drawn.patients()))


def _mean_average_precision(findings: Sequence[_Label]) -> dict[str, Any]:
    value = metrics.mean(found.figures["average_precision"] for found in findings)
    others = [found.precision_on_others for found in findings if _has_spread(found)]
    spread = [figure for figure in others if figure is not None and np.isfinite(figure[0])]
    interval = bootstrap.interval(bootstrap.mean(spread)[1:]) if spread else None
    if value is not None and interval is not None:
        # The value has a bias that its interval has not, and may lie above it.
        interval = [min(value, interval[0]), max(value, interval[1])]
    return _named("mean_average_precision", (value, interval))


def _mean_ece(findings: Sequence[_Label]) -> dict[str, Any]:
    defined = [found.ece for found in findings if found.ece is not None]
    if not defined:
        return {**_named("mean_ece", (None, None)), "mean_ece_if_calibrated": None}
    mean, interval = CalibrationError.mean(defined), None
    spread = [found.ece for found in findings if found.ece is not None and _has_spread(found)]
    if spread:
        resampled = CalibrationError.mean(spread)
        interval = replace(mean, noise=resampled.noise, error=resampled.error).interval()
    return {
        **_named("mean_ece", (mean.value, interval)),
        "mean_ece_if_calibrated": mean.if_calibrated(),
    }


def _has_spread(found: _Label) -> bool:
    """One patient, who has all images of a class, says nothing of the spread between patients."""
    return found.patients > 1


def _named(name: str, estimate: _Estimate) -> dict[str, Any]:
    return {name: estimate[0], f"{name}_ci95": estimate[1]}
