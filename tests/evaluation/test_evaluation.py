"""The figures: against scikit-learn, against simulation, and where they are undefined."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn
from sklearn.calibration import calibration_curve

from cxr.evaluation import baselines, bootstrap, metrics, report, summary, thresholds
from cxr.inference.probability import shift
from cxr.model.config import Config
from cxr_labels import FINDINGS, LABELS, NIH_PREVALENCE, NO_FINDING

EXACT = 1e-9
SEEDS = pytest.mark.parametrize("seed", range(5))


def some_images(seed, count=300, share=0.3, digits=1):
    """Targets, probabilities with many ties, and weights of some images of one label."""
    rng = np.random.default_rng(seed)
    target = (rng.random(count) < share).astype(np.uint8)
    target[:2] = 0, 1
    probability = np.round(1 / (1 + np.exp(-rng.normal(1.5 * target - 1, 1.0))), digits)
    return target, probability, rng.random(count) + 0.1


# Single figures -----------------------------------------------------------------------------------


@SEEDS
def test_ranking_is_that_of_scikit_learn(seed):
    """AUROC and average precision agree with scikit-learn's, ties included."""
    target, probability, _ = some_images(seed)
    assert metrics.auroc(target, probability) == pytest.approx(
        sklearn.roc_auc_score(target, probability), abs=EXACT
    )
    assert metrics.average_precision(target, probability) == pytest.approx(
        sklearn.average_precision_score(target, probability), abs=EXACT
    )


@SEEDS
def test_weighted_brier_is_that_of_scikit_learn(seed):
    """The Brier score agrees with scikit-learn's, with weights and without."""
    target, probability, weights = some_images(seed)
    for weight in (None, weights):
        expected = sklearn.brier_score_loss(target, probability, sample_weight=weight)
        assert metrics.brier(target, probability, weight) == pytest.approx(expected, abs=EXACT)


@SEEDS
@pytest.mark.parametrize("weighted", [False, True])
def test_operating_point_is_that_of_scikit_learn(seed, weighted):
    """Sensitivity and PPV are recall and precision, specificity and NPV those of the others."""
    target, probability, weights = some_images(seed)
    weight = weights if weighted else None
    found = metrics.operating_point(target, probability, 0.4, weight)
    flagged = (probability >= 0.4).astype(int)
    for name, figure, label in (
        ("sensitivity", sklearn.recall_score, 1),
        ("specificity", sklearn.recall_score, 0),
        ("ppv", sklearn.precision_score, 1),
        ("npv", sklearn.precision_score, 0),
    ):
        expected = figure(target, flagged, pos_label=label, sample_weight=weight)
        assert found[name] == pytest.approx(expected, abs=EXACT)


def test_accuracy_calls_at_the_threshold_as_flags_do():
    """A probability that equals the threshold is a call."""
    assert metrics.accuracy_multi(np.array([[1, 0]]), np.array([[0.5, 0.4]]), 0.5) == 1.0


@SEEDS
def test_bins_are_those_of_scikit_learn(seed):
    """Where images divide evenly into bins, they are scikit-learn's quantile bins."""
    rng = np.random.default_rng(seed)
    probability = rng.random(15 * 20)
    target = (rng.random(300) < probability).astype(np.uint8)
    observed, predicted = calibration_curve(target, probability, n_bins=15, strategy="quantile")
    bins = metrics.reliability(target, probability)
    assert [b["predicted"] for b in bins] == pytest.approx(predicted, abs=EXACT)
    assert [b["observed"] for b in bins] == pytest.approx(observed, abs=EXACT)
    expected = np.abs(observed - predicted).mean()
    assert metrics.ece(target, probability) == pytest.approx(expected, abs=EXACT)


@SEEDS
def test_weight_of_an_image_is_how_often_it_counts(seed):
    """Calibration error with whole weights is that of the images repeated as often."""
    target, probability, _ = some_images(seed, digits=2)
    times = np.random.default_rng(seed).integers(1, 4, len(target))
    repeated = metrics.ece(np.repeat(target, times), np.repeat(probability, times))
    assert metrics.ece(target, probability, times) == pytest.approx(repeated, abs=EXACT)


def test_calibration_error_of_a_constant_is_its_distance_from_the_share():
    """All images at one probability share one bin."""
    target = np.array([0, 1, 1, 1])
    assert metrics.ece(target, np.full(4, 0.3)) == pytest.approx(0.45)
    assert metrics.reliability(target, np.full(4, 0.3)) == [
        {"predicted": pytest.approx(0.3), "observed": 0.75, "weight": 1.0}
    ]


@SEEDS
def test_restating_weights_give_the_stated_share(seed):
    """Weighted images have the stated share of positives, and PPV follows Bayes' rule."""
    target, probability, _ = some_images(seed)
    weights = metrics.restating_weights(target, 0.02)
    assert np.average(target, weights=weights) == pytest.approx(0.02, abs=EXACT)
    assert weights.mean() == pytest.approx(1, abs=EXACT)
    point = metrics.operating_point(target, probability, 0.4, weights)
    true, false = 0.02 * point["sensitivity"], 0.98 * (1 - point["specificity"])
    assert point["ppv"] == pytest.approx(true / (true + false), abs=EXACT)


@pytest.mark.parametrize("value", [0, 1])
def test_one_class_has_no_ranking(value):
    """Without positives or without negatives, what compares them is None."""
    target, score = np.full(10, value), np.linspace(0, 1, 10)
    assert metrics.auroc(target, score) is None
    assert metrics.average_precision(target, score) is None
    assert metrics.restating_weights(target, 0.1) is None
    point = metrics.operating_point(target, score, 2.0)
    assert point["ppv"] is None
    assert point["sensitivity" if value == 0 else "specificity"] is None


# Intervals ----------------------------------------------------------------------------------------


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
def test_resampled_shares_and_calibration_are_those_of_the_images(seed):
    """Shares of every resample are weighted shares; the calibration error is that of metrics."""
    target, score, _ = some_images(seed)
    patients = np.random.default_rng(seed).integers(0, 120, len(target))
    drawn = bootstrap.draw(patients, seed, 5)
    shares = bootstrap.share(drawn, (score > 0.4) & (target == 1), target == 1)
    weights = patient_weights(patients, seed, 5)
    for figure, weight in zip(shares[1:], weights, strict=True):
        expected = sklearn.recall_score(target, score > 0.4, sample_weight=weight)
        assert figure == pytest.approx(expected, abs=EXACT)
    expected = metrics.ece(target, score, metrics.restating_weights(target, 0.1))
    found = bootstrap.calibration_error(drawn, target, score, 0.1, np.zeros(1))
    assert found.value == pytest.approx(expected, abs=EXACT)


def test_figures_alone_and_together_are_the_same():
    """AUROC without average precision, and shares of several findings in one pass."""
    target, score, _ = some_images(0)
    drawn = bootstrap.draw(np.arange(300) // 3, 0, 20)
    assert (
        bootstrap.auroc(drawn, target, score) == bootstrap.ranking(drawn, target, score)[0]
    ).all()
    hits, among = np.stack([score > 0.4, score > 0.6], 1), np.stack([target == 1, target == 0], 1)
    alone = [bootstrap.share(drawn, hits[:, c], among[:, c]) for c in range(2)]
    assert (bootstrap.share(drawn, hits, among) == np.stack(alone, 1)).all()


def test_chunks_of_resamples_are_put_together(monkeypatch):
    """The figures do not depend on how many resamples are computed at once."""
    target, score, _ = some_images(0)

    def figures() -> list[np.ndarray]:
        drawn = bootstrap.draw(np.arange(300) // 3, 0, 7)
        return [*bootstrap.ranking(drawn, target, score), bootstrap.share(drawn, target, score)]

    whole = figures()
    monkeypatch.setattr(bootstrap, "_CELLS", 600)
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 1)
    assert np.allclose(whole, figures(), rtol=0, atol=EXACT)


def test_positive_is_judged_by_other_patients_positives():
    """Four images in a row, the first two positives of one patient: counted by hand."""
    target, score = np.array([1, 0, 1, 1, 0]), np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    drawn = bootstrap.draw(np.array([1, 2, 1, 3, 4]), resamples=1)
    # First: nothing wrong above it, 1. Second: no other patient's positive above, 0. Third: all
    # of its patient's others (2 of 2, as of 3 positives) against one wrong, 3 / 4.
    assert bootstrap.precision_on_others(drawn, target, score)[0] == pytest.approx(1.75 / 3)


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


def operating_figures(drawn, target, score):
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


def test_intervals_cover_the_truth():
    """95 % intervals over patients hold the truth in 90 to 99 % of simulated studies.

    Intervals over images, as if images of a patient were independent, do not.
    """
    rng = np.random.default_rng(0)
    owner, target, score = alike_images(rng, 60_000)
    truth = operating_figures(bootstrap.draw(owner, resamples=0), target, score)
    held: dict[str, list[bool]] = {}
    for study in range(250):
        owner, target, score = alike_images(rng, 150)
        for by, groups in (("patients", owner), ("images", np.arange(len(owner)))):
            found = operating_figures(bootstrap.draw(groups, study, 200), target, score)
            for name, figures in found.items():
                low, high = bootstrap.interval(figures[1:])
                held.setdefault(f"{name} over {by}", []).append(low <= truth[name][0] <= high)
    coverage = {name: np.mean(of) for name, of in held.items()}
    assert {
        name for name in truth if not 0.90 <= coverage[f"{name} over patients"] <= 0.99
    } == set()
    assert coverage["specificity over images"] < 0.85
    assert coverage["auroc over images"] < 0.85


@pytest.mark.parametrize("offset", [0.0, 0.4, 1.0])
def test_interval_of_the_calibration_error_covers_the_truth(offset):
    """Also where the truth is 0, which a plain bootstrap never holds.

    Log-odds are off by `offset`; outcomes of a patient's images are alike.
    """
    rng = np.random.default_rng(0)
    share = 0.12

    def images(patients):
        owner = np.repeat(np.arange(patients), rng.integers(1, 6, patients))
        known = rng.normal(np.log(share / (1 - share)), 1.0, patients)[owner]
        # Half of the outcome's chance is the patient's: uniform of a sum of two normals.
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
        chance = bootstrap.errors_if_calibrated(given, share_of_all, study)
        found = bootstrap.calibration_error(drawn, target, given, share_of_all, chance)
        low, high = found.interval()
        assert low <= found.value <= high
        held.append(low <= truth <= high)
    assert 0.90 <= np.mean(held) <= 0.995


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
        seen.append(metrics.ece(target, stated, metrics.restating_weights(target, share)))
        foretold.append(bootstrap.errors_if_calibrated(probability, share, study, 20).mean())
    assert np.mean(foretold) == pytest.approx(np.mean(seen), rel=0.05)


def test_error_of_a_calibrated_model_knows_no_error_of_the_model():
    """Probabilities five times too high in odds have an error far above what they had if right."""
    rng = np.random.default_rng(0)
    probability = 1 / (1 + np.exp(-rng.normal(-2.0, 1.0, 2_000)))
    given = shift(probability, np.asarray(0.1), np.asarray(5 / 14))
    error = metrics.ece(rng.random(2_000) < probability, given)
    assert bootstrap.errors_if_calibrated(given, given.mean()).mean() < error / 4


def test_interval_of_a_mean_average_precision_covers_the_truth():
    """Over findings with few positives, where plain percentiles lie too high."""
    rng = np.random.default_rng(0)
    truth = metrics.average_precision(*alike_images(rng, 60_000, 0.02)[1:])
    held, plain = [], []
    for study in range(100):
        others, percentiles = [], []
        owner = np.repeat(np.arange(150), 4)
        drawn = bootstrap.draw(owner, study, 150)
        for _ in range(8):
            target = np.zeros(1, np.uint8)
            while len(np.unique(target)) < 2:
                images, target, score = alike_images(rng, 400, 0.02)
                target, score = target[:600], score[:600]
            drawn = bootstrap.Resamples(
                images[:600], bootstrap.draw(images[:600], study, 150).counts
            )
            others.append(bootstrap.precision_on_others(drawn, target, score))
            percentiles.append(bootstrap.ranking(drawn, target, score)[1])
        for figures, kept in ((others, held), (percentiles, plain)):
            low, high = bootstrap.interval(bootstrap.mean(figures)[1:])
            kept.append(low <= truth <= high)
    assert np.mean(held) > np.mean(plain)
    assert 0.85 <= np.mean(held) <= 0.995


def test_share_of_one_has_an_interval():
    """Ten of ten patients found is not "100 to 100 %": Wilson's interval, over patients."""
    drawn = bootstrap.draw(np.repeat(np.arange(10), 3), resamples=50)
    everyone = np.ones(30, bool)
    value, interval = bootstrap.estimate(bootstrap.share(drawn, everyone, everyone), 10)
    assert value == 1.0
    assert interval == pytest.approx([0.7225, 1.0], abs=1e-4)
    _, interval = bootstrap.estimate(bootstrap.share(drawn, ~everyone, everyone), 10)
    assert interval == pytest.approx([0.0, 0.2775], abs=1e-4)


def test_figure_that_is_mostly_undefined_has_no_interval():
    """Fewer than half of the resamples defined: None."""
    assert bootstrap.interval(np.r_[np.full(40, 0.5), np.full(60, np.nan)]) is None
    assert bootstrap.interval(np.r_[np.full(60, 0.5), np.full(40, np.nan)]) is not None


def test_one_patient_gives_no_interval_of_a_ranking():
    """One patient with a finding says nothing of the spread between patients."""
    target = np.array([1, 1, 0, 0, 0, 0, 0, 0])
    score = np.array([0.7, 0.2, 0.1, 0.3, 0.8, 0.4, 0.9, 0.6])
    drawn = bootstrap.draw(np.array([1, 1, 2, 3, 4, 5, 6, 7]), resamples=100)
    value, interval = bootstrap.estimate(bootstrap.ranking(drawn, target, score)[0], 1)
    assert value is not None
    assert interval is None


def test_difference_to_a_figure_without_spread_is_not_too_sure():
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


# Thresholds ---------------------------------------------------------------------------------------


def separated():
    """Targets and probabilities [40, 15] that part the classes: 0.8 and 0.2."""
    targets = np.zeros((40, len(LABELS)), np.uint8)
    targets[:10] = 1
    return targets, np.where(targets == 1, 0.8, 0.2)


@pytest.mark.parametrize("rule", ["youden", "f1", "accuracy", "sensitivity=0.9"])
def test_threshold_lies_between_separated_classes(rule):
    """With scores that part two classes, every rule flags exactly the positives."""
    targets, scores = separated()
    chosen = thresholds.choose(rule, targets, scores)
    assert set(chosen) == set(FINDINGS)
    assert NO_FINDING not in chosen
    assert all(0.2 < value <= 0.8 for value in chosen.values())


@pytest.mark.parametrize("rule", ["youden", "f1", "sensitivity=0.9"])
def test_finding_without_positives_is_rarely_flagged(rule):
    """Where validation has no positives, the threshold flags 5 % of its images."""
    rng = np.random.default_rng(0)
    scores = rng.random((400, len(LABELS)))
    chosen = thresholds.choose(rule, np.zeros((400, len(LABELS)), np.uint8), scores)
    assert (scores[:, 0] >= chosen["Atelectasis"]).mean() == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("wanted", [0.5, 0.75, 0.9, 1.0])
def test_sensitivity_is_reached_by_the_highest_threshold(wanted):
    """At the threshold the wanted sensitivity is reached, at the next score it is not."""
    rng = np.random.default_rng(0)
    targets = (rng.random((200, len(LABELS))) < 0.2).astype(np.uint8)
    scores = np.round(rng.random(targets.shape), 2)
    chosen = thresholds.choose(f"sensitivity={wanted}", targets, scores)
    for k, label in enumerate(FINDINGS):
        found = scores[targets[:, k] == 1, k]
        assert (found >= chosen[label]).mean() >= wanted
        assert (found > chosen[label]).mean() < wanted


def test_accuracy_rule_is_the_highest_point_of_the_plot():
    """One threshold for all findings, with the best accuracy over all labels."""
    rng = np.random.default_rng(0)
    targets = (rng.random((300, len(LABELS))) < 0.2).astype(np.uint8)
    scores = np.clip(rng.normal(0.2 + 0.3 * targets, 0.2), 0, 1)
    tried, accuracies, best = thresholds.accuracy_curve(targets, scores)
    assert set(thresholds.choose("accuracy", targets, scores).values()) == {best}
    assert (tried[0], tried[-1]) == (0.05, 0.95)
    assert accuracies.max() == ((scores > best) == targets).mean()


@pytest.mark.parametrize(
    "text",
    ["", "Youden", "best", "youden=1", "sensitivity", "sensitivity=", "sensitivity=0",
     "sensitivity=1.1", "sensitivity=nan", "sensitivity=high"],
)  # fmt: skip
def test_unknown_rule_is_rejected_in_one_sentence(text):
    """What is not a rule says so, and what would be one."""
    with pytest.raises(ValueError, match=r"^The threshold rule '.*'.*\.$") as rejected:
        thresholds.parse_rule(text)
    assert "sensitivity=0.9" in str(rejected.value)


@pytest.mark.parametrize("sureness", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("rule", ["youden", "f1"])
def test_few_positives_give_better_thresholds_than_the_observed_curve(rule, sureness, monkeypatch):
    """Chosen on 5 positives, thresholds do better on new images than the observed curve's best.

    Also where the probabilities are too sure (2) or not sure enough (0.5).
    """
    rng = np.random.default_rng(0)
    share = 5 / 280

    def images(count):
        target = (rng.random((count, len(LABELS))) < share).astype(np.uint8)
        target[0] = 1
        moved = sureness * (rng.normal(target, 1.0) - 0.5)
        return target, 1 / (1 + np.exp(-moved - np.log(share / (1 - share))))

    def worth(target, flagged):
        found, wrong = flagged[target == 1].sum(), flagged[target == 0].sum()
        if rule == "f1":
            return 2 * found / (found + wrong + target.sum())
        return found / target.sum() - wrong / (target == 0).sum()

    new_targets, new = images(20_000)
    gains = []
    for _ in range(15):
        targets, probabilities = images(280)
        of = {}
        for implied in (thresholds.IMPLIED, 0.0):
            with monkeypatch.context() as patch:
                patch.setattr(thresholds, "IMPLIED", implied)
                of[implied] = thresholds.choose(rule, targets, probabilities)
        for k, label in enumerate(FINDINGS):
            better, plain = (worth(new_targets[:, k], new[:, k] >= t[label]) for t in of.values())
            gains.append(better - plain)
    assert np.mean(gains) > 2 * np.std(gains) / len(gains) ** 0.5


def test_operating_points_are_those_of_the_validation_images():
    """Per finding with a threshold: positives, sensitivity, specificity, and their intervals."""
    targets, scores = separated()
    scores[0, 0] = 0.1  # a missed one
    chosen = {"Atelectasis": 0.5, "Hernia": 0.5}
    points = thresholds.operating_points(targets, scores, chosen, np.arange(40))
    assert set(points) == set(chosen)
    assert points["Atelectasis"]["positives"] == 10
    assert points["Atelectasis"]["sensitivity"] == pytest.approx(0.9)
    low, high = points["Atelectasis"]["sensitivity_ci95"]
    assert low < 0.9 < high
    assert points["Hernia"]["sensitivity_ci95"] == pytest.approx([0.7225, 1.0], abs=1e-4)
    assert points["Hernia"]["specificity_ci95"][0] == pytest.approx(0.8865, abs=1e-4)


# Constant answers ---------------------------------------------------------------------------------


def test_constant_answers_are_counted_right():
    """Predicting nothing errs once a label; always "No Finding" gains its images, loses others."""
    targets = np.zeros((4, len(LABELS)), np.uint8)
    targets[:3, LABELS.index(NO_FINDING)] = 1
    targets[3, :2] = 1
    assert baselines.predict_nothing(targets) == pytest.approx(1 - 5 / 60)
    assert baselines.always_no_finding(targets) == pytest.approx(1 - 3 / 60)


def images_of(rng, count):
    """A table of images of patients with two each, with everything known."""
    return pd.DataFrame(
        {
            "patient": np.arange(count) // 2,
            "sex": rng.choice(["M", "F"], count),
            "view": rng.choice(["PA", "AP"], count),
            "age": rng.integers(20, 90, count).astype(float),
        }
    )


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


def test_unknown_metadata_have_no_baseline():
    """Where neither sex nor age nor view is known there is none, and a note says so."""
    images = predicted(200, sex=None, view=None, age=np.nan)
    for train in (None, (images.table, images.targets)):
        found = measured(images, train)
        assert found["baselines"]["metadata_only_mean_auroc"] is None
        assert sum("Sex, age and view are unknown" in note for note in found["notes"]) == 1


def test_few_training_images_teach_no_baseline():
    """A handful of training images does not replace the other patients of the images."""
    images, others = predicted(40), predicted(200, seed=1)
    alone = measured(images)["baselines"]
    few = others.table[:199], others.targets[:199]
    assert measured(images, few)["baselines"] == alone
    enough = others.table, others.targets
    assert measured(images, enough)["baselines"] != alone


# The report ---------------------------------------------------------------------------------------


def config(training=None, chosen=0.3):
    """A model that was trained at the shares given (NIH's unless) with one threshold."""
    return Config(
        labels=LABELS,
        architecture="none",
        pooling="none",
        image_size=32,
        calibration=dict.fromkeys(LABELS, (1.0, 0.0)),
        thresholds=dict.fromkeys(FINDINGS, chosen),
        prevalence={"training": training or NIH_PREVALENCE, "nih": NIH_PREVALENCE},
        sha256="",
    )


def predicted(count=60, seed=0, **changed):
    """Images with a little of everything; `changed` are columns of the table."""
    rng = np.random.default_rng(seed)
    table = images_of(rng, count).assign(image=[f"{i}.png" for i in range(count)], **changed)
    targets = (rng.random((count, len(LABELS))) < 0.3).astype(np.uint8)
    return report.Predicted(table, targets, rng.random(targets.shape))


def measured(images, train=None, of=None):
    """metrics.json of the images, which must be strict JSON; a warning of NumPy is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = report.measure(images, of or config(), "patient", train, 0.5)
    return json.loads(json.dumps(found, allow_nan=False))


def test_report_has_every_figure():
    """The keys that other parts and other programs read."""
    found = measured(predicted())
    assert set(found) == {
        "n_images", "n_patients", "split", "prevalence", "notes", "findings",
        "mean_auroc", "mean_auroc_ci95", "mean_of",
        "mean_auroc_without_pneumonia_hernia", "mean_auroc_without_pneumonia_hernia_ci95",
        "mean_average_precision", "mean_average_precision_ci95",
        "mean_ece", "mean_ece_ci95", "mean_ece_if_calibrated", "mean_brier",
        "accuracy_multi", "accuracy_threshold", "baselines", "reliability", "subgroups",
    }  # fmt: skip
    with_interval = {
        "auroc", "average_precision", "ece", "sensitivity", "specificity", "ppv", "npv"
    }  # fmt: skip
    keys = {"positives", "brier", "ece_if_calibrated", "threshold", "as_measured", *with_interval}
    assert set(found["findings"]["Mass"]) == keys | {f"{name}_ci95" for name in with_interval}
    for name in with_interval:
        low, high = found["findings"]["Mass"][f"{name}_ci95"]
        assert low <= found["findings"]["Mass"][name] <= high
    low, high = found["mean_average_precision_ci95"]
    assert low <= found["mean_average_precision"] <= high


def test_undefined_figures_are_null_with_a_reason():
    """A finding that no image carries, or every image, says so; all else is measured."""
    images = predicted()
    images.targets[:, :3] = 0
    images.targets[:, 1] = 1
    images.targets[0, 2] = 1
    found = measured(images, (images.table, images.targets))
    assert found["findings"]["Atelectasis"]["why"] == "no test image carries it"
    assert found["findings"]["Cardiomegaly"]["why"] == "every test image carries it"
    assert "too few patients" in found["findings"]["Effusion"]["why"]
    for label in ("Atelectasis", "Cardiomegaly"):
        for name in ("auroc", "average_precision", "ece", "brier", "ppv", "npv"):
            assert found["findings"][label][name] is None
        assert found["reliability"][label] == []
    assert found["findings"]["Effusion"]["auroc"] == metrics.auroc(
        images.targets[:, 2], images.probabilities[:, 2]
    )
    assert found["findings"]["Effusion"]["auroc_ci95"] is None
    assert found["findings"][NO_FINDING]["why"] == "it is never flagged"
    assert found["notes"][0] == ("No image carries Atelectasis: no figure compares images with it.")
    assert found["notes"][1] == (
        "Every image carries Cardiomegaly: no figure compares images without it."
    )


def test_findings_of_one_patient_give_a_mean_no_interval():
    """A mean says how many findings it is over; its interval comes from those with a spread."""
    images = predicted(60)
    images.targets[:, :14] = 0
    images.targets[0, :2] = 1
    found = measured(images)
    assert found["mean_of"] == 2
    for name in ("mean_auroc", "mean_average_precision", "mean_ece"):
        assert found[name] is not None
        assert found[f"{name}_ci95"] is None
    images.targets[::3, 2] = 1
    found = measured(images)
    assert found["mean_of"] == 3
    for name in ("mean_auroc", "mean_average_precision", "mean_ece"):
        low, high = found[f"{name}_ci95"]
        assert low <= found[name] <= high


@pytest.mark.parametrize(
    ("count", "words"),
    [(14, "the 14 findings"), (13, "13 findings"), (1, "1 finding"), (None, "the 14 findings")],
)
def test_mean_says_how_many_findings_it_is_over(count, words):
    """Also where an older metrics.json does not hold it."""
    assert summary.averaged({"mean_of": count}) == words


def test_images_without_any_finding_are_measured():
    """Specificity and constant answers stand; a sentence says why there is not more."""
    images = predicted()
    images.targets[:, :-1] = 0
    images.targets[:, -1] = 1
    found = measured(images)
    assert found["mean_auroc"] is None
    assert found["findings"]["Mass"]["specificity"] is not None
    assert found["baselines"]["always_no_finding"] == 1.0
    assert "No image carries a finding, so only specificity could be measured." in found["notes"]


@pytest.mark.parametrize("count", [1, 6])
def test_single_patient_is_measured(count):
    """One patient, one image or several: no interval pretends to know of others."""
    found = measured(predicted(count, patient=7))
    assert found["n_patients"] == 1
    assert any("All images are of one patient" in note for note in found["notes"])
    assert found["mean_auroc_ci95"] is None
    assert found["baselines"]["metadata_only_mean_auroc"] is None


def test_no_image_is_rejected_in_one_sentence():
    """Nothing can be said of nothing."""
    images = predicted()
    empty = report.Predicted(images.table[:0], images.targets[:0], images.probabilities[:0])
    with pytest.raises(ValueError, match=r"^No image is left to be measured\.$"):
        report.measure(empty, config(), "patient", None, 0.5)


def test_baseline_without_training_images_says_how():
    """On foreign data the baseline is cross-validated, and a note says so."""
    images = predicted(200)
    note = "cross-validation"
    assert any(note in sentence for sentence in measured(images)["notes"])
    trained = measured(images, (images.table, images.targets))
    assert not any(note in sentence for sentence in trained["notes"])


def test_figures_are_at_the_stated_prevalence():
    """Of a calibrated model at another prevalence: calibrated, and PPV as images drawn there."""
    rng = np.random.default_rng(0)

    def images(share, count):
        target = (rng.random(count) < share).astype(float)
        logit = rng.normal(2 * target - 1, 2**0.5)  # log likelihood ratio of two such normals
        return target, 1 / (1 + np.exp(-logit - np.log(share / (1 - share))))

    training = dict(NIH_PREVALENCE) | {"Pneumonia": 0.25}
    k, share = LABELS.index("Pneumonia"), NIH_PREVALENCE["Pneumonia"]
    enriched = predicted(6_000)
    enriched.targets[:, k], enriched.probabilities[:, k] = images(0.25, 6_000)
    found = measured(enriched, (enriched.table, enriched.targets), config(training))
    pneumonia = found["findings"]["Pneumonia"]
    assert pneumonia["as_measured"]["share"] == pytest.approx(0.25, abs=0.02)
    assert pneumonia["as_measured"]["ece"] < 0.02
    assert pneumonia["ece"] < 0.003
    target, probability = images(share, 400_000)
    odds = (0.3 / 0.7) * share / (1 - share) / (0.25 / 0.75)
    point = metrics.operating_point(target, probability, odds / (1 + odds))
    assert pneumonia["ppv"] == pytest.approx(point["ppv"], abs=0.01)
    assert pneumonia["npv"] == pytest.approx(point["npv"], abs=0.001)
    assert pneumonia["brier"] == pytest.approx(metrics.brier(target, probability), abs=0.001)
    low, high = pneumonia["ppv_ci95"]
    assert low < point["ppv"] < high


def test_flawless_flags_on_few_images_do_not_promise_a_ppv_of_one():
    """Without a false flag, the PPV at NIH's prevalence still allows for one unseen."""
    images = predicted(60)
    k = LABELS.index("Hernia")
    images.probabilities[:, k] = np.where(images.targets[:, k] == 1, 0.9, 0.1)
    hernia = measured(images)["findings"]["Hernia"]
    assert hernia["ppv"] == 1.0
    low, high = hernia["ppv_ci95"]
    assert low < 0.1  # one in 500 images: a specificity of 0.9 would flag fifty others
    assert high == 1.0


def patient_weights(patients, seed=0, resamples=bootstrap.RESAMPLES):
    """How often each image [N] counts in each resample of patients: [resamples, N]."""
    drawn = bootstrap.draw(patients, seed, resamples)
    return np.hstack(drawn.counts)[drawn.patient_of, 1:].T
