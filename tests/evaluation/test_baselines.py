"""Predictions that never use the image."""

import numpy as np
import pytest
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
