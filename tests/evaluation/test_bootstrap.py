"""Intervals by resampling patients: against scikit-learn, and against simulated studies."""

import numpy as np
import pytest
from sklearn import metrics as sklearn
from support.samples import EXACT, SEEDS, some_images

from cxr.evaluation import bootstrap, scoring
from cxr.inference.probability import shift


def patient_weights(patients, seed=0, resamples=bootstrap.RESAMPLES):
    """How often each image [N] counts in each resample of patients: [resamples, N]."""
    drawn = bootstrap.draw(patients, seed, resamples)
    return drawn.counts[1:, drawn.patient_of].astype(float)


@SEEDS
def test_resampled_ranking_is_that_of_scikit_learn(seed):
    """AUROC and average precision of every resample equal scikit-learn's with its weights."""
    target, score, _ = some_images(seed)
    patients = np.random.default_rng(seed).integers(0, 120, len(target))
    aurocs, precisions = bootstrap.ranking(bootstrap.draw(patients, seed, 5), target, score)
    weights = patient_weights(patients, seed, 5)
    for b, weight in enumerate([np.ones(len(target)), *weights]):
        assert aurocs[b] == pytest.approx(
            sklearn.roc_auc_score(target, score, sample_weight=weight), abs=EXACT
        )
        assert precisions[b] == pytest.approx(
            sklearn.average_precision_score(target, score, sample_weight=weight), abs=EXACT
        )


@SEEDS
def test_resampled_shares_are_those_of_the_images(seed):
    """Shares of every resample are weighted; the calibration error of the sample is `ece`."""
    target, score, _ = some_images(seed)
    patients = np.random.default_rng(seed).integers(0, 120, len(target))
    drawn = bootstrap.draw(patients, seed, 5)
    shares = bootstrap.share(drawn, (score > 0.4) & (target == 1), target == 1)
    weights = patient_weights(patients, seed, 5)
    for share, weight in zip(shares[1:], weights, strict=True):
        expected = sklearn.recall_score(target, score > 0.4, sample_weight=weight)
        assert share == pytest.approx(expected, abs=EXACT)
    expected = scoring.ece(target, score, scoring.restating_weights(target, 0.1))
    errors = bootstrap.calibration_error(drawn, target, score, 0.1)
    assert errors[0] == pytest.approx(expected, abs=EXACT)


def test_resampled_calibration_error_of_a_constant_is_its_distance_from_the_share():
    """At one probability for all images, weighting to a prevalence fixes it in every resample."""
    target, _, _ = some_images(0)
    drawn = bootstrap.draw(np.arange(300) // 3, 0, 20)
    errors = bootstrap.calibration_error(drawn, target, np.full(300, 0.3), 0.1)
    assert errors == pytest.approx(0.2)


def test_shares_alone_and_together_are_the_same():
    """Shares of several findings in one pass."""
    target, score, _ = some_images(0)
    drawn = bootstrap.draw(np.arange(300) // 3, 0, 20)
    hits, among = np.stack([score > 0.4, score > 0.6], 1), np.stack([target == 1, target == 0], 1)
    alone = [bootstrap.share(drawn, hits[:, c], among[:, c]) for c in range(2)]
    assert np.allclose(bootstrap.share(drawn, hits, among), np.stack(alone, 1), rtol=0, atol=EXACT)


def test_chunks_of_resamples_are_put_together(monkeypatch):
    """The metrics do not depend on how many resamples are computed at once."""
    target, score, _ = some_images(0)

    def metrics() -> list[np.ndarray]:
        drawn = bootstrap.draw(np.arange(300) // 3, 0, 40)
        return [*bootstrap.ranking(drawn, target, score), bootstrap.share(drawn, target, score)]

    whole = metrics()
    monkeypatch.setattr(bootstrap, "_CELLS", 1)
    assert np.allclose(whole, metrics(), rtol=0, atol=EXACT)


def test_images_of_a_patient_are_drawn_together():
    """In every resample all images of one patient count equally often."""
    patients = np.array([5, 5, 7, 9, 9, 9])
    weights = patient_weights(patients, resamples=50)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 2, 3]].sum(1) == 3).all()


def alike_images(rng, patients, share=0.15):
    """Images of simulated patients, each 1 to 9, alike in label and score: owner, target, score."""
    owner = np.repeat(np.arange(patients), rng.integers(1, 10, patients))
    ill, looks = rng.normal(0, 2.0, patients), rng.normal(0, 0.9, patients)
    odds = np.log(share / (1 - share)) + ill[owner]
    target = (rng.random(len(owner)) < 1 / (1 + np.exp(-odds))).astype(np.uint8)
    return owner, target, target + looks[owner] + rng.normal(0, 0.4, len(owner))


def operating_metrics(drawn, target, score):
    """Figures in all resamples, [1 + B] each, of flagging scores of 0.8 and more."""
    flagged, positive = score >= 0.8, target == 1
    auroc, precision = bootstrap.ranking(drawn, target, score)
    return {
        "auroc": auroc,
        "average_precision": precision,
        "sensitivity": bootstrap.share(drawn, flagged & positive, positive),
        "specificity": bootstrap.share(drawn, ~flagged & ~positive, ~positive),
        "ppv": bootstrap.share(drawn, flagged & positive, flagged),
        "npv": bootstrap.share(drawn, ~flagged & ~positive, ~flagged),
    }


@pytest.mark.slow
def test_intervals_cover_the_truth():
    """95 % intervals over patients hold the truth in 90 to 99 % of simulated studies.

    Intervals over images, as if images of a patient were independent, do not.
    """
    rng = np.random.default_rng(0)
    owner, target, score = alike_images(rng, 60_000)
    truth = operating_metrics(bootstrap.draw(owner, resamples=0), target, score)
    held: dict[str, list[bool]] = {}
    for study in range(250):
        owner, target, score = alike_images(rng, 150)
        for by, groups in (("patients", owner), ("images", np.arange(len(owner)))):
            found = operating_metrics(bootstrap.draw(groups, study, 200), target, score)
            for name, metrics in found.items():
                low, high = bootstrap.interval(metrics[1:])
                held.setdefault(f"{name} over {by}", []).append(low <= truth[name][0] <= high)
    coverage = {name: np.mean(of) for name, of in held.items()}
    assert {
        name for name in truth if not 0.90 <= coverage[f"{name} over patients"] <= 0.99
    } == set()
    assert coverage["specificity over images"] < 0.85
    assert coverage["auroc over images"] < 0.85


@pytest.mark.slow
@pytest.mark.parametrize("offset", [0.4, 1.0])
def test_interval_of_the_calibration_error_covers_the_truth(offset):
    """Of a model whose log-odds are off by `offset`; labels of a patient's images are alike."""
    rng = np.random.default_rng(0)
    share = 0.12

    def images(patients):
        owner = np.repeat(np.arange(patients), rng.integers(1, 6, patients))
        known = rng.normal(np.log(share / (1 - share)), 1.0, patients)[owner]
        # Half of the label's chance is the patient's: uniform of a sum of two normals.
        chance = rng.normal(0, 1, patients)[owner] + rng.normal(0, 1, len(owner))
        chance = np.searchsorted(normal_sums, chance) / len(normal_sums)
        true = 1 / (1 + np.exp(-known))
        return owner, (chance < true).astype(np.uint8), 1 / (1 + np.exp(-known - offset)), true

    normal_sums = np.sort(rng.normal(0, 2**0.5, 100_000))
    _, _, given, true = images(100_000)
    truth, share_of_all = np.abs(given - true).mean(), true.mean()
    held = []
    for study in range(200):
        owner, target, given, _ = images(200)
        drawn = bootstrap.draw(owner, study, 200)
        errors = bootstrap.calibration_error(drawn, target, given, share_of_all)
        low, high = bootstrap.basic_interval(errors)
        assert low <= errors[0] <= high
        held.append(low <= truth <= high)
    assert 0.85 <= np.mean(held) <= 0.995


@pytest.mark.parametrize(("share", "share_of_training"), [(0.12, 0.12), (0.02, 0.25)])
def test_error_of_a_calibrated_model_is_foretold(share, share_of_training):
    """It is what right probabilities show in studies of as many images, restated as those are."""
    rng = np.random.default_rng(0)
    odds = np.log(share_of_training / (1 - share_of_training))
    seen, foretold = [], []
    for study in range(100):
        probability = 1 / (1 + np.exp(-rng.normal(odds, 1.0, 400)))
        target = rng.random(400) < probability
        stated = shift(probability, np.asarray(probability.mean()), np.asarray(share))
        seen.append(scoring.ece(target, stated, scoring.restating_weights(target, share)))
        foretold.append(bootstrap.error_if_calibrated(probability, share, study, 20))
    assert np.mean(foretold) == pytest.approx(np.mean(seen), rel=0.05)


def test_error_of_a_calibrated_model_knows_no_error_of_the_model():
    """Probabilities five times too high in odds have an error far above what they had if right."""
    rng = np.random.default_rng(0)
    probability = 1 / (1 + np.exp(-rng.normal(-2.0, 1.0, 2_000)))
    given = shift(probability, np.asarray(0.1), np.asarray(5 / 14))
    error = scoring.ece(rng.random(2_000) < probability, given)
    assert bootstrap.error_if_calibrated(given, given.mean()) < error / 4


@pytest.mark.slow
def test_interval_of_a_mean_average_precision_covers_the_truth():
    """Over findings with few positives, where plain percentiles lie too high."""
    rng = np.random.default_rng(0)
    truth = scoring.average_precision(*alike_images(rng, 60_000, 0.02)[1:])
    basic, plain = [], []
    for study in range(100):
        found = []
        for _ in range(8):
            target = np.zeros(1, np.uint8)
            while len(np.unique(target)) < 2:
                owner, target, score = alike_images(rng, 400, 0.02)
                target, score = target[:600], score[:600]
            drawn = bootstrap.draw(owner[:600], study, 150)
            found.append(bootstrap.ranking(drawn, target, score)[1])
        metric = bootstrap.mean(found)
        for interval, kept in (
            (bootstrap.basic_interval(metric), basic),
            (bootstrap.interval(metric[1:]), plain),
        ):
            kept.append(interval[0] <= truth <= interval[1])
    assert np.mean(basic) > np.mean(plain)
    assert 0.85 <= np.mean(basic) <= 0.995


def test_share_of_one_has_an_interval():
    """Ten of ten patients found is not "100 to 100 %": Wilson's interval, over patients."""
    drawn = bootstrap.draw(np.repeat(np.arange(10), 3), resamples=50)
    everyone = np.ones(30, bool)
    found = bootstrap.estimate(bootstrap.share(drawn, everyone, everyone), 10)
    assert found.value == 1.0
    assert found.ci95 == pytest.approx([0.7225, 1.0], abs=1e-4)
    found = bootstrap.estimate(bootstrap.share(drawn, ~everyone, everyone), 10)
    assert found.ci95 == pytest.approx([0.0, 0.2775], abs=1e-4)


def test_metric_that_is_mostly_undefined_has_no_interval():
    """Fewer than half of the resamples defined: None."""
    assert bootstrap.interval(np.r_[np.full(40, 0.5), np.full(60, np.nan)]) is None
    assert bootstrap.interval(np.r_[np.full(60, 0.5), np.full(40, np.nan)]) is not None


def test_one_patient_gives_no_interval_of_a_ranking():
    """One patient with a finding says nothing about the spread between patients."""
    target = np.array([1, 1, 0, 0, 0, 0, 0, 0])
    score = np.array([0.7, 0.2, 0.1, 0.3, 0.8, 0.4, 0.9, 0.6])
    drawn = bootstrap.draw(np.array([1, 1, 2, 3, 4, 5, 6, 7]), resamples=100)
    found = bootstrap.estimate(bootstrap.ranking(drawn, target, score)[0], 1)
    assert found is not None
    assert found.ci95 is None


def test_difference_to_a_metric_without_spread_is_not_too_sure():
    """Ten of ten against half of a hundred: as wide as Newcombe's interval at least."""
    patients = np.arange(110)
    drawn = bootstrap.draw(patients, resamples=300)
    few = patients < 10
    hit = few | (patients % 2 == 0)
    one = bootstrap.share(drawn.of(few), hit[few], np.ones(10))
    other = bootstrap.share(drawn.of(~few), hit[~few], np.ones(100))
    value, (low, high) = bootstrap.difference(one, other, (10, 100))
    assert value == pytest.approx(0.5)
    assert low < 0.25
    assert high < 0.65


def test_difference_of_metrics_without_spread_is_newcombes():
    """Ten of ten against none of twenty: [0.6791, 1], as in Newcombe 1998, table II, method 10."""
    all_hit, no_hit = np.ones(301), np.zeros(301)
    value, interval = bootstrap.difference(all_hit, no_hit, (10, 20))
    assert value == 1
    assert interval == pytest.approx([0.6791, 1], abs=1e-4)
    value, interval = bootstrap.difference(no_hit, all_hit, (20, 10))
    assert value == -1
    assert interval == pytest.approx([-1, -0.6791], abs=1e-4)


def test_interval_is_the_middle_of_the_resamples():
    """2.5 % of the resamples lie below and 2.5 % above; undefined ones do not count."""
    resampled = np.r_[np.linspace(0, 1, 101), np.nan]
    assert bootstrap.interval(resampled) == pytest.approx((0.025, 0.975))


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (0.3, 0.3, 0.5, (0.1, 0.3)),  # reflected at the value
        (0.3, 0.2, 0.35, (0.25, 0.4)),
        (0.3, 0.4, 0.9, (0.0, 0.3)),  # cut at 0, and widened to the value
        (0.9, 0.6, 0.95, (0.85, 1.0)),
    ],
)
def test_basic_interval_reflects_the_resamples(value, low, high, expected):
    """Resamples between `low` and `high` mean that the metric lies on the other side."""
    spread = (high - low) / 0.95
    resampled = np.linspace(low - 0.025 * spread, high + 0.025 * spread, 1001)
    assert bootstrap.basic_interval(np.r_[value, resampled]) == pytest.approx(expected)


def test_mean_is_over_the_metrics_defined_in_a_resample():
    """A resample without any is undefined."""
    nan = np.nan
    found = bootstrap.mean([np.array([0.2, nan, nan]), np.array([0.4, 0.6, nan])])
    assert found[:2] == pytest.approx([0.3, 0.6])
    assert np.isnan(found[2])


def test_draws_start_with_the_sample_itself_and_follow_the_seed():
    """Place 0 counts every image once; the same seed gives the same resamples."""
    patients = np.array(["b", "a", "b", "c"])
    drawn = bootstrap.draw(patients, 3, 20)
    assert drawn.counts.shape == (21, 3)
    assert drawn.counts[0].tolist() == [1, 1, 1]
    assert (drawn.counts.sum(1) == 3).all()
    assert drawn.patient_of.tolist() == [1, 0, 1, 2]
    assert np.array_equal(drawn.counts, bootstrap.draw(patients, 3, 20).counts)
    assert not np.array_equal(drawn.counts, bootstrap.draw(patients, 4, 20).counts)
    assert bootstrap.draw(patients).counts.shape == (1001, 3)
    assert drawn.patients() == 3
    assert drawn.patients(np.array([True, False, True, False])) == 1
    found = bootstrap.estimate_share(drawn, np.array([1, 1, 0, 0]) == 1, patients != "c")
    assert found.value == pytest.approx(2 / 3)
    everything = bootstrap.estimate_share(drawn, patients != "c", patients != "c")
    assert everything.ci95 == pytest.approx(bootstrap.wilson(1.0, 2))


def test_probabilities_that_draw_one_class_only_have_no_error_if_calibrated():
    """Labels drawn from probabilities of 0 are never positive."""
    assert bootstrap.error_if_calibrated(np.zeros(20), 0.1) is None
