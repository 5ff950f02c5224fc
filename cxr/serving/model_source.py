"""Which model folder to serve: the one that was named, or the embedded starter."""

from pathlib import Path

from cxr.model_folder import ModelFolderError

STARTER = Path(__file__).parents[2] / "models" / "starter"


def find(name: str | None) -> Path:
    """The model folder that `name` names; the starter when it is None.

    Raises ModelFolderError: a named model that cannot be had never turns into the starter.
    """
    if name is None:
        return STARTER
    folder = Path(name)
    if not folder.is_dir():
        raise ModelFolderError(
            f"There is no model folder {name!r}; give the path of a folder that train.py wrote."
        )
    return folder
