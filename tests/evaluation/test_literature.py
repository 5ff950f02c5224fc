"""Published results stand beside a measurement only where both are of the same images."""

import numpy as np
import pandas as pd
import pytest
from support import measured

from cxr.datasets.files import ImageSource
from cxr.datasets.nih import NihData, Report
from cxr.evaluation import literature

FULL = measured.full()
# Two test patients by the data's own list, which names one image of each; 2 and 4 have others.
TABLE = pd.DataFrame(
    {"image": [f"{k}.png" for k in range(6)], "patient": ["1", "2", "2", "3", "4", "4"]}
)
LISTED = frozenset({"1.png", "4.png"})


def comparison(seen, rows, metrics=FULL, listed=LISTED):
    """The paragraph; `seen` are pairs of patient and set, `rows` those of the table."""
    split = pd.DataFrame(seen, columns=["patient", "split"], dtype=str)
    data = NihData(TABLE, np.zeros((6, 15)), ImageSource({}), Report(), listed)
    return literature.comparison(split, data, TABLE.iloc[rows], metrics)


@pytest.mark.parametrize(
    ("seen", "rows", "metrics", "reason"),
    [
        ([], [1, 2, 4, 5], FULL, "it is not known which patients training saw"),
        (
            [("2", "train"), ("4", "valid"), ("4", "valid"), ("3", "train")],
            [1, 2, 4, 5],
            FULL,
            "training or choosing saw 2 of the official test patients",
        ),
        (
            [("1", "train"), ("4", "test")],
            [0, 1, 2, 4],
            FULL,
            "3 of the 4 official test images were measured",
        ),
        (
            [("1", "train")],
            [0, 1, 2, 3, 4, 5],
            FULL,
            "2 images were measured that are not official test images",
        ),
        (
            [("1", "train")],
            [1, 2, 4, 5],
            FULL.model_copy(update={"mean_auroc": None}),
            "the mean AUROC is undefined",
        ),
    ],
)
def test_results_on_other_images_do_not_compare(monkeypatch, seen, rows, metrics, reason):
    """The paragraph gives no published number, only the first reason against it."""
    monkeypatch.setattr(literature, "OFFICIAL_TEST_IMAGES", 4)
    assert comparison(seen, rows, metrics) == (
        "These results do not compare with published ones, which are on the official test images: "
        f"{reason}."
    )


def test_results_on_the_official_test_images_compare(monkeypatch):
    """All images of the test patients and no other, none of them seen: published ones beside it."""
    monkeypatch.setattr(literature, "OFFICIAL_TEST_IMAGES", 4)
    text = comparison([("1", "train"), ("3", "valid"), ("2", "test")], [1, 2, 4, 5])
    mean = FULL.mean_auroc.value
    assert f"this model's mean AUROC is {mean:.3f}; published: 0.745 (Wang" in text
    assert "0.835 (the highest published that was found)" in text


def test_patients_of_the_stored_list_count_where_the_data_has_none():
    """Patient 3 is one of the release's test patients; patient 1 is not."""
    text = comparison([("1", "train"), ("3", "valid")], [0], listed=frozenset())
    assert "saw 1 of the official test patients" in text
    text = comparison([("1", "train")], [0, 3], listed=frozenset())
    assert "1 of the 25,596 official test images were measured" in text
