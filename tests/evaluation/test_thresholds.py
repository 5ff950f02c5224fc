"""Thresholds and what they reach."""

import numpy as np
import pytest

from cxr.evaluation import thresholds
from cxr_labels import FINDINGS, LABELS, NO_FINDING

PATIENTS = 40


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
    chosen = {"Atelectasis": 0.8, "Hernia": 0.8}  # as the positives, which are flagged
    points = thresholds.operating_points(targets, scores, chosen, np.arange(40))
    assert set(points) == set(chosen)
    assert points["Atelectasis"].positives == 10
    assert points["Atelectasis"].sensitivity.value == pytest.approx(0.9)
    low, high = points["Atelectasis"].sensitivity.ci95
    assert low < 0.9 < high
    assert points["Hernia"].sensitivity.ci95 == pytest.approx([0.7225, 1.0], abs=1e-4)
    assert points["Hernia"].specificity.ci95[0] == pytest.approx(0.8865, abs=1e-4)


def intervals(targets, probabilities, patients):
    """The two intervals of each finding at a threshold of 0.5."""
    chosen = dict.fromkeys(FINDINGS, 0.5)
    points = thresholds.operating_points(targets, probabilities, chosen, patients)
    return {
        label: (point.sensitivity.ci95, point.specificity.ci95) for label, point in points.items()
    }


def test_intervals_know_nothing_new_from_copies_of_images():
    """Each image three times, the copies its patient's own, leaves every interval as it was."""
    rng = np.random.default_rng(0)
    targets = (rng.random((PATIENTS, len(LABELS))) < 0.4).astype(np.uint8)
    probabilities = np.clip(rng.normal(0.4 + 0.2 * targets, 0.2), 0, 1)
    probabilities[:, 0] = targets[:, 0]  # a finding without a miss, whose interval is Wilson's
    patients = np.arange(PATIENTS)
    once = intervals(targets, probabilities, patients)
    thrice = intervals(*(np.repeat(a, 3, axis=0) for a in (targets, probabilities, patients)))
    assert len(once) == len(FINDINGS)
    for label, found in once.items():
        np.testing.assert_allclose(thrice[label], found, atol=1e-9, err_msg=label)


@pytest.mark.parametrize("rule", ["youden", "f1"])
def test_threshold_is_the_best_point_of_the_pooled_curve(rule):
    """The observed curve counts as its positives, the implied one as 30; every score is tried."""
    rng = np.random.default_rng(3)
    targets = (rng.random((120, len(LABELS))) < 0.3).astype(np.uint8)
    scores = np.clip(rng.normal(0.3 + 0.2 * targets, 0.2), 0.02, 0.98).round(2)
    chosen = thresholds.choose(rule, targets, scores)
    for k, label in enumerate(FINDINGS):
        target, score = targets[:, k], scores[:, k]
        implied = 30 / (30 + target.sum())
        carried = (1 - implied) * target + implied * score

        def worth(threshold, score=score, carried=carried):
            flagged = score >= threshold
            found, wrong = carried[flagged].sum(), (1 - carried)[flagged].sum()
            if rule == "f1":
                return 2 * found / (flagged.sum() + carried.sum())
            return found / carried.sum() - wrong / (1 - carried).sum()

        best = max(map(worth, score))
        assert chosen[label] in score
        assert worth(chosen[label]) == pytest.approx(best)


def test_lowest_of_equally_accurate_thresholds_is_taken():
    """Of 0.2 and 0.8, every threshold between them parts the classes."""
    tried, accuracies, best = thresholds.accuracy_curve(*separated())
    assert best == pytest.approx(0.21)
    assert (len(tried), len(accuracies)) == (91, 91)
    assert tried[accuracies == 1.0][-1] == pytest.approx(0.8, abs=0.011)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (" youden ", thresholds.Rule("youden")),
        ("f1", thresholds.Rule("f1")),
        ("accuracy", thresholds.Rule("accuracy")),
        ("sensitivity=0.85", thresholds.Rule("sensitivity", 0.85)),
        ("sensitivity=1", thresholds.Rule("sensitivity", 1.0)),
    ],
)
def test_rule_is_read_from_its_text(text, rule):
    """Spaces around it are ignored."""
    assert thresholds.parse_rule(text) == rule
