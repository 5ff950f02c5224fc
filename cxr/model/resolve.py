"""Finds the model to use: a folder on disk, a repository on the Hub, or the embedded starter."""

import os
from dataclasses import dataclass
from pathlib import Path

from cxr.model import hub
from cxr.model.errors import HubAway, ModelFolderError
from cxr.model.hub import HubName

STARTER = Path(__file__).parents[2] / "models" / "starter"
FROM_CACHE = (
    "This model comes from the cache, as the Hub could not be asked; there may be a newer one."
)

# Seconds that the Hub has to answer: with a model in the cache to fall back on, and without.
_SHORT_WAIT, _LONG_WAIT = 1.5, 10.0


@dataclass(frozen=True)
class Model:
    """A model folder and where it comes from.

    Attributes:
        folder: The model folder.
        name: What results call it: OWNER/NAME on the Hub, else the last part of the folder's path.
        revision: The commit on the Hub, 40 hex digits; None for a folder on disk.
        note: A sentence on where it comes from that users should read, or "".
    """

    folder: Path
    name: str
    revision: str | None = None
    note: str = ""

    @classmethod
    def at(cls, folder: str | Path) -> "Model":
        """The model of a folder on disk."""
        return cls(Path(folder), Path(folder).resolve().name)

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}" if self.revision else self.name

    @property
    def address(self) -> str:
        """The page of this commit on the Hub, for a model that comes from there."""
        from huggingface_hub import constants

        return f"{constants.ENDPOINT}/{self.name}/tree/{self.revision}"


def find(name: str | None) -> Model:
    """Finds a model, and downloads it if necessary. The folder is not checked.

    Args:
        name: A folder, or OWNER/NAME[@REVISION] on the Hub; None for the starter. If OWNER is a
            local directory, the Hub is not queried. Without REVISION it is the newest commit.

    Raises:
        ModelFolderError: There is no such folder.
        HubError: The model cannot be downloaded. No other model takes its place.
    """
    if name is None and not STARTER.is_dir():  # as on a Space, which has no model of its own
        raise ModelFolderError("No model was named; name one, OWNER/NAME on the Hub, by CXR_MODEL.")
    if name is None:
        return Model.at(STARTER)
    if os.path.isdir(name):
        return Model.at(name)
    parts = Path(name).parts
    if len(parts) < 2:
        raise ModelFolderError(
            f"There is no model folder {name!r}; give the path of a folder that train.py wrote, or "
            "OWNER/NAME[@REVISION] of one on the Hub."
        )
    if os.path.isdir(parts[0]):
        raise ModelFolderError(
            f"There is no model folder {name!r}; the Hub was not asked for it, as {parts[0]!r} is "
            "a folder here."
        )
    return _find_on_hub(hub.parse(name))


def _find_on_hub(name: HubName) -> Model:
    from cxr.model import download

    def model(folder: Path, note: str = "") -> Model:
        return Model(folder, name.repository, folder.name, note)

    cached = download.find_cached(name)
    if cached and name.revision:
        return model(cached)
    try:
        return model(download.download(name, _SHORT_WAIT if cached else _LONG_WAIT))
    except HubAway:
        if cached is None:
            raise
        return model(cached, FROM_CACHE)
