"""The example films of a model folder: test films that show what the model can do, and cannot.

All of it is told by how far a finding stands above its threshold, in log-odds (below: negative).

- *Right* for a finding is a film whose label names that finding, where it stands above its
  threshold and above every finding that the label does not name. By how much is its lead: how
  confident the model is. For each finding the film with the largest lead is taken, and of the
  findings the MOST with the largest.
- *Wrong* is a film where a finding that its label does not name leads in the same way; the largest
  lead is taken. Where there is none: a film whose findings all stay below their thresholds.
- *No Finding* is a film so labelled; the one is taken whose highest finding is lowest.

Each is of another patient, and of none that training or choosing saw. It is answered once more as
the page will answer, from the file that is written: what is then refused, or answered otherwise, is
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

from cxr import model_folder, probability, radiograph
from cxr.model_folder import Config
from cxr.prevalence import TRAINING
from cxr.radiograph import Radiograph
from cxr.serving.examples import TABLE
from cxr.serving.predictor import Predictor
from cxr.training import splits
from cxr.training.evaluation import answers
from cxr.training.model_card.use import FILMS_AT
from cxr.training.nih import NihData
from cxr_labels import DISPLAY, FINDINGS, LABELS, NO_FINDING

MOST = 8  # films that are right
RIGHT, WRONG, NONE = "right", "wrong", "none"

_COLUMNS = ("file", "labels", "source")
_LEAST = 1e-6  # log-odds by which a finding at its threshold counts as above it


@dataclass(frozen=True)
class Offer:
    """A place among the examples, and the films for it, best first.

    kind: RIGHT, WRONG or NONE. label: the finding that the film is right for, else "".
    """

    kind: str
    label: str
    films: list[int]

    @property
    def why(self) -> str:
        """One sentence on why such a film is offered."""
        if self.kind == RIGHT:
            return f"The model is right about it: {DISPLAY[self.label].lower()}."
        if self.kind == WRONG:
            return "The model is wrong about it."
        return "Its label is No Finding, which does not rule out disease."


def rank(above: np.ndarray, targets: np.ndarray) -> list[Offer]:
    """The offers for N films, those that are right first, the surest finding first.

    above: how far each finding stands above its threshold in log-odds, [N, 14]; -inf where it has
    none. targets: 0 or 1, [N, 15].
    """
    named = targets[:, : len(FINDINGS)].astype(bool)
    lead = above - _highest(np.where(named, -np.inf, above))[:, None]
    right = []
    for column, label in enumerate(FINDINGS):
        films = _best_first(np.where(named[:, column], lead[:, column], -np.inf), above=0)
        if films:
            right.append((lead[films[0], column], Offer(RIGHT, label, films)))
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

    The films are PNG, grey, at the size of the files they come from; examples.csv lists them with
    their labels and source. split: of each film of the data, one of splits.NAMES.
    """
    place = folder / model_folder.EXAMPLES
    part = folder / f".{model_folder.EXAMPLES}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    with (part / TABLE).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_COLUMNS)
        for row, film, why in _choose(folder, predictor, data, split):
            image = data.table.image[row]
            name = image if image.lower().endswith(".png") else f"{image}.png"
            Image.fromarray(radiograph.eight_bits(film)).save(part / name)
            labels = "|".join(np.array(LABELS)[data.targets[row] == 1])
            table.writerow((name, labels, _source(image, why)))
    shutil.rmtree(place, ignore_errors=True)
    part.rename(place)


def _choose(
    folder: Path, predictor: Predictor, data: NihData, split: np.ndarray
) -> Iterator[tuple[int, Radiograph, str]]:
    """Row of the data, film and why, of each film that is offered."""
    rows, probabilities = _held_out(folder, data, split)
    read = answers.reader(data.source.reader(), list(data.table.image))
    patients = data.table.patient.to_numpy()
    taken: set[int] = set()
    right = 0
    for offer in rank(_above(predictor.config, probabilities), data.targets[rows]):
        if offer.kind == RIGHT and right == MOST:
            continue
        for row in rows[offer.films]:
            film = read(row) if patients[row] not in taken else None
            if film is not None and _holds(offer, predictor, film, data.targets[row]):
                yield int(row), film, offer.why
                taken.add(patients[row])
                right += offer.kind == RIGHT
                break


def _held_out(folder: Path, data: NihData, split: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the test films of patients that no other set knows, and what was predicted there."""
    found = pd.read_csv(folder / model_folder.PREDICTIONS, dtype={"image_index": str})
    rows = pd.Index(data.table.image).get_indexer(found.image_index)
    patients = data.table.patient.to_numpy()
    seen = np.isin(patients, patients[split != splits.TEST])
    kept = (rows >= 0) & (split[rows] == splits.TEST) & ~seen[rows]
    return rows[kept], found.loc[kept, list(LABELS)].to_numpy(float)


def _holds(offer: Offer, predictor: Predictor, film: Radiograph, targets: np.ndarray) -> bool:
    """Whether the page, given that film, answers as the offer says."""
    answer = predictor.predict([film], TRAINING)[0]
    if answer.verdict.refused:
        return False
    above = _above(predictor.config, np.array([list(answer.probabilities.values())]))
    offers = rank(above, targets[None])
    return any(one.films and (one.kind, one.label) == (offer.kind, offer.label) for one in offers)


def _above(config: Config, probabilities: np.ndarray) -> np.ndarray:
    """Probabilities [N, 15] at the training prevalence -> log-odds above the thresholds [N, 14]."""
    thresholds = np.array([config.thresholds.get(label, np.nan) for label in FINDINGS])
    found = probabilities[:, : len(FINDINGS)]
    above = probability.log_odds(found) - probability.log_odds(thresholds)
    # What reaches its threshold is flagged, even where both are 1 and log-odds end.
    above = np.where(found >= thresholds, np.maximum(above, _LEAST), above)
    return np.where(np.isnan(above), -np.inf, above)


def _highest(above: np.ndarray) -> np.ndarray:
    """The highest of a film's findings [N, 14], or 0, its threshold, where all are below: [N]."""
    return np.maximum(above.max(1), 0)


def _best_first(scores: np.ndarray, above: float) -> list[int]:
    """Places of the scores over `above`, the highest first, equal ones in their order."""
    order = np.argsort(-scores, kind="stable")
    return [int(k) for k in order if scores[k] > above]


def _source(image: str, why: str) -> str:
    return (
        f"Film {image} of NIH ChestX-ray14, NIH Clinical Center ({FILMS_AT}), held out: the model "
        f"was neither trained on it nor chosen by it. {why}"
    )
