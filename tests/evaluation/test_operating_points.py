"""What the thresholds reach: their intervals are those of patients, however many images each has."""

import numpy as np

from cxr.evaluation import thresholds
from cxr_labels import FINDINGS, LABELS

PATIENTS = 40


def intervals(targets, probabilities, patients):
    """The two intervals of each finding at a threshold of 0.5."""
    chosen = dict.fromkeys(FINDINGS, 0.5)
    points = thresholds.operating_points(targets, probabilities, chosen, patients)
    return {
        label: (point["sensitivity_ci95"], point["specificity_ci95"])
        for label, point in points.items()
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
