"""`python -m cxr evaluate`: any model folder, measured on any data in NIH's layout."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxr import model_folder
from cxr.serving.predictor import Predictor
from cxr.training import boxes, nih, splits
from cxr.training.evaluation import answers, measuring
from cxr.training.nih import DataError


def evaluate(
    model: Path, source: Path, output: Path, include_training: bool = False
) -> dict[str, Any]:
    """Measures the model on the films at `source` and writes all of it into `output`.

    Films of patients that the model's splits.csv calls train or valid are left out, unless they
    are asked for. Boxes are read from a BBox_List_2017.csv beside the films.
    Returns the content of metrics.json. Raises ModelFolderError, nih.DataError, LabelError or
    ValueError with one sentence.
    """
    _check_output(output)
    predictor = Predictor(model)
    data = nih.load(source)
    for sentence in data.report.sentences():
        print(f"Note: {sentence}")
    seen = _seen(model)
    used = data.table.patient.isin(seen.patient[seen.split != splits.TEST]).to_numpy()
    left_out = np.zeros(len(used), bool) if include_training else used
    if left_out.all():
        raise DataError(
            f"All {len(used):,} films are of patients that the model was trained on or chosen by; "
            "add --include-training to measure on them all the same."
        )
    note = _note(used, include_training, len(seen))
    if note:
        print(f"Note: {note}")
    read = answers.reader(data.source.reader(), list(data.table.image))
    trained = data.table.patient.isin(seen.patient[seen.split == splits.TRAIN]).to_numpy()
    asked = measuring.Asked(
        data=data,
        rows=np.flatnonzero(~left_out),
        read=read,
        boxes=boxes.parse(data.box_list) if data.box_list else boxes.Boxes(),
        train=np.flatnonzero(trained & left_out),
        seen=seen,
        name=source.resolve().name,
        notes=[note] if note else [],
    )
    return measuring.measure(predictor, asked, output)


def _check_output(output: Path) -> None:
    """Raises DataError where the report would lie between files that are not a report's."""
    if output.is_dir() and any(output.iterdir()) and not (output / model_folder.REPORT).is_file():
        raise DataError(
            f"The folder {str(output)!r} holds other files; name an empty or a new one by --output."
        )


def _seen(model: Path) -> pd.DataFrame:
    """The model's splits.csv; without a film where it has none."""
    path = model / model_folder.SPLITS
    if path.is_file():
        return splits.read(path)
    return pd.DataFrame({"image_index": [], "patient": [], "split": []})


def _note(used: np.ndarray, include_training: bool, known: int) -> str:
    """What the reader must know of patients that the model has seen; "" when there are none."""
    if not known:
        return (
            "The model folder has no splits.csv: films that it was trained on may be among those "
            "measured, and the figures too good."
        )
    if not used.any():
        return ""
    films = f"{used.sum():,} films of patients that the model was trained on or chosen by"
    if include_training:
        return f"{films} are counted in, as was asked: the figures are too good."
    return f"{films} were left out."
