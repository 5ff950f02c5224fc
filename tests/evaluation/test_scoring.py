"""Metrics of single labels: against scikit-learn, and where they are undefined."""

import numpy as np
import pytest
from sklearn import metrics as sklearn
from sklearn.calibration import calibration_curve
from support.samples import EXACT, SEEDS, some_images

from cxr.evaluation import scoring


@SEEDS
def test_ranking_is_that_of_scikit_learn(seed):
    """AUROC and average precision agree with scikit-learn's, ties included."""
    target, probability, _ = some_images(seed)
    assert scoring.auroc(target, probability) == pytest.approx(
        sklearn.roc_auc_score(target, probability), abs=EXACT
    )
    assert scoring.average_precision(target, probability) == pytest.approx(
        sklearn.average_precision_score(target, probability), abs=EXACT
    )


@SEEDS
def test_weighted_brier_is_that_of_scikit_learn(seed):
    """The Brier score agrees with scikit-learn's, with weights and without."""
    target, probability, weights = some_images(seed)
    for weight in (None, weights):
        expected = sklearn.brier_score_loss(target, probability, sample_weight=weight)
        assert scoring.brier(target, probability, weight) == pytest.approx(expected, abs=EXACT)


@SEEDS
def test_predictive_values_are_those_of_scikit_learn(seed):
    """PPV and NPV are the precision of either class; None where nothing is flagged, or all is."""
    target, probability, _ = some_images(seed)
    flagged = probability >= 0.4
    ppv, npv = scoring.predictive_values(target, flagged)
    assert ppv == pytest.approx(sklearn.precision_score(target, flagged), abs=EXACT)
    assert npv == pytest.approx(sklearn.precision_score(target, flagged, pos_label=0), abs=EXACT)
    assert scoring.predictive_values(target, flagged & False) == (None, 1 - target.mean())
    assert scoring.predictive_values(target, flagged | True) == (target.mean(), None)


def test_accuracy_predicts_at_the_threshold_as_flags_do():
    """A probability that equals the threshold is a prediction."""
    assert scoring.accuracy_multi(np.array([[1, 0]]), np.array([[0.5, 0.4]]), 0.5) == 1.0


@SEEDS
def test_bins_are_those_of_scikit_learn(seed):
    """Where images divide evenly into bins, they are scikit-learn's quantile bins."""
    rng = np.random.default_rng(seed)
    probability = rng.random(15 * 20)
    target = (rng.random(300) < probability).astype(np.uint8)
    observed, predicted = calibration_curve(target, probability, n_bins=15, strategy="quantile")
    bins = scoring.reliability(target, probability)
    assert [b.predicted for b in bins] == pytest.approx(predicted, abs=EXACT)
    assert [b.observed for b in bins] == pytest.approx(observed, abs=EXACT)
    expected = np.abs(observed - predicted).mean()
    assert scoring.ece(target, probability) == pytest.approx(expected, abs=EXACT)


@SEEDS
def test_weight_of_an_image_is_how_often_it_counts(seed):
    """Calibration error with whole weights is that of the images repeated as often."""
    target, probability, _ = some_images(seed, digits=2)
    times = np.random.default_rng(seed).integers(1, 4, len(target))
    repeated = scoring.ece(np.repeat(target, times), np.repeat(probability, times))
    assert scoring.ece(target, probability, times) == pytest.approx(repeated, abs=EXACT)


def test_calibration_error_of_a_constant_is_its_distance_from_the_share():
    """All images at one probability share one bin."""
    target = np.array([0, 1, 1, 1])
    assert scoring.ece(target, np.full(4, 0.3)) == pytest.approx(0.45)
    (only,) = scoring.reliability(target, np.full(4, 0.3))
    assert (only.predicted, only.observed, only.weight) == pytest.approx((0.3, 0.75, 1.0))


@SEEDS
def test_restating_weights_give_the_stated_share(seed):
    """Weighted images have the stated share of positives, and their mean weight is 1."""
    target, _, _ = some_images(seed)
    weights = scoring.restating_weights(target, 0.02)
    assert np.average(target, weights=weights) == pytest.approx(0.02, abs=EXACT)
    assert weights.mean() == pytest.approx(1, abs=EXACT)


@pytest.mark.parametrize("value", [0, 1])
def test_one_class_has_no_ranking(value):
    """Without positives or without negatives, what compares them is None."""
    target, score = np.full(10, value), np.linspace(0, 1, 10)
    assert scoring.auroc(target, score) is None
    assert scoring.average_precision(target, score) is None
    assert scoring.restating_weights(target, 0.1) is None
