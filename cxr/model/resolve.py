"""Which model to serve: a folder here, one of the Hub's, or the embedded starter.

A model on the Hub is fetched into the cache of the Hub's client, which other programs share. A
name without a commit is resolved once, and everything is fetched from that commit. Of a repository,
which may be anybody's, only the files that serving reads are asked for: no pickle, no code. Its
config.json comes last, so that a commit in the cache which has it has the others too.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr import atomic, imaging
from cxr.deadline import run_with_timeout
from cxr.model import hub, model_folder
from cxr.model.errors import HubAway, HubError, ModelFolderError
from cxr.model.hub import HubName

STARTER = Path(__file__).parents[2] / "models" / "starter"
FROM_CACHE = (
    "This model comes from the cache, as the Hub could not be asked; there may be a newer one."
)

MAX_BYTES = 2**30  # of all files that are fetched of a model
MAX_FILES = 200
# Seconds that the Hub has to say what there is: with a model in the cache to fall back on, without.
_HURRY, _PATIENCE = 1.5, 10.0
# A download that takes longer than this is given up: seconds, and bytes a second.
_LONGEST, _SLOWEST = 60.0, 2**15

_NEEDED = (model_folder.CONFIG, model_folder.ONNX)
_WANTED = {
    *_NEEDED,
    model_folder.INPUT_CHECK,
    model_folder.SPLITS,
    model_folder.METRICS,
    model_folder.CARD,
}
_WANTED_BELOW = {
    model_folder.EXAMPLES: (".csv", *imaging.SUFFIXES),
    model_folder.FIGURES: (".png",),
}
_PLAIN = re.compile(r"\w[\w .-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Model:
    """A model folder and where it comes from.

    name: what answers call it: OWNER/NAME on the Hub, else the last part of the folder's path.
    revision: the commit on the Hub, 40 hex digits; None of a folder that was named as such.
    note: a sentence on what the reader should know of where it comes from; "" when there is none.
    """

    folder: Path
    name: str
    revision: str | None = None
    note: str = ""

    @classmethod
    def at(cls, folder: str | Path) -> "Model":
        """The model of a folder on this machine."""
        return cls(Path(folder), Path(folder).resolve().name)

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}" if self.revision else self.name

    @property
    def address(self) -> str:
        """Where the Hub shows this commit. Only of a model that has one."""
        from huggingface_hub import constants

        return f"{constants.ENDPOINT}/{self.name}/tree/{self.revision}"


def find(name: str | None) -> Model:
    """The model that `name` names: a folder, or OWNER/NAME[@REVISION]; the starter when it is None.

    Raises ModelFolderError or HubError: a named model that cannot be had never turns into the
    starter.
    """
    if name is None and not STARTER.is_dir():  # as on a Space, which gets no model with its files
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
    return _from_hub(hub.parse(name))


def _from_hub(name: HubName) -> Model:
    cache = _Cache.of(name)
    if name.revision and cache.has(name.revision):
        return Model(cache.folder(name.revision), name.repository, name.revision)
    known = None if name.revision else cache.newest()
    try:
        revision = _fetch(name, cache, _HURRY if known else _PATIENCE)
    except HubAway:
        if known is None:
            raise
        return Model(cache.folder(known), name.repository, known, FROM_CACHE)
    return Model(cache.folder(revision), name.repository, revision)


@dataclass(frozen=True)
class _Cache:
    """What the client's cache holds of one repository, in the layout that its guide documents."""

    repository: Path

    @classmethod
    def of(cls, name: HubName) -> "_Cache":
        from huggingface_hub import constants

        folder = "--".join(["models", *name.repository.split("/")])
        return cls(Path(constants.HF_HUB_CACHE) / folder)

    def folder(self, revision: str) -> Path:
        """The folder of a commit."""
        return self.repository / "snapshots" / revision

    def has(self, revision: str) -> bool:
        """Whether a commit is there, whole and in working order."""
        folder = self.folder(revision)
        try:
            config = model_folder.load(folder)
        except (ModelFolderError, OSError):
            return False
        return config.input_check is None or os.path.isfile(folder / model_folder.INPUT_CHECK)

    def newest(self) -> str | None:
        """The commit that was the newest when the Hub was last asked, if it is there."""
        try:
            revision = (self.repository / "refs" / "main").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return None
        return revision if _COMMIT.fullmatch(revision) and self.has(revision) else None

    def remember_newest(self, revision: str) -> None:
        """What `newest` says from now on. A cache that cannot be written to is left as it is."""
        with suppress(OSError):
            atomic.write_text(self.repository / "refs" / "main", revision)


def _fetch(name: HubName, cache: _Cache, patience: float) -> str:
    """Brings a commit into the cache, the newest where none is named; returns its 40 digits.

    patience: seconds that the Hub has to say what there is. Raises HubError.
    """
    # Only here: the client takes half a second to load, and a model on disk needs none of it.
    from huggingface_hub import HfApi

    with _speaking_plainly(name):
        client = HfApi()
        # The client's own time limits leave out finding addresses, servers that drip, and retries.
        revision, files = run_with_timeout(
            lambda: _listed(client, name, patience), patience
        )
        _check(name, files)
        run_with_timeout(
            lambda: _download(client, name.repository, revision, files),
            _LONGEST + sum(files.values()) / _SLOWEST,
        )
    if name.revision is None:
        cache.remember_newest(revision)
    return revision


def _listed(client: Any, name: HubName, patience: float) -> tuple[str, dict[str, int]]:
    """The commit that is meant, and those of its files that serving reads, with their sizes."""
    try:
        told = client.model_info(
            name.repository, revision=name.revision, files_metadata=True, timeout=patience
        )
        files = {f.rfilename: int(f.size) for f in told.siblings if is_wanted(f.rfilename)}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        # No list of files, but perhaps the page of a network that wants a sign-in.
        raise HubAway(hub.NOT_THE_HUB) from error
    if not _COMMIT.fullmatch(str(told.sha)):
        raise HubAway(hub.NOT_THE_HUB)
    return str(told.sha), files


def is_wanted(path: str) -> bool:
    """Whether serving reads the file. Paths are the repository's: only plain ones are."""
    if path in _WANTED:
        return True
    folder, _, file = path.partition("/")
    suffix = os.path.splitext(file)[1].lower()
    return suffix in _WANTED_BELOW.get(folder, ()) and bool(_PLAIN.fullmatch(file))


def _check(name: HubName, files: dict[str, int]) -> None:
    """Raises HubError when this is no model folder, or one too large to be fetched unseen."""
    for needed in _NEEDED:
        if needed not in files:
            raise HubError(f"{str(name)!r} is no model folder of this project: it has no {needed}.")
    total = sum(files.values())
    if total > MAX_BYTES:
        raise HubError(
            f"{str(name)!r} is too large: its model folder has {total / 2**20:,.0f} MB, and at "
            f"most {MAX_BYTES / 2**20:,.0f} MB are fetched."
        )
    if len(files) > MAX_FILES:
        raise HubError(
            f"{str(name)!r} has too many files: {len(files):,} examples and figures, of which at "
            f"most {MAX_FILES} are fetched."
        )


def _download(client: Any, repository: str, revision: str, files: dict[str, int]) -> None:
    """Brings the files into the cache; nothing is asked for what is there."""
    for path in [*(path for path in files if path != model_folder.CONFIG), model_folder.CONFIG]:
        there = client.hf_hub_download(repository, path, revision=revision)
        # The client takes what lies in its cache unread; a crash may have left less than the file.
        if os.path.getsize(there) != files[path]:
            client.hf_hub_download(repository, path, revision=revision, force_download=True)


@contextmanager
def _speaking_plainly(name: HubName) -> Iterator[None]:
    """Turns all that goes wrong with fetching into a HubError."""
    try:
        with hub.speaking_plainly(name):
            yield
    except TimeoutError as error:
        raise HubAway(hub.UNREACHABLE) from error
    except OSError as error:
        if error.errno is None:  # the client's own, for a file that came shorter than announced
            raise HubAway(hub.UNREACHABLE) from error
        raise HubError(
            f"The files of {str(name)!r} cannot be kept in the cache ({error.strerror}); make room "
            "or name another folder by HF_HOME."
        ) from error
