"""The figures: against scikit-learn, against simulation, and where they are undefined."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from cxr.training.boxes import Boxes
from cxr.training.evaluation import baselines, bootstrap, localisation, metrics, report, thresholds
from cxr_labels import FINDINGS, LABELS, NO_FINDING


def test_weighted_auroc_is_that_of_scikit_learn():
    """AUROC of a resample equals scikit-learn's with the same weights, ties included (1e-9)."""
    rng = np.random.default_rng(0)
    target = (rng.random(300) < 0.3).astype(np.uint8)
    score = np.round(rng.normal(target, 1.0), 1)
    weights = rng.integers(0, 4, (5, 300))
    expected = [roc_auc_score(target, score, sample_weight=w) for w in weights]
    assert bootstrap.aurocs(target, score, weights) == pytest.approx(expected, abs=1e-9)


def test_interval_covers_the_truth():
    """95 % intervals of simulated studies hold the true AUROC in about 95 % of them."""
    rng = np.random.default_rng(0)
    truth = 0.7602499389065233  # of two normals one standard deviation apart: Phi(1 / sqrt 2)
    held = 0
    for study in range(200):
        target = np.repeat(rng.random(120) < 0.4, 2).astype(np.uint8)
        score = rng.normal(target, 1.0)
        weights = bootstrap.patient_weights(np.repeat(np.arange(120), 2), study, resamples=200)
        low, high = bootstrap.interval(bootstrap.aurocs(target, score, weights)) or (0, 0)
        held += int(low <= truth <= high)
    assert 0.90 <= held / 200 <= 0.99


def test_films_of_a_patient_are_drawn_together():
    """In every resample all films of one patient count equally often."""
    patients = np.array([5, 5, 7, 9, 9, 9])
    weights = bootstrap.patient_weights(patients, resamples=50)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 2, 3]].sum(1) == 3).all()


def test_youden_threshold_lies_between_separated_classes():
    """With scores that part two classes, the threshold flags exactly the positives."""
    targets = np.zeros((40, len(LABELS)), np.uint8)
    targets[:10] = 1
    scores = np.where(targets == 1, 0.8, 0.2)
    chosen = thresholds.youden(targets, scores)
    assert set(chosen) == set(FINDINGS)
    assert NO_FINDING not in chosen
    assert all(0.2 < value <= 0.8 for value in chosen.values())


def test_finding_without_positives_is_rarely_flagged():
    """Where validation has no positives, the threshold flags 5 % of its films."""
    rng = np.random.default_rng(0)
    scores = rng.random((400, len(LABELS)))
    chosen = thresholds.youden(np.zeros((400, len(LABELS)), np.uint8), scores)
    assert (scores[:, 0] >= chosen["Atelectasis"]).mean() == pytest.approx(0.05, abs=0.01)


def test_constant_answers_are_counted_right():
    """Predicting nothing errs once a label; always "No Finding" gains its films, loses others."""
    targets = np.zeros((4, len(LABELS)), np.uint8)
    targets[:3, LABELS.index(NO_FINDING)] = 1
    targets[3, :2] = 1
    assert baselines.predict_nothing(targets) == pytest.approx(1 - 5 / 60)
    assert baselines.always_no_finding(targets) == pytest.approx(1 - 3 / 60)


def test_metadata_alone_finds_what_depends_on_it():
    """A finding that follows the view is found from the view; one that does not is not."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "sex": rng.choice(["M", "F"], 800),
            "view": rng.choice(["PA", "AP"], 800),
            "age": rng.integers(20, 90, 800).astype(float),
        }
    )
    targets = np.zeros((800, len(LABELS)), np.uint8)
    targets[:, 0] = (table["view"] == "AP") & (rng.random(800) < 0.8)
    with_view = baselines.metadata_only_mean_auroc(table, targets, table, targets)
    targets[:, 0] = rng.random(800) < 0.4
    without = baselines.metadata_only_mean_auroc(
        table[:400], targets[:400], table[400:], targets[400:]
    )
    assert with_view is not None
    assert with_view > 0.85
    assert without is not None
    assert abs(without - 0.5) < 0.1


def test_unknown_metadata_is_allowed():
    """Films without age, sex or view still get a baseline."""
    table = pd.DataFrame({"sex": [None] * 20, "view": [None] * 20, "age": [np.nan] * 20})
    targets = np.zeros((20, len(LABELS)), np.uint8)
    targets[::2, 0] = 1
    assert baselines.metadata_only_mean_auroc(table, targets, table, targets) == pytest.approx(0.5)


def test_pointing_game_counts_hits():
    """A map that peaks in the box hits, one that peaks elsewhere misses."""
    maps = np.zeros((len(LABELS), 10, 10), np.float32)
    maps[0, 2, 7] = 1.0
    boxes = Boxes({"hit": [(0, 0.7, 0.2, 0.1, 0.1)], "miss": [(0, 0.1, 0.1, 0.1, 0.1)]})
    found = localisation.pointing_game(
        {"hit": maps, "miss": maps}, {"hit": 1, "miss": 2}, boxes, train=[]
    )
    assert found is not None
    assert found["pointing"]["mean"] == 0.5
    assert found["controls"]["random_map"]["pointing"] == pytest.approx(0.01)


def test_constant_control_points_where_training_boxes_lie():
    """The control's place comes from the training films, and from no other."""
    boxes = Boxes({"seen": [(0, 0.0, 0.0, 0.25, 0.25)], "new": [(0, 0.0, 0.0, 0.2, 0.2)]})
    maps = {"new": np.zeros((len(LABELS), 4, 4), np.float32)}
    hit = localisation.pointing_game(maps, {"new": 2}, boxes, train=["seen"])
    boxes.of_film["seen"] = [(0, 0.75, 0.75, 0.25, 0.25)]
    miss = localisation.pointing_game(maps, {"new": 2}, boxes, train=["seen"])
    assert hit is not None
    assert miss is not None
    assert hit["controls"]["constant_box"]["pointing"] == 1.0
    assert miss["controls"]["constant_box"]["pointing"] == 0.0


def test_report_holds_no_nan():
    """Whatever is undefined is null with its reason; strict JSON takes the whole report."""
    import json

    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "patient": np.arange(30) // 2,
            "sex": rng.choice(["M", "F"], 30),
            "view": rng.choice(["PA", "AP"], 30),
            "age": rng.random(30) * 80,
        }
    )
    targets = np.zeros((30, len(LABELS)), np.uint8)
    targets[:12, 0] = 1
    targets[:, 1] = 1
    films = report.Predicted(table, targets, rng.random(targets.shape))
    chosen = thresholds.youden(films.targets, films.probabilities)
    measured = report.measure(films, films, table, targets, chosen, "patient")
    json.dumps(measured, allow_nan=False)
    assert measured["findings"]["Cardiomegaly"]["why"] == "every test film carries it"
    assert measured["findings"]["Atelectasis"]["auroc"] == metrics.auroc(
        targets[:, 0], films.probabilities[:, 0]
    )
