"""The model folder: the names of its files, and the check that it is complete.

Training writes a model folder, inference reads it. The folder is rejected with one sentence when it
is not complete, when its config does not fit this program, or when `model.onnx` is not the file
that the config was written for.
"""

import hashlib
from pathlib import Path

from cxr.model.config import Config, read_config
from cxr.model.errors import ModelFolderError

CONFIG = "config.json"
ONNX = "model.onnx"
SAFETENSORS = "model.safetensors"
FASTAI = "model.pkl"
INPUT_CHECK = "input_check.npz"
PYPROJECT = "pyproject.toml"  # what the pickle needs, for those who load it from the Hub
SPLITS = "splits.csv"
METRICS = "metrics.json"
PREDICTIONS = "predictions.csv"
CARD = "README.md"
HISTORY = "history.csv"
OOD_IMAGES = "ood_images.json"
FIGURES = "figures"
BATCH = "batch.png"  # of the figures the one that shows images: for the run's folder alone
EXAMPLES = "examples"
REPORT = "report.html"

NOT_FOR_CLINICAL_USE = "A research demo, not for clinical use."


def load(folder: str | Path) -> Config:
    """Reads and checks a model folder: its config, and the hash of model.onnx.

    Raises:
        ModelFolderError: One sentence that says what does not fit.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelFolderError(f"There is no model folder {str(folder)!r}.")
    if not (folder / CONFIG).is_file():
        raise ModelFolderError(f"{str(folder)!r} is not a model folder: it has no {CONFIG}.")
    config = read_config(folder / CONFIG)
    onnx = folder / ONNX
    if not onnx.is_file():
        raise ModelFolderError(f"The model folder {str(folder)!r} has no {ONNX}.")
    if sha256(onnx) != config.sha256:
        raise ModelFolderError(
            f"{ONNX} in {str(folder)!r} is not the file that {CONFIG} was written for; "
            "fetch or train the model again."
        )
    return config


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
