"""Predictions that never use the image."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from support.samples import images_of

from cxr.evaluation import baselines
from cxr_labels import LABELS, NO_FINDING


def test_constant_answers_are_counted_right():
    """Predicting nothing errs once a label; always "No Finding" gains its images, loses others."""
    targets = np.zeros((4, len(LABELS)), np.uint8)
    targets[:3, LABELS.index(NO_FINDING)] = 1
    targets[3, :2] = 1
    assert baselines.predict_nothing(targets) == pytest.approx(1 - 5 / 60)
    assert baselines.always_no_finding(targets) == pytest.approx(1 - 3 / 60)


def test_metadata_alone_finds_what_depends_on_it():
    """A finding that follows the view is found from the view; one that does not is not."""
    rng = np.random.default_rng(0)
    table = images_of(rng, 800)
    targets = np.zeros((800, len(LABELS)), np.uint8)
    targets[:, 0] = (table["view"] == "AP") & (rng.random(800) < 0.8)
    with_view = baselines.metadata_only_mean_auroc(table, targets, table, targets)
    crossed = baselines.metadata_only_mean_auroc_cross_validated(table, targets)
    targets[:, 0] = rng.random(800) < 0.4
    without = baselines.metadata_only_mean_auroc(
        table[:400], targets[:400], table[400:], targets[400:]
    )
    assert with_view is not None
    assert with_view > 0.85
    assert crossed == pytest.approx(with_view, abs=0.03)
    assert without is not None
    assert abs(without - 0.5) < 0.1


def test_cross_validated_baseline_learns_from_other_patients():
    """A finding that only a patient's own other images could give away is not found."""
    rng = np.random.default_rng(0)
    table = images_of(rng, 200)
    table["age"] = (table["patient"] * 37 % 97).astype(float)  # tells patients apart
    targets = np.zeros((200, len(LABELS)), np.uint8)
    targets[:, 0] = rng.integers(0, 2, 100)[table["patient"]]
    found = baselines.metadata_only_mean_auroc_cross_validated(table, targets)
    assert found is not None
    assert abs(found - 0.5) < 0.15


def test_metadata_that_say_nothing_are_at_chance():
    """In patients unlike in how often they have a finding, equal metadata reach 0.5, not less."""
    rng = np.random.default_rng(0)
    table = images_of(rng, 200).assign(sex="F", view=None, age=np.nan)
    table["patient"] = np.arange(200) // 20
    targets = np.zeros((200, len(LABELS)), np.uint8)
    targets[:, :14] = rng.random((200, 14)) < rng.random((10, 14))[table["patient"]]
    crossed = baselines.metadata_only_mean_auroc_cross_validated(table, targets)
    assert crossed == pytest.approx(0.5)
    assert baselines.metadata_only_mean_auroc(table, targets, table, targets) == pytest.approx(0.5)


def features(table, train):
    """Sex, view, age in units of the training set and its square; unknown values in the middle."""
    sex = table["sex"].map({"M": 1.0, "F": 0.0}).fillna(0.5)
    view = table["view"].map({"AP": 1.0, "PA": 0.0}).fillna(0.5)
    age = ((table["age"] - train["age"].mean()) / train["age"].std()).fillna(0.0)
    return np.column_stack([sex, view, age, age**2])


def images_by_metadata(seed, count):
    """Images with findings by sex, view and age, some of whose metadata are unknown."""
    rng = np.random.default_rng(seed)
    table = images_of(rng, count)
    middle = (table["age"] - 55).abs() < 20
    chances = [table["sex"] == "M", table["view"] == "AP", table["age"] > 60, middle]
    targets = np.zeros((count, len(LABELS)), np.uint8)
    for k, likely in enumerate(chances):
        targets[:, k] = rng.random(count) < np.where(likely, 0.7, 0.2)
    targets[:, -1] = table["sex"] == "M"  # no finding, so not in the mean
    for column in ("sex", "view", "age"):
        table.loc[rng.random(count) < 0.2, column] = None
    return table, targets


def test_metadata_alone_are_a_regression_on_sex_view_age_and_its_square():
    """A finding that training lacks, and "No Finding", do not count in the mean."""
    (train, learned), (test, asked) = images_by_metadata(0, 300), images_by_metadata(1, 250)
    asked[::3, 5] = 1
    expected = []
    for k in range(4):
        model = LogisticRegression(max_iter=1000).fit(features(train, train), learned[:, k])
        score = model.predict_proba(features(test, train))[:, 1]
        expected.append(roc_auc_score(asked[:, k], score))
    found = baselines.metadata_only_mean_auroc(train, learned, test, asked)
    assert found == pytest.approx(np.mean(expected), abs=1e-6)
    unknown = test.assign(sex=None, view=None, age=np.nan)
    assert baselines.metadata_only_mean_auroc(train, learned, unknown, asked) is None
    some = baselines.metadata_only_mean_auroc(train.assign(age=np.nan), learned, test, asked)
    assert some is not None


def test_cross_validation_compares_all_pairs_within_five_folds_of_patients():
    """The share of pairs of a positive and a negative of one fold that are in the right order."""
    table, targets = images_by_metadata(0, 150)
    expected = []
    for k in range(4):
        right, pairs = 0.0, 0
        for others, held in GroupKFold(5).split(targets, groups=table["patient"]):
            train = table.iloc[others]
            model = LogisticRegression(max_iter=1000)
            model.fit(features(train, train), targets[others, k])
            score = model.predict_proba(features(table.iloc[held], train))[:, 1]
            carried = targets[held, k] == 1
            apart = score[carried][:, None] - score[~carried][None]
            right += (apart > 1e-12).sum() + (np.abs(apart) <= 1e-12).sum() / 2
            pairs += apart.size
        expected.append(right / pairs)
    found = baselines.metadata_only_mean_auroc_cross_validated(table, targets)
    assert found == pytest.approx(np.mean(expected), abs=1e-3)
    one = table.assign(patient=7)
    assert baselines.metadata_only_mean_auroc_cross_validated(one, targets) is None
