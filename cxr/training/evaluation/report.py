"""Puts every figure of a model on the test films into one dict: metrics.json."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxr.training.evaluation import baselines, bootstrap, metrics, thresholds
from cxr_labels import FINDINGS, LABELS


@dataclass(frozen=True)
class Predicted:
    """Films of one set: their table rows (nih.NihData.table), targets and probabilities [N, 15].

    The probabilities are those at the training prevalence.
    """

    table: pd.DataFrame
    targets: np.ndarray
    probabilities: np.ndarray


def measure(
    test: Predicted,
    valid: Predicted,
    train_table: pd.DataFrame,
    train_targets: np.ndarray,
    chosen: dict[str, float],
    split: str,
) -> dict[str, Any]:
    """metrics.json of the test films. chosen: thresholds {finding: p} picked on `valid`."""
    weights = bootstrap.patient_weights(test.table.patient.to_numpy())
    resampled = {
        label: bootstrap.aurocs(test.targets[:, k], test.probabilities[:, k], weights)
        for k, label in enumerate(LABELS)
    }
    findings = {
        label: _of_label(test, label, chosen.get(label), resampled[label]) for label in LABELS
    }
    _, _, threshold = thresholds.accuracy_curve(valid.targets, valid.probabilities)
    common = [label for label in FINDINGS if label not in ("Pneumonia", "Hernia")]
    return {
        "n_images": len(test.table),
        "n_patients": int(test.table.patient.nunique()),
        "split": split,
        "prevalence": "training",
        "findings": findings,
        "mean_auroc": metrics.mean(findings[label]["auroc"] for label in FINDINGS),
        "mean_auroc_ci95": _mean_interval(resampled, FINDINGS),
        "mean_auroc_without_pneumonia_hernia": metrics.mean(
            findings[label]["auroc"] for label in common
        ),
        "mean_auroc_without_pneumonia_hernia_ci95": _mean_interval(resampled, common),
        "accuracy_multi": metrics.accuracy_multi(test.targets, test.probabilities, threshold),
        "accuracy_threshold": threshold,
        "baselines": {
            "predict_nothing": baselines.predict_nothing(test.targets),
            "always_no_finding": baselines.always_no_finding(test.targets),
            "metadata_only_mean_auroc": baselines.metadata_only_mean_auroc(
                train_table, train_targets, test.table, test.targets
            ),
        },
    }


def _of_label(
    test: Predicted, label: str, threshold: float | None, resampled: np.ndarray
) -> dict[str, Any]:
    k = LABELS.index(label)
    target, probability = test.targets[:, k], test.probabilities[:, k]
    figures: dict[str, Any] = {
        "positives": int(target.sum()),
        "auroc": metrics.auroc(target, probability),
        "auroc_ci95": bootstrap.interval(resampled),
        "average_precision": metrics.average_precision(target, probability),
        "brier": metrics.brier(target, probability),
        "threshold": threshold,
    }
    if threshold is None:
        figures |= {"sensitivity": None, "specificity": None, "ppv": None}
    else:
        figures |= metrics.operating_point(target, probability, threshold)
    why = _why(target, threshold, figures)
    return figures | ({"why": why} if why else {})


def _why(target: np.ndarray, threshold: float | None, figures: dict[str, Any]) -> str:
    """Why figures are None."""
    reasons = []
    if not target.any():
        reasons.append("no test film carries it")
    if target.all():
        reasons.append("every test film carries it")
    if target.any() and not target.all() and figures["auroc_ci95"] is None:
        reasons.append("too few patients carry it for an interval")
    if threshold is None:
        reasons.append("it is never flagged")
    elif figures["ppv"] is None:
        reasons.append("no test film was flagged")
    return "; ".join(reasons)


def _mean_interval(resampled: dict[str, np.ndarray], labels) -> list[float] | None:
    stacked = np.stack([resampled[label] for label in labels])
    defined = np.isfinite(stacked)
    counts = defined.sum(0)
    sums = np.where(defined, stacked, 0.0).sum(0)
    return bootstrap.interval(
        np.divide(sums, counts, np.full(len(counts), np.nan), where=counts > 0)
    )
