"""`python -m cxr evaluate`: any model folder, measured on any data in NIH's layout."""

from pathlib import Path

import numpy as np
import pandas as pd

from cxr.datasets import boxes, kaggle, nih, splits
from cxr.datasets.files import DataError
from cxr.datasets.nih import NihData
from cxr.evaluation import measuring, predictions
from cxr.inference.predictor import Predictor
from cxr.model import model_folder
from cxr.model.metrics import Metrics
from cxr.model.resolve import Model
from cxr_labels import LabelError


def evaluate(
    model: str | Path | Model, source: Path, output: Path, include_training: bool = False
) -> Metrics:
    """Measures a model and writes metrics.json, figures/, predictions.csv and report.html.

    Images whose labels cannot be used are left out. Boxes are read from a BBox_List_2017.csv
    beside the images.

    Args:
        model: A model folder, or a model that was found.
        source: Folder, zip, or kaggle:OWNER/NAME.
        output: The folder for the report.
        include_training: Measure images of patients that the model's splits.csv puts into the
            training or validation set too. By default they are left out.

    Raises:
        ModelFolderError: The model cannot be used.
        DataError: The data or the output folder cannot be used.
        LabelError: A label is not one of the 15.
        ValueError: No image is left.
    """
    _check_output(output)
    predictor = Predictor(model)
    data = nih.load(kaggle.locate(source), skip_unusable=True)
    seen = _seen(predictor.folder)
    used = data.table.patient.isin(seen.patient[seen.split != splits.TEST]).to_numpy()
    left_out = np.zeros(len(used), bool) if include_training else used
    if left_out.all():
        raise DataError(
            f"All images ({measuring.count(len(used))}) are of patients that the model was trained "
            "on or chosen by; add --include-training to measure on them all the same."
        )
    found, box_notes = _boxes(data)
    named = bool(data.table.image.isin(seen.image_index).any())
    trained = data.table.patient.isin(seen.patient[seen.split == splits.TRAIN]).to_numpy()
    request = measuring.Request(
        data=data,
        rows=np.flatnonzero(~left_out),
        read=predictions.reader(data.source.reader(), list(data.table.image)),
        boxes=found,
        train=np.flatnonzero(trained & left_out),
        seen=seen,
        name=source.resolve().name,
        notes=[
            *_seen_notes(seen, named, int(used.sum()), include_training),
            *box_notes,
            *data.report.sentences(),
        ],
    )
    return measuring.measure(predictor, request, output)


def _check_output(output: Path) -> None:
    """Raises DataError if the folder holds files that do not belong to a report."""
    try:
        names = {path.name for path in output.iterdir()} if output.is_dir() else set()
    except OSError as error:
        raise DataError(
            f"The folder {str(output)!r} cannot be read ({error.strerror}); name another by "
            "--output."
        ) from error
    if model_folder.CONFIG in names:
        raise DataError(
            f"The folder {str(output)!r} is a model folder, whose own metrics would be lost; name "
            "an empty or a new one by --output."
        )
    others = [name for name in names if not name.startswith(measuring.UNFINISHED)]
    if others and model_folder.REPORT not in names:
        raise DataError(
            f"The folder {str(output)!r} holds other files; name an empty or a new one by --output."
        )


def _seen(model: Path) -> pd.DataFrame:
    """The model's splits.csv; no rows if it has none."""
    path = model / model_folder.SPLITS
    if path.is_file():
        return splits.read(path)
    return pd.DataFrame({"image_index": [], "patient": [], "split": []})


def _boxes(data: NihData) -> tuple[boxes.Boxes, list[str]]:
    """The boxes beside the images, and a note if their list cannot be used."""
    try:
        return boxes.parse(data.box_list) if data.box_list is not None else boxes.Boxes(), []
    except (DataError, LabelError) as error:
        return boxes.Boxes(), [f"Localisation was not measured: {error}"]


def _seen_notes(seen: pd.DataFrame, named: bool, used: int, include_training: bool) -> list[str]:
    """What the reader must know about patients that the model has seen.

    Args:
        seen: The model's splits.csv.
        named: Whether it names any of the images.
        used: How many images are of patients of its training or validation set.
        include_training: Whether those images are measured.
    """
    if seen.empty:
        return [
            "The model folder has no splits.csv, so it is not known which patients training saw. "
            "Some of them may be among those measured, which makes the metrics too good."
        ]
    if not used:
        return []
    patients = "a patient" if used == 1 else "patients"
    images = f"{measuring.count(used)} of {patients} that the model was trained on or chosen by"
    if include_training:
        are = "is" if used == 1 else "are"
        return [f"{images} {are} included, as requested: the metrics are too good."]
    note = f"{images} {'was' if used == 1 else 'were'} left out."
    if not named:
        note += (
            " Patients are compared by their identifiers, and splits.csv names none of these "
            "images. If they are other people with the same identifiers, they were left out by "
            "mistake; --include-training includes them."
        )
    return [note]
