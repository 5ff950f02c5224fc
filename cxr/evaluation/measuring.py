"""Measures a model on labelled images and writes the report, its plots and predictions.csv.

A training run measures its test images this way, and `python -m cxr evaluate` any others.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

import cxr.model.metrics
from cxr import atomic
from cxr.datasets import splits
from cxr.datasets.boxes import Boxes
from cxr.datasets.files import DataError
from cxr.datasets.nih import NihData
from cxr.evaluation import compute, html_report, literature, localisation, plots, predictions
from cxr.evaluation.compute import Sample
from cxr.evaluation.predictions import Predictions, ReadRow
from cxr.inference.boxes import find_boxes
from cxr.inference.input_check import Verdict
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import NIH, TRAINING, probabilities_at, restate
from cxr.model import model_folder
from cxr.model.metrics import InputCheck, Metrics
from cxr_labels import LABELS

# Begins the name of the folder in which a report is written before it is moved into its place.
UNFINISHED = ".unfinished-report-"


@dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
        data: The images and their table.
        rows: Those rows of `data` that are measured.
        read: Reads an image by its row.
        boxes: Where findings lie on some of the images.
        train: Rows of `data` that the model was trained on.
        seen: The model's splits.csv; no rows if it has none.
        name: Of the data.
        notes: Sentences for the report.
    """

    data: NihData
    rows: np.ndarray
    read: ReadRow
    boxes: Boxes
    train: np.ndarray
    seen: pd.DataFrame
    name: str
    notes: list[str]


def measure(predictor: Predictor, request: Request, output: Path) -> Metrics:
    """Measures, and writes metrics.json, figures/, predictions.csv and report.html.

    Nothing in `output` changes before all files are complete.

    Raises:
        DataError: `output` cannot be written to (which is found before measuring), or none of the
            images can be read.
    """
    with _unfinished(output) as folder:
        metrics = _measure(predictor, request, folder)
        _move(folder, output)
    return metrics


def count(images: int) -> str:
    """1 -> "1 image", 1234 -> "1,234 images"."""
    return "1 image" if images == 1 else f"{images:,} images"


@contextmanager
def _unfinished(output: Path) -> Iterator[Path]:
    """A folder to write to, which is removed when the block ends; so is `output` if it is empty.

    It lies inside `output`, because its parent may be another disk, or not be writable.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=output))
    except OSError as error:
        raise DataError(
            f"The folder {str(output)!r} cannot be written to ({error.strerror}); name another "
            "by --output."
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if not any(output.iterdir()):
            output.rmdir()


def _move(folder: Path, output: Path) -> None:
    """Moves all files into `output`, over older ones; report.html, which completes it, last."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in sorted(files, key=lambda path: path.name == model_folder.REPORT):
        place = output / path.relative_to(folder)
        place.parent.mkdir(exist_ok=True)
        os.replace(path, place)


def _measure(predictor: Predictor, request: Request, output: Path) -> Metrics:
    names = request.data.table.image
    boxed = {int(row) for row in request.rows if names[row] in request.boxes.of_image}
    predicted = predictions.collect(predictor, request.read, request.rows, boxed)
    if not predicted.readable.any():
        raise DataError(
            f"None of the images can be read ({count(len(request.rows))} to measure); check that "
            "they are whole PNG or JPEG images and that the download is complete."
        )
    rows = request.rows[predicted.readable]
    sample = Sample(
        request.data.table.iloc[rows],
        request.data.targets[rows],
        probabilities_at(predictor.config, predicted.logits, TRAINING),
    )
    metrics = _metrics(predictor, request, predicted, sample)
    cxr.model.metrics.write(output / model_folder.METRICS, metrics)
    _write_predictions(output / model_folder.PREDICTIONS, sample)
    drawn = plots.evaluation(
        metrics, sample.targets, sample.probabilities, output / model_folder.FIGURES
    )
    context = html_report.Context(
        str(predictor.model), request.name, f"{date.today():%Y-%m-%d}", drawn
    )
    cases = _cases(predictor, request, rows, sample)
    atomic.write_text(output / model_folder.REPORT, html_report.render(metrics, cases, context))
    return metrics


def _metrics(
    predictor: Predictor, request: Request, predicted: Predictions, sample: Sample
) -> Metrics:
    data, config = request.data, predictor.config
    train = (data.table.iloc[request.train], data.targets[request.train])
    metrics = compute.compute(sample, config, train)
    trained = request.seen[request.seen.split == splits.TRAIN]
    located, location_notes = localisation.compute(
        {data.table.image[row]: maps for row, maps in predicted.heatmaps.items()},
        dict(zip(data.table.image, data.table.patient.tolist(), strict=True)),
        request.boxes,
        set(trained.image_index),
        config.box_rule,
    )
    checked = _input_check(predicted.verdicts) if config.input_check else None
    notes = [
        *request.notes,
        *_unreadable(len(request.rows) - len(sample.table)),
        *metrics.notes,
        *location_notes,
        *_rejected(checked),
    ]
    return metrics.model_copy(
        update={
            "notes": notes,
            "images_of_trained_patients": int(sample.table.patient.isin(trained.patient).sum()),
            "localisation": located,
            "input_check": checked,
            "literature": literature.comparison(request.seen, data, sample.table, metrics),
        }
    )


def _unreadable(images: int) -> list[str]:
    were = "was" if images == 1 else "were"
    return [f"{count(images)} cannot be read and {were} left out."] if images else []


def _rejected(checked: InputCheck | None) -> list[str]:
    """The note on images for which a user would get no prediction."""
    if not (checked and checked.rejected):
        return []
    are = "is" if checked.rejected == 1 else "are"
    return [
        f"{count(checked.rejected)} that the input check would have rejected {are} included in "
        "the metrics."
    ]


def _input_check(verdicts: list[Verdict]) -> InputCheck:
    return InputCheck(
        images=len(verdicts),
        rejected=sum(verdict.rejected is not None for verdict in verdicts),
        warned=sum(v.rejected is None and bool(v.warnings) for v in verdicts),
    )


def _write_predictions(path: Path, sample: Sample) -> None:
    """predictions.csv: image, patient, and the probabilities at the training prevalence."""
    table = pd.DataFrame(sample.probabilities, columns=list(LABELS)).round(6)
    table.insert(0, "patient", sample.table.patient.to_numpy())
    table.insert(0, "image_index", sample.table.image.to_numpy())
    with atomic.replacing(path) as part:
        table.to_csv(part, index=False)


def _cases(
    predictor: Predictor, request: Request, rows: np.ndarray, sample: Sample
) -> html_report.Cases:
    """The images that the report shows, with heatmaps; they are read again, for few were kept."""
    config = predictor.config
    picked = html_report.pick_cases(
        sample.targets, sample.probabilities, sample.table.patient.to_numpy()
    )
    wanted = {int(rows[k]) for kinds in picked.values() for ks in kinds.values() for k in ks}
    shown = predictions.pixels_and_heatmaps(predictor, request.read, sorted(wanted))
    stated = restate(config, sample.probabilities, NIH)

    def case(label: str, k: int) -> html_report.Case:
        row, column = int(rows[k]), LABELS.index(label)
        pixels, heatmaps = shown[row]
        boxes = find_boxes(heatmaps[column], config.box_rule, label)
        return html_report.Case(
            request.data.table.image[row],
            float(stated[k, column]),
            bool(sample.probabilities[k, column] >= config.thresholds.get(label, np.inf)),
            tuple(name for name, on in zip(LABELS, sample.targets[k], strict=True) if on),
            html_report.thumbnail(pixels, heatmaps[column], boxes),
        )

    return {
        label: {kind: [case(label, k) for k in ks] for kind, ks in kinds.items()}
        for label, kinds in picked.items()
    }
