"""The example images of a model folder: test images on which the model is right, and wrong.

They are chosen by how far each finding is above its threshold, in log-odds (below: negative).

- *Right*: an image with the finding in its label, where the finding is above its threshold and
  above every finding that the label does not name. Its lead is the difference. For each finding the
  image with the largest lead is chosen, and the MOST findings with the largest leads are kept.
- *Wrong*: an image where a finding that its label does not name leads in the same way; the one with
  the largest lead. If there is none: an image whose findings are all below their thresholds.
- *No Finding*: an image with that label; the one whose highest finding is lowest.

Each image is of another patient, whom neither training nor choosing saw. The model predicts it once
more from the file that is written; an image that is then rejected, or predicted otherwise, is
skipped.
"""

import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cxr import imaging
from cxr.datasets import splits
from cxr.datasets.nih import NihData
from cxr.evaluation import predictions
from cxr.evaluation.model_card import IMAGES_AT
from cxr.imaging import GreyImage
from cxr.inference import probability
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import TRAINING
from cxr.model import model_folder
from cxr.model.config import Config
from cxr.model.examples import TABLE
from cxr_labels import DISPLAY, FINDINGS, LABELS, NO_FINDING

MOST = 8  # images on which the model is right
RIGHT, WRONG, NONE = "right", "wrong", "none"

_COLUMNS = ("file", "labels", "source")
_LEAST = 1e-6  # log-odds above its threshold of a finding that is exactly at it


@dataclass(frozen=True)
class Offer:
    """One example to choose, with the candidates for it.

    Attributes:
        kind: RIGHT, WRONG or NONE.
        label: For RIGHT the finding, else "".
        images: Indices of the candidates, best first.
    """

    kind: str
    label: str
    images: list[int]

    @property
    def why(self) -> str:
        """One sentence on why such an image is an example."""
        if self.kind == RIGHT:
            return f"The model is right about it: {DISPLAY[self.label].lower()}."
        if self.kind == WRONG:
            return "The model is wrong about it."
        return "Its label is No Finding, which does not rule out disease."


def rank(above: np.ndarray, targets: np.ndarray) -> list[Offer]:
    """Returns the examples to choose from N images: RIGHT by falling lead, then WRONG and NONE.

    Args:
        above: How far each finding is above its threshold, in log-odds, [N, 14]; -inf without one.
        targets: 0 or 1, [N, 15].
    """
    named = targets[:, : len(FINDINGS)].astype(bool)
    lead = above - _highest(np.where(named, -np.inf, above))[:, None]
    right = []
    for column, label in enumerate(FINDINGS):
        images = _best_first(np.where(named[:, column], lead[:, column], -np.inf), above=0)
        if images:
            right.append((lead[images[0], column], Offer(RIGHT, label, images)))
    right.sort(key=lambda item: -item[0])
    rightly = _highest(np.where(named, above, -np.inf))
    wrong = _best_first(np.where(named, -np.inf, above).max(1) - rightly, above=0)
    missed = np.where(named.any(1), -above.max(1), -np.inf)
    none = np.where(targets[:, LABELS.index(NO_FINDING)] == 1, -above.max(1), -np.inf)
    return [
        *(offer for _, offer in right),
        Offer(WRONG, "", wrong or _best_first(missed, above=0)),
        Offer(NONE, "", _best_first(none, above=-np.inf)),
    ]


def write(folder: Path, predictor: Predictor, data: NihData, split: np.ndarray) -> None:
    """Writes the folder examples/ of a model folder; needs its predictions.csv.

    The images are grey PNG files of the original size; examples.csv lists them with their labels
    and source.

    Args:
        folder: The model folder.
        predictor: Its model.
        data: The data of the run.
        split: One of splits.NAMES for each image.
    """
    place = folder / model_folder.EXAMPLES
    part = folder / f".{model_folder.EXAMPLES}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    with (part / TABLE).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_COLUMNS)
        for row, image, why in _choose(folder, predictor, data, split):
            source = data.table.image[row]
            name = source if source.lower().endswith(".png") else f"{source}.png"
            Image.fromarray(imaging.eight_bits(image)).save(part / name)
            labels = "|".join(np.array(LABELS)[data.targets[row] == 1])
            table.writerow((name, labels, _source(source, why)))
    shutil.rmtree(place, ignore_errors=True)
    part.rename(place)


def _choose(
    folder: Path, predictor: Predictor, data: NihData, split: np.ndarray
) -> Iterator[tuple[int, GreyImage, str]]:
    """Yields row of the data, image and reason of each example."""
    rows, probabilities = _held_out(folder, data, split)
    read = predictions.reader(data.source.reader(), list(data.table.image))
    patients = data.table.patient.to_numpy()
    taken: set[int] = set()
    right = 0
    for offer in rank(_above(predictor.config, probabilities), data.targets[rows]):
        if offer.kind == RIGHT and right == MOST:
            continue
        for row in rows[offer.images]:
            image = read(row) if patients[row] not in taken else None
            if image is not None and _holds(offer, predictor, image, data.targets[row]):
                yield int(row), image, offer.why
                taken.add(patients[row])
                right += offer.kind == RIGHT
                break


def _held_out(folder: Path, data: NihData, split: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the test images whose patients are in no other set, and their probabilities."""
    found = pd.read_csv(folder / model_folder.PREDICTIONS, dtype={"image_index": str})
    rows = pd.Index(data.table.image).get_indexer(found.image_index)
    patients = data.table.patient.to_numpy()
    seen = np.isin(patients, patients[split != splits.TEST])
    kept = (rows >= 0) & (split[rows] == splits.TEST) & ~seen[rows]
    return rows[kept], found.loc[kept, list(LABELS)].to_numpy(float)


def _holds(offer: Offer, predictor: Predictor, image: GreyImage, targets: np.ndarray) -> bool:
    """Whether the model predicts the image as the example says."""
    prediction = predictor.predict([image], TRAINING)[0]
    if prediction.verdict.rejected:
        return False
    above = _above(predictor.config, np.array([list(prediction.probabilities.values())]))
    offers = rank(above, targets[None])
    return any(one.images and (one.kind, one.label) == (offer.kind, offer.label) for one in offers)


def _above(config: Config, probabilities: np.ndarray) -> np.ndarray:
    """Probabilities [N, 15] at the training prevalence -> log-odds above the thresholds [N, 14]."""
    thresholds = np.array([config.thresholds.get(label, np.nan) for label in FINDINGS])
    found = probabilities[:, : len(FINDINGS)]
    above = probability.log_odds(found) - probability.log_odds(thresholds)
    # What reaches its threshold is flagged, even where both are 1 and log-odds end.
    above = np.where(found >= thresholds, np.maximum(above, _LEAST), above)
    return np.where(np.isnan(above), -np.inf, above)


def _highest(above: np.ndarray) -> np.ndarray:
    """The highest of the findings [N, 14] of each image; 0 where all are below their thresholds."""
    return np.maximum(above.max(1), 0)


def _best_first(scores: np.ndarray, above: float) -> list[int]:
    """Indices of the scores over `above`, the highest first, equal ones in their order."""
    order = np.argsort(-scores, kind="stable")
    return [int(k) for k in order if scores[k] > above]


def _source(image: str, why: str) -> str:
    return (
        f"Image {image} of NIH ChestX-ray14, NIH Clinical Center ({IMAGES_AT}), held out: the "
        f"model was neither trained on it nor chosen by it. {why}"
    )
