"""`python -m cxr evaluate`: any model folder, measured on any data in NIH's layout."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxr.datasets import boxes, kaggle, nih, splits
from cxr.datasets.nih import DataError, NihData
from cxr.evaluation import answers, measuring
from cxr.inference.predictor import Predictor
from cxr.model import model_folder
from cxr.model.resolve import Model
from cxr_labels import LabelError


def evaluate(
    model: str | Path | Model, source: Path, output: Path, include_training: bool = False
) -> dict[str, Any]:
    """Measures the model on the images at `source` and writes all of it into `output`.

    source: folder, zip, or kaggle:OWNER/NAME.

    Images of patients that the model's splits.csv calls train or valid are left out, unless they
    are asked for. Images whose labels cannot be used are left out too. Boxes are read from a
    BBox_List_2017.csv beside the images.
    Returns the content of metrics.json. Raises ModelFolderError, nih.DataError, LabelError or
    ValueError with one sentence.
    """
    _check_output(output)
    predictor = Predictor(model)
    data = nih.load(kaggle.locate(source), skip_unusable=True)
    labels = data.report.label_sentences()  # these are printed with the metrics
    for sentence in data.report.sentences():
        if sentence not in labels:
            print(f"Note: {sentence}")
    seen = _seen(predictor.folder)
    used = data.table.patient.isin(seen.patient[seen.split != splits.TEST]).to_numpy()
    left_out = np.zeros(len(used), bool) if include_training else used
    if left_out.all():
        raise DataError(
            f"All images ({measuring.count(len(used))}) are of patients that the model was trained "
            "on or chosen by; add --include-training to measure on them all the same."
        )
    found, broken = _boxes(data)
    named = bool(data.table.image.isin(seen.image_index).any())
    notes = [*_seen_notes(seen, named, int(used.sum()), include_training), *broken]
    read = answers.reader(data.source.reader(), list(data.table.image))
    trained = data.table.patient.isin(seen.patient[seen.split == splits.TRAIN]).to_numpy()
    asked = measuring.Asked(
        data=data,
        rows=np.flatnonzero(~left_out),
        read=read,
        boxes=found,
        train=np.flatnonzero(trained & left_out),
        seen=seen,
        name=source.resolve().name,
        notes=notes + labels,
    )
    return measuring.measure(predictor, asked, output)


def _check_output(output: Path) -> None:
    """Raises DataError where the report would lie between files that are not a report's."""
    try:
        names = {path.name for path in output.iterdir()} if output.is_dir() else set()
    except OSError as error:
        raise DataError(
            f"The folder {str(output)!r} cannot be read ({error.strerror}); name another by "
            "--output."
        ) from error
    if model_folder.CONFIG in names:
        raise DataError(
            f"The folder {str(output)!r} is a model folder, whose own figures would be lost; name "
            "an empty or a new one by --output."
        )
    others = [name for name in names if not name.startswith(measuring.UNFINISHED)]
    if others and model_folder.REPORT not in names:
        raise DataError(
            f"The folder {str(output)!r} holds other files; name an empty or a new one by --output."
        )


def _seen(model: Path) -> pd.DataFrame:
    """The model's splits.csv; without an image where it has none."""
    path = model / model_folder.SPLITS
    if path.is_file():
        return splits.read(path)
    return pd.DataFrame({"image_index": [], "patient": [], "split": []})


def _boxes(data: NihData) -> tuple[boxes.Boxes, list[str]]:
    """The boxes beside the images, and a sentence where their list cannot be used."""
    try:
        return boxes.parse(data.box_list) if data.box_list is not None else boxes.Boxes(), []
    except (DataError, LabelError) as error:
        return boxes.Boxes(), [f"Localisation was not measured: {error}"]


def _seen_notes(seen: pd.DataFrame, named: bool, used: int, include_training: bool) -> list[str]:
    """What the reader must know of patients that the model has seen.

    named: whether splits.csv names any of the images. used: how many images are of such patients.
    """
    if seen.empty:
        return [
            "The model folder has no splits.csv, so it is not known whom training saw: images that "
            "it was trained on may be among those measured, and the figures too good."
        ]
    if not used:
        return []
    patients = "a patient" if used == 1 else "patients"
    images = f"{measuring.count(used)} of {patients} that the model was trained on or chosen by"
    if include_training:
        are = "is" if used == 1 else "are"
        note = f"{images} {are} counted in, as was asked: the figures are too good."
    else:
        note = f"{images} {'was' if used == 1 else 'were'} left out."
    if not named:
        note += (
            " Patients go by their numbers, and none of the images bears a name that the model "
            "knows: if these are other people with the same numbers, this does not hold for them."
        )
    return [note]
