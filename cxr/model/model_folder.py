"""The model folder: THE list of its files, and the check that a folder can be used.

Training writes a model folder and inference reads it. `FILES` decides what happens to each file:
`download` fetches what inference reads, `publish` sends what belongs on the Hub, `deploy` names the
same files as `download`, and `training.starter` copies what may be committed to a repository.
"""

import hashlib
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from cxr import imaging
from cxr.model.config import Config, read_config
from cxr.model.errors import ModelFolderError

CONFIG = "config.json"
ONNX = "model.onnx"
INPUT_CHECK = "input_check.npz"
SAFETENSORS = "model.safetensors"
FASTAI = "model.pkl"
PYPROJECT = "pyproject.toml"  # the packages that model.pkl needs
SPLITS = "splits.csv"
METRICS = "metrics.json"
PREDICTIONS = "predictions.csv"
CARD = "README.md"
HISTORY = "history.csv"
OOD_IMAGES = "ood_images.json"
FIGURES = "figures"
BATCH = "batch.png"  # the figure that shows training images
EXAMPLES = "examples"
REPORT = "report.html"

NOT_FOR_CLINICAL_USE = "A research demo, not for clinical use."


class Use(Enum):
    """What a part of the program does with a file."""

    NEVER = "never"
    IF_PRESENT = "if present"
    REQUIRED = "required"


@dataclass(frozen=True)
class ModelFile:
    """A file of a model folder, or all files of a kind in one of its subfolders.

    Attributes:
        path: Relative to the model folder. For a kind of files, the subfolder.
        serving: Whether inference reads it, so that it is downloaded and named by a Space.
        publishing: Whether it is sent to the Hub.
        committed: Whether the starter has it: it shows no NIH image and is of use there.
        suffixes: Of the files in the subfolder, in lower case; empty for a single file.
    """

    path: str
    serving: Use
    publishing: Use
    committed: bool
    suffixes: tuple[str, ...] = ()


# The first entry that matches a path counts.
FILES = (
    #         path          serving         publishing      committed
    ModelFile(CONFIG, Use.REQUIRED, Use.REQUIRED, True),
    ModelFile(ONNX, Use.REQUIRED, Use.REQUIRED, True),
    # Required where config.json names it: see `_check`.
    ModelFile(INPUT_CHECK, Use.IF_PRESENT, Use.IF_PRESENT, True),
    ModelFile(SAFETENSORS, Use.NEVER, Use.REQUIRED, True),
    ModelFile(FASTAI, Use.NEVER, Use.IF_PRESENT, False),  # a pickle may run any code
    ModelFile(PYPROJECT, Use.NEVER, Use.IF_PRESENT, False),
    ModelFile(SPLITS, Use.IF_PRESENT, Use.REQUIRED, True),
    ModelFile(METRICS, Use.IF_PRESENT, Use.REQUIRED, True),
    ModelFile(PREDICTIONS, Use.NEVER, Use.IF_PRESENT, False),
    ModelFile(HISTORY, Use.NEVER, Use.IF_PRESENT, False),
    ModelFile(OOD_IMAGES, Use.NEVER, Use.IF_PRESENT, True),
    ModelFile(CARD, Use.IF_PRESENT, Use.REQUIRED, True),
    ModelFile(f"{FIGURES}/{BATCH}", Use.NEVER, Use.NEVER, False),
    ModelFile(FIGURES, Use.IF_PRESENT, Use.IF_PRESENT, True, (".png",)),
    # Published are those that the table lists: see `examples.listed`.
    ModelFile(EXAMPLES, Use.IF_PRESENT, Use.IF_PRESENT, False, (".csv", *imaging.SUFFIXES)),
    ModelFile(REPORT, Use.NEVER, Use.NEVER, False),
)

REQUIRED_TO_SERVE = tuple(file.path for file in FILES if file.serving is Use.REQUIRED)
REQUIRED_TO_PUBLISH = tuple(file.path for file in FILES if file.publishing is Use.REQUIRED)

_PLAIN_NAME = re.compile(r"\w[\w .-]*")  # of a file in a subfolder; no hidden file, no other folder


def find(path: str) -> ModelFile | None:
    """Returns the entry of FILES for a path, None when it is no file of a model folder.

    Args:
        path: Relative to the model folder, with "/". It may come from anybody's repository.
    """
    folder, _, name = path.partition("/")
    suffix = os.path.splitext(name)[1].lower()
    plain = bool(_PLAIN_NAME.fullmatch(name))
    for file in FILES:
        if file.suffixes:
            matches = folder == file.path and plain and suffix in file.suffixes
        else:
            matches = path == file.path
        if matches:
            return file
    return None


def is_served(path: str) -> bool:
    """Whether inference reads this file of a repository."""
    file = find(path)
    return file is not None and file.serving is not Use.NEVER


def is_published(path: str) -> bool:
    """Whether this file of a model folder is sent to the Hub."""
    file = find(path)
    return file is not None and file.publishing is not Use.NEVER


def is_committed(path: str) -> bool:
    """Whether the starter has this file of a finished run."""
    file = find(path)
    return file is not None and file.committed


def present(folder: Path) -> list[str]:
    """The files of FILES that a folder has, in order; paths relative to it, with "/"."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = (path.relative_to(folder).as_posix() for path in paths)
    return [name for name in names if find(name)]


def check_served(config: Config, names: Collection[str], where: str) -> None:
    """Raises ModelFolderError when a file that inference needs is not among `names`."""
    _check([*REQUIRED_TO_SERVE], config, names, where)


def check_published(config: Config, names: Collection[str], where: str) -> None:
    """Raises ModelFolderError when a file that a published folder needs is not among `names`."""
    required = [*REQUIRED_TO_PUBLISH]
    if FASTAI in names:  # it cannot be loaded from the Hub without
        required.append(PYPROJECT)
    _check(required, config, names, where)


def _check(required: list[str], config: Config, names: Collection[str], where: str) -> None:
    if config.input_check:
        required.append(INPUT_CHECK)
    for name in required:
        if name not in names:
            raise ModelFolderError(f"The model folder {where!r} is not complete: it has no {name}.")


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
            "download or train the model again."
        )
    return config


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
