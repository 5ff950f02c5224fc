"""Measures the model of a folder on images, and leaves the plots, the report and predictions.csv.

A training run measures its test images this way, and `python -m cxr evaluate` any others.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxr import atomic
from cxr.datasets import splits
from cxr.datasets.boxes import Boxes
from cxr.datasets.nih import DataError, NihData
from cxr.evaluation import answers, literature, localisation, page, plots, report
from cxr.evaluation.answers import Answers
from cxr.imaging import GreyImage
from cxr.inference.boxes import find_boxes
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import NIH, TRAINING, probabilities_at, restate
from cxr.model import model_folder
from cxr_labels import LABELS

# Begins the name of the folder in which a report is written before it is moved into its place.
UNFINISHED = ".unfinished-report-"


@dataclass(frozen=True)
class Asked:
    """What to measure.

    data: the images and their table; rows: those to measure. read: row -> image, None where it
    cannot be read. boxes: where findings lie on some of them. train: rows of `data` that the model
    was trained on. seen: what the model's splits.csv says, image by image; empty where there is none.
    name: of the data. notes: sentences for the report.
    """

    data: NihData
    rows: np.ndarray
    read: Callable[[int], GreyImage | None]
    boxes: Boxes
    train: np.ndarray
    seen: pd.DataFrame
    name: str
    notes: list[str]


def measure(predictor: Predictor, asked: Asked, output: Path) -> dict[str, Any]:
    """metrics.json of the images, which it writes with figures/, predictions.csv and report.html.

    Nothing changes in `output` before all of it is written. Raises DataError when `output` cannot
    be written to, which is found before measuring, or when none of the images can be read.
    """
    with _unfinished(output) as folder:
        metrics = _measure(predictor, asked, folder)
        _move(folder, output)
    return metrics


def count(images: int) -> str:
    """1 -> "1 image", 1234 -> "1,234 images"."""
    return "1 image" if images == 1 else f"{images:,} images"


@contextmanager
def _unfinished(output: Path) -> Iterator[Path]:
    """A folder to write to, which goes when the block ends; so does `output` if still empty.

    It lies inside `output`, since what is beside may be another disk, or not be writable.
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
    """Moves all files into `output`, over older ones; report.html, which marks it whole, last."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in sorted(files, key=lambda path: path.name == model_folder.REPORT):
        place = output / path.relative_to(folder)
        place.parent.mkdir(exist_ok=True)
        os.replace(path, place)


def _measure(predictor: Predictor, asked: Asked, output: Path) -> dict[str, Any]:
    names = asked.data.table.image
    boxed = {int(i) for i in asked.rows if names[i] in asked.boxes.of_image}
    found = answers.collect(predictor, asked.read, asked.rows, boxed)
    if not found.readable.any():
        raise DataError(
            f"None of the images can be read ({count(len(asked.rows))} to measure); check that they "
            "are whole PNG or JPEG images and that the download is complete."
        )
    rows = asked.rows[found.readable]
    test = report.Predicted(
        asked.data.table.iloc[rows],
        asked.data.targets[rows],
        probabilities_at(predictor.config, found.logits, TRAINING),
    )
    metrics = _metrics(predictor, asked, found, test)
    atomic.write_json(output / model_folder.METRICS, metrics)
    _write_predictions(output / model_folder.PREDICTIONS, test)
    drawn = plots.evaluation(
        metrics, test.targets, test.probabilities, output / model_folder.FIGURES
    )
    context = page.Context(
        str(predictor.model), asked.name, f"{date.today():%Y-%m-%d}", metrics["literature"], drawn
    )
    cases = _cases(predictor, asked, rows, test)
    atomic.write_text(output / model_folder.REPORT, page.render(metrics, cases, context))
    return metrics


def _metrics(
    predictor: Predictor, asked: Asked, found: Answers, test: report.Predicted
) -> dict[str, Any]:
    config, data, train = predictor.config, asked.data, asked.train
    metrics = report.measure(
        test,
        config,
        str(config.training.get("split", "unknown")),
        (data.table.iloc[train], data.targets[train]) if len(train) else None,
        config.accuracy_threshold,
    )
    trained = asked.seen[asked.seen.split == splits.TRAIN]
    metrics["images_of_trained_patients"] = int(test.table.patient.isin(trained.patient).sum())
    metrics["notes"] = [*asked.notes, *_unreadable(asked, test), *metrics["notes"]]
    where, notes = localisation.measure(
        {data.table.image[i]: maps for i, maps in found.heatmap.items()},
        dict(zip(data.table.image, data.table.patient.tolist(), strict=True)),
        asked.boxes,
        set(trained.image_index),
        config.box_rule,
    )
    metrics["notes"] += notes
    if where:
        metrics["localisation"] = where
    if config.input_check:
        metrics["input_check"] = checked = _checked(found)
        metrics["notes"] += _rejected(checked["rejected"])
    metrics["literature"] = literature.comparison(asked.seen, data, test.table, metrics)
    return metrics


def _unreadable(asked: Asked, test: report.Predicted) -> list[str]:
    images = len(asked.rows) - len(test.table)
    were = "was" if images == 1 else "were"
    return [f"{count(images)} cannot be read and {were} left out."] if images else []


def _rejected(images: int) -> list[str]:
    """What the reader must know of images that a user would get no answer for."""
    are = "is" if images == 1 else "are"
    note = f"{count(images)} that the input check would have rejected {are} counted in the plots."
    return [note] if images else []


def _checked(found: Answers) -> dict[str, Any]:
    """How many of the images the input check rejected, or answered with a warning."""
    rejected = sum(verdict.rejected is not None for verdict in found.verdicts)
    warned = sum(verdict.rejected is None and bool(verdict.warnings) for verdict in found.verdicts)
    images = len(found.verdicts)
    return {
        "images": images,
        "rejected": rejected,
        "warned": warned,
        "rejected_share": rejected / images,
        "warned_share": warned / images,
    }


def _write_predictions(path: Path, test: report.Predicted) -> None:
    """predictions.csv: image, patient, and the images' probabilities at training prevalence."""
    table = pd.DataFrame(test.probabilities, columns=list(LABELS)).round(6)
    table.insert(0, "patient", test.table.patient.to_numpy())
    table.insert(0, "image_index", test.table.image.to_numpy())
    with atomic.replacing(path) as part:
        table.to_csv(part, index=False)


def _cases(
    predictor: Predictor,
    asked: Asked,
    rows: np.ndarray,
    test: report.Predicted,
) -> dict[str, dict[str, list[page.Case]]]:
    """The images that the report shows, with their maps: read again, for few were kept."""
    picked = page.pick_cases(test.targets, test.probabilities, test.table.patient.to_numpy())
    wanted = sorted(
        {int(rows[k]) for kinds in picked.values() for ks in kinds.values() for k in ks}
    )
    pictured = answers.pictures(predictor, asked.read, wanted)
    thresholds = predictor.config.thresholds
    stated = restate(predictor.config, test.probabilities, NIH)

    def case(label: str, k: int) -> page.Case:
        row, column = int(rows[k]), LABELS.index(label)
        image, maps = pictured[row]
        boxes = find_boxes(maps[column], predictor.config.box_rule, label)
        return page.Case(
            asked.data.table.image[row],
            float(stated[k, column]),
            bool(test.probabilities[k, column] >= thresholds.get(label, np.inf)),
            tuple(name for name, on in zip(LABELS, test.targets[k], strict=True) if on),
            page.thumbnail(image, maps[column], boxes),
        )

    return {
        label: {kind: [case(label, k) for k in ks] for kind, ks in kinds.items()}
        for label, kinds in picked.items()
    }
