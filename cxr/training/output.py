"""The output folder of a run, which holds a finished model or none.

A run works in a folder beside it, `NAME.partial`, where an interrupted training can be resumed.
When the model is complete, that folder moves to its place.
"""

import os
import shutil
from pathlib import Path

from cxr.datasets.files import DataError
from cxr.model import model_folder
from cxr.training import checkpoint


def partial(output: Path) -> Path:
    """Returns the folder in which a run works."""
    return _beside(output, "partial")


def is_finished(folder: Path) -> bool:
    """Returns whether a folder holds a finished model."""
    return (folder / model_folder.CONFIG).is_file()


def is_interrupted(output: Path) -> bool:
    """Returns whether there is an interrupted training for this output, with a finished epoch."""
    return (partial(output) / checkpoint.FILE).is_file()


def check(output: Path, resume: bool, overwrite: bool) -> None:
    """Checks that a run may write to `output`.

    Raises:
        DataError: `output` holds a finished model that should not be replaced, or other files; or
            an interrupted training that should not be resumed.
    """
    if is_finished(output):
        if not overwrite:
            raise DataError(
                f"The folder {str(output)!r} holds a finished model; name another by --output, or "
                "replace it by --overwrite."
            )
    elif output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise DataError(
            f"{str(output)!r} holds other files; name an empty or a new folder by --output."
        )
    if is_interrupted(output) and not resume:
        raise DataError(
            f"The training for {str(output)!r} was interrupted; add --resume to continue it, or "
            f"delete {str(partial(output))!r} to start again."
        )


def begin(output: Path, resume: bool) -> None:
    """Makes the folder in which a run works, empty unless a training is resumed."""
    if not resume:
        shutil.rmtree(partial(output), ignore_errors=True)
    partial(output).mkdir(parents=True, exist_ok=True)


def finish(output: Path) -> None:
    """Moves the finished model to its place, and removes the one that was there."""
    work = partial(output)
    for path in [work / checkpoint.FILE, *work.glob(".*.part*")]:
        path.unlink(missing_ok=True)
    replaced = _beside(output, "replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if output.exists():
        output.rename(replaced)
    work.rename(os.path.abspath(output))
    shutil.rmtree(replaced, ignore_errors=True)


def _beside(output: Path, suffix: str) -> Path:
    whole = Path(os.path.abspath(output))  # "." has no name
    return whole.with_name(f"{whole.name}.{suffix}")
