"""What answers that never look at the film reach: the floor under every figure."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from cxr.training.evaluation import metrics
from cxr_labels import FINDINGS, LABELS, NO_FINDING


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
    seen, unseen = _features(train, train), _features(test, train)
    figures = []
    for k, label in enumerate(LABELS):
        if label in FINDINGS and 0 < train_targets[:, k].sum() < len(train):
            model = LogisticRegression(max_iter=1000).fit(seen, train_targets[:, k])
            figures.append(metrics.auroc(test_targets[:, k], model.predict_proba(unseen)[:, 1]))
    return metrics.mean(figures)


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
