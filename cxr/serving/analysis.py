"""One film -> the answer that the command line and the API give, as plain data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cxr.prevalence
import cxr_labels
from cxr import radiograph
from cxr.box_rule import BoxRule
from cxr.model_folder import NOT_FOR_CLINICAL_USE
from cxr.prevalence import DEFAULT, Prevalence
from cxr.radiograph import Radiograph, RadiographError
from cxr.serving import heatmap
from cxr.serving.predictor import Prediction, Predictor

DISCLAIMER = (
    f"{NOT_FOR_CLINICAL_USE} A score is a model's estimate at the stated prevalence, not a finding "
    "by a physician, and a low score does not rule out disease."
)


class NotAChestFilm(RadiographError):
    """A picture that the screening refused."""


@dataclass(frozen=True)
class Analysis:
    """A film as read and the model's answer for it."""

    film: Radiograph
    prediction: Prediction
    box_rule: BoxRule

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on what looked odd, in the file and in the picture."""
        return (*self.film.warnings, *self.prediction.verdict.warnings)

    def boxes_of(self, label: str) -> list[heatmap.Box]:
        """Boxes [x, y, w, h] where the label's evidence lies, in pixels of the film as read."""
        height, width = self.film.grey.shape
        evidence = self.prediction.evidence_of(label)
        return heatmap.boxes(evidence, width, height, self.box_rule, label)

    def overlay_of(self, label: str):
        """The film with the label's evidence and boxes over it: uint8 [H, W, 3]."""
        evidence = self.prediction.evidence_of(label)
        return heatmap.overlay(self.film.pixels, evidence, self.boxes_of(label))


def analyze(
    predictor: Predictor, source: str | Path | bytes, prevalence: Prevalence = DEFAULT
) -> Analysis:
    """Reads a film and answers for it.

    Raises RadiographError when it cannot be read, and NotAChestFilm, which is one, when the
    screening refuses it.
    """
    with predictor.place():
        film = radiograph.read(source)
        prediction = predictor.predict([film], prevalence)[0]
    if prediction.verdict.refused:
        raise NotAChestFilm(prediction.verdict.refused)
    return Analysis(film, prediction, predictor.config.box_rule)


def answer(predictor: Predictor, file: str, analysis: Analysis) -> dict[str, Any]:
    """The JSON object for a film that was answered."""
    prediction = analysis.prediction
    return _object(
        predictor,
        file,
        prediction.prevalence,
        probabilities={label: round(p, 6) for label, p in prediction.probabilities.items()},
        flagged=list(prediction.flagged),
        boxes={label: analysis.boxes_of(label) for label in prediction.flagged},
        warnings=list(analysis.warnings),
    )


def refusal(
    predictor: Predictor, file: str, reason: str, prevalence: Prevalence = DEFAULT
) -> dict[str, Any]:
    """The JSON object for a film that was not answered. reason: one sentence."""
    return _object(predictor, file, prevalence, refused=reason)


def answer_file(
    predictor: Predictor, path: str | Path, file: str, prevalence: Prevalence = DEFAULT
) -> dict[str, Any]:
    """The JSON object for a film file, answered or refused."""
    try:
        return answer(predictor, file, analyze(predictor, path, prevalence))
    except RadiographError as error:
        return refusal(predictor, file, str(error), prevalence)


def csv_columns() -> list[str]:
    """The header of the CSV form."""
    return ["file", *cxr_labels.LABELS, "flagged", "warnings", "refused"]


def csv_row(found: dict[str, Any]) -> list[str]:
    """The JSON object as a row of the CSV form; lists are joined by "|", sentences by a space."""
    probabilities = found["probabilities"] or {}
    return [
        found["file"],
        *(str(probabilities.get(label, "")) for label in cxr_labels.LABELS),
        "|".join(found["flagged"]),
        " ".join(found["warnings"]),
        found["refused"] or "",
    ]


def _object(
    predictor: Predictor,
    file: str,
    prevalence: Prevalence,
    probabilities: dict[str, float] | None = None,
    flagged: list[str] | None = None,
    boxes: dict[str, list[heatmap.Box]] | None = None,
    warnings: list[str] | None = None,
    refused: str | None = None,
) -> dict[str, Any]:
    return {
        "file": file,
        "model": predictor.model.name,
        "revision": predictor.model.revision,
        "prevalence": cxr.prevalence.name(prevalence),
        "probabilities": probabilities,
        "flagged": flagged or [],
        "boxes": boxes or {},
        "warnings": warnings or [],
        "refused": refused,
        "disclaimer": DISCLAIMER,
    }
