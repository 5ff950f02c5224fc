"""Published figures on ChestX-ray14, and whether a measurement may stand beside them."""

from typing import Any

import pandas as pd

from cxr.datasets import splits
from cxr.datasets.nih import NihData

OFFICIAL_TEST_IMAGES = 25_596
# Mean AUROC over the 14 findings on the release's own test images.
PUBLISHED = (
    "0.745 (Wang et al. 2017), 0.805 to 0.817 (a well-trained DenseNet-121), 0.822 (the best model "
    "found on the Hub) and 0.835 (the highest published that was found)"
)


def comparison(
    seen: pd.DataFrame, data: NihData, tested: pd.DataFrame, metrics: dict[str, Any]
) -> str:
    """One paragraph: the published figures beside this one, or why it does not compare with them.

    seen: the model's splits.csv, empty where it has none. tested: table of the images measured.
    Figures compare when the model saw no official test patient, for training or for choosing, and
    all 25,596 official test images were measured and no other.
    """
    official = splits.official_test_patients()
    if data.test_list:
        official = frozenset(data.table.patient[data.table.image.isin(data.test_list)].tolist())
    used = seen.patient[seen.split != splits.TEST]
    leaked = int(used[used.isin(official)].nunique())
    images = int(tested.patient.isin(official).sum())
    if seen.empty:
        reason = "it is not known whom training saw"
    elif leaked:
        reason = f"training or choosing saw {leaked:,} of the official test patients"
    elif images < OFFICIAL_TEST_IMAGES:
        reason = f"{images:,} of the {OFFICIAL_TEST_IMAGES:,} official test images were measured"
    elif len(tested) > images:
        reason = f"{len(tested) - images:,} images were measured that are not official test images"
    else:
        return (
            f"On the official test images this model's mean AUROC is {metrics['mean_auroc']:.3f}; "
            f"published: {PUBLISHED}."
        )
    return (
        "These figures do not compare with published ones, which are of the official test images: "
        f"{reason}."
    )
