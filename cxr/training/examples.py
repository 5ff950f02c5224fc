"""The example images of a model folder: test images that show what the model can do, and cannot.

All of it is told by how far a finding stands above its threshold, in log-odds (below: negative).

- *Right* for a finding is an image whose label names that finding, where it stands above its
  threshold and above every finding that the label does not name. By how much is its lead: how
  confident the model is. For each finding the image with the largest lead is taken, and of the
  findings the MOST with the largest.
- *Wrong* is an image where a finding that its label does not name leads in the same way; the largest
  lead is taken. Where there is none: an image whose findings all stay below their thresholds.
- *No Finding* is an image so labelled; the one is taken whose highest finding is lowest.

Each is of another patient, and of none that training or choosing saw. It is answered once more as
the page will answer, from the file that is written: what is then rejected, or answered otherwise, is
passed over.
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

MOST = 8  # images that are right
RIGHT, WRONG, NONE = "right", "wrong", "none"

_COLUMNS = ("file", "labels", "source")
_LEAST = 1e-6  # log-odds by which a finding at its threshold counts as above it


@dataclass(frozen=True)
class Offer:
    """A place among the examples, and the images for it, best first.

    kind: RIGHT, WRONG or NONE. label: the finding that the image is right for, else "".
    """

    kind: str
    label: str
    images: list[int]

    @property
    def why(self) -> str:
        """One sentence on why such an image is offered."""
        if self.kind == RIGHT:
            return f"The model is right about it: {DISPLAY[self.label].lower()}."
        if self.kind == WRONG:
            return "The model is wrong about it."
        return "Its label is No Finding, which does not rule out disease."


def rank(above: np.ndarray, targets: np.ndarray) -> list[Offer]:
    """The offers for N images, those that are right first, the surest finding first.

    above: how far each finding stands above its threshold in log-odds, [N, 14]; -inf where it has
    none. targets: 0 or 1, [N, 15].
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
    """Writes examples/ of a model folder, in place of an older one; needs its predictions.csv.

    The images are PNG, grey, at the size of the files they come from; examples.csv lists them with
    their labels and source. split: of each image of the data, one of splits.NAMES.
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
    """Row of the data, image and why, of each image that is offered."""
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
    """Rows of the test images of patients that no other set knows, and what was predicted there."""
    found = pd.read_csv(folder / model_folder.PREDICTIONS, dtype={"image_index": str})
    rows = pd.Index(data.table.image).get_indexer(found.image_index)
    patients = data.table.patient.to_numpy()
    seen = np.isin(patients, patients[split != splits.TEST])
    kept = (rows >= 0) & (split[rows] == splits.TEST) & ~seen[rows]
    return rows[kept], found.loc[kept, list(LABELS)].to_numpy(float)


def _holds(offer: Offer, predictor: Predictor, image: GreyImage, targets: np.ndarray) -> bool:
    """Whether the page, given that image, answers as the offer says."""
    answer = predictor.predict([image], TRAINING)[0]
    if answer.verdict.rejected:
        return False
    above = _above(predictor.config, np.array([list(answer.probabilities.values())]))
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
    """The highest of an image's findings [N, 14], or 0, its threshold, where all are below: [N]."""
    return np.maximum(above.max(1), 0)


def _best_first(scores: np.ndarray, above: float) -> list[int]:
    """Places of the scores over `above`, the highest first, equal ones in their order."""
    order = np.argsort(-scores, kind="stable")
    return [int(k) for k in order if scores[k] > above]


def _source(image: str, why: str) -> str:
    return (
        f"Image {image} of NIH ChestX-ray14, NIH Clinical Center ({IMAGES_AT}), held out: the model "
        f"was neither trained on it nor chosen by it. {why}"
    )
