"""The result for an image as plain data: one JSON object, or one row of CSV.

The command line, the page, its API and Ray all use these forms.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cxr.inference.prevalence
import cxr_labels
from cxr.imaging import ImageError
from cxr.inference.boxes import in_pixels
from cxr.inference.many import map_in_order
from cxr.inference.prediction import Prediction
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import DEFAULT, Prevalence
from cxr.model.model_folder import NOT_FOR_CLINICAL_USE

Result = dict[str, Any]

DISCLAIMER = (
    f"{NOT_FOR_CLINICAL_USE} A score is a model's estimate at the stated prevalence, not a finding "
    "by a physician, and a low score does not rule out disease."
)
_SOURCE = ("file", "model", "revision", "prevalence", "operating_point")
CSV_COLUMNS = (*_SOURCE, *cxr_labels.LABELS, "flagged", "warnings", "rejected", "disclaimer")


def of_prediction(predictor: Predictor, file: str, prediction: Prediction) -> Result:
    """The JSON object for a prediction. file: what the result calls the image."""
    height, width = prediction.image.grey.shape
    return _result(
        predictor,
        file,
        prediction.prevalence,
        probabilities={label: round(p, 6) for label, p in prediction.probabilities.items()},
        flagged=list(prediction.flagged),
        boxes={
            label: in_pixels(prediction.boxes(label), width, height) for label in prediction.flagged
        },
        warnings=list(prediction.warnings),
    )


def of_file(
    predictor: Predictor, path: str | Path, file: str, prevalence: Prevalence = DEFAULT
) -> Result:
    """The JSON object for an image file, whether it is accepted or rejected."""
    try:
        return of_prediction(predictor, file, predictor.analyze(path, prevalence))
    except ImageError as error:
        return _result(predictor, file, prevalence, rejected=str(error))


def of_files(
    predictor: Predictor,
    paths: Iterable[str | Path],
    prevalence: Prevalence = DEFAULT,
    name: Callable[[str | Path], str] = str,
) -> Iterator[Result]:
    """The JSON objects for many image files, in order. name: path -> what results call it."""
    return map_in_order(lambda path: of_file(predictor, path, name(path), prevalence), paths)


def csv_row(result: Result) -> list[str]:
    """The JSON object as a row of CSV_COLUMNS; lists are joined by "|", sentences by a space."""
    probabilities = result["probabilities"] or {}
    return [
        *(result[key] or "" for key in _SOURCE),
        *(str(probabilities.get(label, "")) for label in cxr_labels.LABELS),
        "|".join(result["flagged"]),
        " ".join(result["warnings"]),
        result["rejected"] or "",
        result["disclaimer"],
    ]


def csv_text(rows: Iterable[Iterable[str]]) -> str:
    """Rows as lines of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _result(
    predictor: Predictor,
    file: str,
    prevalence: Prevalence,
    probabilities: dict[str, float] | None = None,
    flagged: list[str] | None = None,
    boxes: dict[str, list[list[int]]] | None = None,
    warnings: list[str] | None = None,
    rejected: str | None = None,
) -> Result:
    return {
        "file": file,
        "model": predictor.model.name,
        "revision": predictor.model.revision,
        "prevalence": cxr.inference.prevalence.name(prevalence),
        "operating_point": predictor.config.threshold_rule,
        "probabilities": probabilities,
        "flagged": flagged or [],
        "boxes": boxes or {},
        "warnings": warnings or [],
        "rejected": rejected,
        "disclaimer": DISCLAIMER,
    }
