"""What predictions reach that never use the image: the floor under every metric."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from cxr.evaluation import scoring
from cxr_labels import FINDINGS, LABELS, NO_FINDING

FOLDS = 5
ENOUGH = 200  # with fewer training images, the measured ones teach more


def predict_nothing(targets: np.ndarray) -> float:
    """accuracy_multi of predicting no label at all. targets: [N, 15]."""
    return float(1 - targets.mean())


def always_no_finding(targets: np.ndarray) -> float:
    """accuracy_multi of predicting "No Finding" for every image. targets: [N, 15]."""
    answer = np.array([label == NO_FINDING for label in LABELS])
    return float((targets.astype(bool) == answer).mean())


def metadata_only_mean_auroc(
    train: pd.DataFrame, train_targets: np.ndarray, test: pd.DataFrame, test_targets: np.ndarray
) -> float | None:
    """Mean AUROC over the 14 findings of a logistic regression on sex, age and view.

    Args:
        train: Columns sex, age and view, one row per training image.
        train_targets: 0 or 1, [M, 15].
        test: Likewise for the test images.
        test_targets: 0 or 1, [N, 15].

    Returns:
        None if it is defined for no finding, or nothing is known of the test images.
    """
    if not known(test):
        return None
    scores, learned = _scores(train, train_targets, test), _both_classes(train_targets)
    return scoring.mean(
        scoring.auroc(test_targets[:, k], scores[:, k])
        for k, label in enumerate(LABELS)
        if label in FINDINGS and learned[k]
    )


def metadata_only_mean_auroc_cross_validated(
    table: pd.DataFrame, targets: np.ndarray
) -> float | None:
    """The same without training images: learned on the other patients.

    Each image is scored by a regression on the images of four fifths of the patients, its own
    patient not among them. It is compared with images of its fold only: where a fold has more
    positives than most, the others have fewer, so scores of different folds rank images the wrong
    way round (Parker, Guenter and Bedo, "Stratification bias in low signal microarray studies",
    2007). A finding's AUROC is the mean over its folds, each weighted by its number of pairs of a
    positive and a negative.

    Args:
        table: Columns patient, sex, age and view, N rows.
        targets: 0 or 1, [N, 15].

    Returns:
        None as above, and with fewer than two patients.
    """
    patients = table["patient"].to_numpy()
    folds = min(FOLDS, len(np.unique(patients)))
    if folds < 2 or not known(table):
        return None
    ordered, pairs = np.zeros(len(LABELS)), np.zeros(len(LABELS))
    for others, held in GroupKFold(folds).split(targets, groups=patients):
        scores = _scores(table.iloc[others], targets[others], table.iloc[held])
        positives = targets[held].sum(0, dtype=np.int64)
        weights = positives * (len(held) - positives)
        for k in np.flatnonzero(_both_classes(targets[others]) & (weights > 0)):
            ordered[k] += weights[k] * (scoring.auroc(targets[held, k], scores[:, k]) or 0.0)
            pairs[k] += weights[k]
    return scoring.mean(
        ordered[k] / pairs[k]
        for k, label in enumerate(LABELS)
        if label in FINDINGS and pairs[k] > 0
    )


def known(table: pd.DataFrame) -> bool:
    """Whether the sex, the age or the view of any image is known."""
    return bool(table[["sex", "age", "view"]].notna().to_numpy().any())


def _scores(train: pd.DataFrame, targets: np.ndarray, test: pd.DataFrame) -> np.ndarray:
    """Probabilities [N, 15] of the test images; the training share for labels of one class only."""
    seen, unseen = _features(train, train), _features(test, train)
    scores = np.tile(targets.mean(0).astype(np.float64), (len(test), 1))
    # On four columns, threads of the linear algebra wait for each other ten times as long as they
    # work.
    with threadpool_limits(1):
        for k in np.flatnonzero(_both_classes(targets)):
            model = LogisticRegression(max_iter=1000).fit(seen, targets[:, k])
            scores[:, k] = model.predict_proba(unseen)[:, 1]
    return scores


def _both_classes(targets: np.ndarray) -> np.ndarray:
    return targets.min(0) < targets.max(0)


def _features(table: pd.DataFrame, train: pd.DataFrame) -> np.ndarray:
    """Sex, view, age and its square, [N, 4]; unknown values get the training set's mean."""
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
