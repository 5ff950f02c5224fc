"""What answers that never look at the image reach: the floor under every figure."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from cxr.evaluation import metrics
from cxr_labels import FINDINGS, LABELS, NO_FINDING

FOLDS = 5
ENOUGH = 200  # training images from which on they teach more than the measured images


def predict_nothing(targets: np.ndarray) -> float:
    """accuracy_multi of calling no label at all. targets: [N, 15]."""
    return float(1 - targets.mean())


def always_no_finding(targets: np.ndarray) -> float:
    """accuracy_multi of calling "No Finding" on every image. targets: [N, 15]."""
    answer = np.array([label == NO_FINDING for label in LABELS])
    return float((targets.astype(bool) == answer).mean())


def metadata_only_mean_auroc(
    train: pd.DataFrame, train_targets: np.ndarray, test: pd.DataFrame, test_targets: np.ndarray
) -> float | None:
    """Mean AUROC over the 14 findings of a logistic regression on sex, age and view.

    train, test: tables with the columns sex, age and view. None when it is defined for none, or
    nothing is known of the test images.
    """
    if not known(test):
        return None
    scores, learned = _scores(train, train_targets, test), _both_classes(train_targets)
    return metrics.mean(
        metrics.auroc(test_targets[:, k], scores[:, k])
        for k, label in enumerate(LABELS)
        if label in FINDINGS and learned[k]
    )


def metadata_only_mean_auroc_cross_validated(
    table: pd.DataFrame, targets: np.ndarray
) -> float | None:
    """The same without training images: learned on the other patients.

    table: columns patient, sex, age and view. Each image is scored by a regression on the images
    of four fifths of the patients, its own not among them, and compared with those of its fold
    only: where a fold has more positives than most, the others have fewer, so that scores of
    different folds rank images the wrong way round (Parker, Guenter and Bedo, "Stratification bias
    in low signal microarray studies", 2007). A finding's AUROC is the mean over its folds, each
    counting by its pairs of a positive and a negative. None as above, and with fewer than two
    patients.
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
            ordered[k] += weights[k] * (metrics.auroc(targets[held, k], scores[:, k]) or 0.0)
            pairs[k] += weights[k]
    return metrics.mean(
        ordered[k] / pairs[k]
        for k, label in enumerate(LABELS)
        if label in FINDINGS and pairs[k] > 0
    )


def known(table: pd.DataFrame) -> bool:
    """Whether the sex, the age or the view of any image is known."""
    return bool(table[["sex", "age", "view"]].notna().to_numpy().any())


def _scores(train: pd.DataFrame, targets: np.ndarray, test: pd.DataFrame) -> np.ndarray:
    """Probabilities [N, 15] of the test images; the training share where it has but one class."""
    seen, unseen = _features(train, train), _features(test, train)
    scores = np.tile(targets.mean(0).astype(np.float64), (len(test), 1))
    # On four columns the threads of the linear algebra wait for each other ten times as long as
    # one of them works.
    with threadpool_limits(1):
        for k in np.flatnonzero(_both_classes(targets)):
            model = LogisticRegression(max_iter=1000).fit(seen, targets[:, k])
            scores[:, k] = model.predict_proba(unseen)[:, 1]
    return scores


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
