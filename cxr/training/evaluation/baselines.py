"""What answers that never look at the film reach: the floor under every figure."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from cxr.training.evaluation import metrics
from cxr_labels import FINDINGS, LABELS, NO_FINDING

FOLDS = 5


def predict_nothing(targets: np.ndarray) -> float:
    """accuracy_multi of calling no label at all. targets: [N, 15]."""
    return float(1 - targets.mean())


def always_no_finding(targets: np.ndarray) -> float:
    """accuracy_multi of calling "No Finding" on every film. targets: [N, 15]."""
    answer = np.array([label == NO_FINDING for label in LABELS])
    return float((targets.astype(bool) == answer).mean())


def metadata_only_mean_auroc(
    train: pd.DataFrame, train_targets: np.ndarray, test: pd.DataFrame, test_targets: np.ndarray
) -> float | None:
    """Mean AUROC over the 14 findings of a logistic regression on sex, age and view.

    train, test: tables with the columns sex, age and view. None when it is defined for none.
    """
    scores = _scores(train, train_targets, test)
    return _mean_auroc(test_targets, scores, _both_classes(train_targets))


def metadata_only_mean_auroc_cross_validated(
    table: pd.DataFrame, targets: np.ndarray
) -> float | None:
    """The same where no training films are at hand: learned on the other patients.

    table: columns patient, sex, age and view. Each film is scored by a regression on the films
    of four fifths of the patients, its own not among them. None with fewer than two patients.
    """
    patients = table["patient"].to_numpy()
    folds = min(FOLDS, len(np.unique(patients)))
    if folds < 2:
        return None
    scores = np.zeros(targets.shape)
    for others, held in GroupKFold(folds).split(targets, groups=patients):
        scores[held] = _scores(table.iloc[others], targets[others], table.iloc[held])
    return _mean_auroc(targets, scores, _both_classes(targets))


def _scores(train: pd.DataFrame, targets: np.ndarray, test: pd.DataFrame) -> np.ndarray:
    """Probabilities [N, 15] of the test films; the training share where it has but one class."""
    seen, unseen = _features(train, train), _features(test, train)
    scores = np.tile(targets.mean(0).astype(np.float64), (len(test), 1))
    for k in np.flatnonzero(_both_classes(targets)):
        model = LogisticRegression(max_iter=1000).fit(seen, targets[:, k])
        scores[:, k] = model.predict_proba(unseen)[:, 1]
    return scores


def _mean_auroc(targets: np.ndarray, scores: np.ndarray, learned: np.ndarray) -> float | None:
    return metrics.mean(
        metrics.auroc(targets[:, k], scores[:, k])
        for k, label in enumerate(LABELS)
        if label in FINDINGS and learned[k]
    )


def _both_classes(targets: np.ndarray) -> np.ndarray:
    return targets.min(0) < targets.max(0)


def _features(table: pd.DataFrame, train: pd.DataFrame) -> np.ndarray:
    """Sex, view, age and its square; what is unknown takes the training set's mean."""
    age = train.age.astype(float)
    middle, spread = (age.mean(), age.std()) if age.notna().sum() > 1 else (0.0, 1.0)
    years = ((table.age.astype(float) - middle) / (spread or 1.0)).fillna(0.0).to_numpy()
    columns = [
        _indicator(table.sex, "M"),
        _indicator(table["view"], "AP"),
        years,
        years**2,
    ]
    return np.stack(columns, 1)


def _indicator(column: pd.Series, value: str) -> np.ndarray:
    return np.where(column.isna(), 0.5, column == value).astype(float)
