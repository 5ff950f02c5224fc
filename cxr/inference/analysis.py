"""One image -> the answer that the command line and the API give, as plain data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cxr.inference.prevalence
import cxr_labels
from cxr import imaging
from cxr.imaging import GreyImage, ImageError
from cxr.inference.boxes import Box, pixel_boxes
from cxr.inference.overlay import draw_overlay
from cxr.inference.predictor import Prediction, Predictor
from cxr.inference.prevalence import DEFAULT, Prevalence
from cxr.model.box_rule import BoxRule
from cxr.model.model_folder import NOT_FOR_CLINICAL_USE

DISCLAIMER = (
    f"{NOT_FOR_CLINICAL_USE} A score is a model's estimate at the stated prevalence, not a finding "
    "by a physician, and a low score does not rule out disease."
)


@dataclass(frozen=True)
class Analysis:
    """An image as read and the model's answer for it."""

    image: GreyImage
    prediction: Prediction
    box_rule: BoxRule

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on what looked odd, in the file and in the image."""
        return (*self.image.warnings, *self.prediction.verdict.warnings)

    def boxes_of(self, label: str) -> list[Box]:
        """Boxes [x, y, w, h] where the label's heatmap lies, in pixels of the image as read."""
        height, width = self.image.grey.shape
        heatmap = self.prediction.heatmap_of(label)
        return pixel_boxes(heatmap, width, height, self.box_rule, label)

    def overlay_of(self, label: str):
        """The image with the label's heatmap and boxes over it: uint8 [H, W, 3]."""
        heatmap = self.prediction.heatmap_of(label)
        return draw_overlay(self.image.pixels, heatmap, self.boxes_of(label))


def analyze(
    predictor: Predictor, source: str | Path | bytes, prevalence: Prevalence = DEFAULT
) -> Analysis:
    """Reads an image and answers for it.

    Raises ImageError when it cannot be read, or with the code "not_a_chest_xray" when the input
    check rejects it.
    """
    with predictor.place():
        image = imaging.read_image(source)
        prediction = predictor.predict([image], prevalence)[0]
    if prediction.verdict.rejected:
        raise ImageError("not_a_chest_xray", prediction.verdict.rejected)
    return Analysis(image, prediction, predictor.config.box_rule)


def answer(predictor: Predictor, file: str, analysis: Analysis) -> dict[str, Any]:
    """The JSON object for an image that was answered."""
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


def rejection(
    predictor: Predictor, file: str, reason: str, prevalence: Prevalence = DEFAULT
) -> dict[str, Any]:
    """The JSON object for an image that was not answered. reason: one sentence."""
    return _object(predictor, file, prevalence, rejected=reason)


def answer_file(
    predictor: Predictor, path: str | Path, file: str, prevalence: Prevalence = DEFAULT
) -> dict[str, Any]:
    """The JSON object for an image file, answered or rejected."""
    try:
        return answer(predictor, file, analyze(predictor, path, prevalence))
    except ImageError as error:
        return rejection(predictor, file, str(error), prevalence)


def csv_columns() -> list[str]:
    """The header of the CSV form."""
    return ["file", *cxr_labels.LABELS, "flagged", "warnings", "rejected"]


def csv_row(found: dict[str, Any]) -> list[str]:
    """The JSON object as a row of the CSV form; lists are joined by "|", sentences by a space."""
    probabilities = found["probabilities"] or {}
    return [
        found["file"],
        *(str(probabilities.get(label, "")) for label in cxr_labels.LABELS),
        "|".join(found["flagged"]),
        " ".join(found["warnings"]),
        found["rejected"] or "",
    ]


def _object(
    predictor: Predictor,
    file: str,
    prevalence: Prevalence,
    probabilities: dict[str, float] | None = None,
    flagged: list[str] | None = None,
    boxes: dict[str, list[Box]] | None = None,
    warnings: list[str] | None = None,
    rejected: str | None = None,
) -> dict[str, Any]:
    return {
        "file": file,
        "model": predictor.model.name,
        "revision": predictor.model.revision,
        "prevalence": cxr.inference.prevalence.name(prevalence),
        "probabilities": probabilities,
        "flagged": flagged or [],
        "boxes": boxes or {},
        "warnings": warnings or [],
        "rejected": rejected,
        "disclaimer": DISCLAIMER,
    }
