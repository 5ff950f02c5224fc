"""Published results on ChestX-ray14, and whether a measurement compares with them."""

import pandas as pd

from cxr.datasets import splits
from cxr.datasets.nih import NihData
from cxr.model.metrics import Metrics

OFFICIAL_TEST_IMAGES = 25_596
# Mean AUROC over the 14 findings on the official test images.
PUBLISHED = (
    "0.745 (Wang et al. 2017), 0.805 to 0.817 (a well-trained DenseNet-121), 0.822 (the best model "
    "found on the Hub) and 0.835 (the highest published that was found)"
)


def comparison(seen: pd.DataFrame, data: NihData, measured: pd.DataFrame, metrics: Metrics) -> str:
    """One paragraph: the published results beside this one, or why they do not compare.

    They compare if the model saw no official test patient, in training or in choosing, and all
    25,596 official test images and no other were measured.

    Args:
        seen: The model's splits.csv; no rows if it has none.
        data: The data set.
        measured: Table of the images that were measured.
        metrics: What was measured on them.
    """
    official = splits.official_test_patients()
    if data.test_list:
        official = frozenset(data.table.patient[data.table.image.isin(data.test_list)].tolist())
    used = seen.patient[seen.split != splits.TEST]
    leaked = int(used[used.isin(official)].nunique())
    images = int(measured.patient.isin(official).sum())
    if seen.empty:
        reason = "it is not known which patients training saw"
    elif leaked:
        reason = f"training or choosing saw {leaked:,} of the official test patients"
    elif images < OFFICIAL_TEST_IMAGES:
        reason = f"{images:,} of the {OFFICIAL_TEST_IMAGES:,} official test images were measured"
    elif len(measured) > images:
        reason = (
            f"{len(measured) - images:,} images were measured that are not official test images"
        )
    elif metrics.mean_auroc is None:
        reason = "the mean AUROC is undefined"
    else:
        return (
            f"On the official test images this model's mean AUROC is "
            f"{metrics.mean_auroc.value:.3f}; published: {PUBLISHED}."
        )
    return (
        "These results do not compare with published ones, which are on the official test images: "
        f"{reason}."
    )
