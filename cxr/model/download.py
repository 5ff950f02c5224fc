"""Downloads a model from the Hub into the cache of the Hub's client, which other programs share.

A repository may be anybody's: only the files that inference reads are downloaded, no pickle and no
code, and no more than MAX_BYTES. config.json comes last, so that a commit in the cache that has it
has the other files too.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cxr import atomic
from cxr.deadline import run_with_timeout
from cxr.model import hub, model_folder
from cxr.model.errors import HubAway, HubError, ModelFolderError
from cxr.model.hub import HubName

MAX_BYTES = 2**30  # of all files of a model
MAX_FILES = 200
_MIN_SECONDS, _MIN_SPEED = 60.0, 2**15  # a slower download is given up; bytes a second


def find_cached(name: HubName) -> Path | None:
    """The folder of a model in the cache, complete and checked; None where there is none.

    Without a revision it is the newest commit that the last download saw. The name of the folder is
    the commit.
    """
    from huggingface_hub import try_to_load_from_cache

    try:
        config = try_to_load_from_cache(
            name.repository, model_folder.CONFIG, revision=name.revision
        )
        if not isinstance(config, str):
            return None
        folder = Path(config).parent
        found = model_folder.load(folder)
        model_folder.check_served(found, model_folder.present(folder), str(folder))
        check = found.input_check
        if check and model_folder.sha256(folder / check.file) != check.sha256:
            return None
    except (ModelFolderError, OSError, ValueError):  # a damaged cache counts as empty
        return None
    return folder


def download(name: HubName, patience: float) -> Path:
    """Brings a commit into the cache, the newest one unless `name` is pinned; returns its folder.

    Args:
        name: The repository.
        patience: Seconds that the Hub has to list the files.

    Raises:
        HubAway: The Hub could not be asked, or sent too slowly.
        HubError: It has no such model, or the model is too large.
    """
    # Imported late: the client takes half a second to load, and a model on disk does not need it.
    from huggingface_hub import HfApi

    client = HfApi()
    with _plain_errors(name):
        # The client's own time limits do not cover name servers, slow drips and repeated requests.
        commit, sizes = run_with_timeout(lambda: _list(client, name, patience), patience)
        _check(name, sizes)
        seconds = _MIN_SECONDS + sum(sizes.values()) / _MIN_SPEED
        folder = run_with_timeout(lambda: _fetch(client, name.repository, commit, sizes), seconds)
    if name.revision is None:
        # Where the client itself notes the newest commit. A cache may be read-only.
        with suppress(OSError):
            atomic.write_text(folder.parents[1] / "refs" / "main", commit)
    return folder


def _list(client: Any, name: HubName, patience: float) -> tuple[str, dict[str, int]]:
    """The commit, and the sizes in bytes of the files in it that inference reads."""
    try:
        info = client.model_info(
            name.repository, revision=name.revision, files_metadata=True, timeout=patience
        )
        sizes = {
            file.rfilename: int(file.size)
            for file in info.siblings
            if model_folder.is_served(file.rfilename)
        }
        commit = str(info.sha)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        # Not a list of files, but perhaps the sign-in page of a network.
        raise HubAway(hub.NOT_THE_HUB) from error
    if not hub.is_commit(commit):
        raise HubAway(hub.NOT_THE_HUB)
    return commit, sizes


def _check(name: HubName, sizes: dict[str, int]) -> None:
    """Raises HubError when this is no model folder, or is too large."""
    for needed in model_folder.REQUIRED_TO_SERVE:
        if needed not in sizes:
            raise HubError(f"{str(name)!r} is no model folder of this project: it has no {needed}.")
    total = sum(sizes.values())
    if total > MAX_BYTES:
        raise HubError(
            f"{str(name)!r} is too large: its model folder has {total / 2**20:,.0f} MB, and at "
            f"most {MAX_BYTES / 2**20:,.0f} MB are downloaded."
        )
    if len(sizes) > MAX_FILES:
        raise HubError(
            f"{str(name)!r} has too many files: {len(sizes):,} examples and figures, of which at "
            f"most {MAX_FILES} are downloaded."
        )


def _fetch(client: Any, repository: str, commit: str, sizes: dict[str, int]) -> Path:
    """Downloads the files that the cache lacks, config.json last; returns their folder."""
    others = [path for path in sizes if path != model_folder.CONFIG]
    for path in [*others, model_folder.CONFIG]:
        file = client.hf_hub_download(repository, path, revision=commit)
        # The client does not check files in its cache; a crash may have cut one short.
        if os.path.getsize(file) != sizes[path]:
            file = client.hf_hub_download(repository, path, revision=commit, force_download=True)
    return Path(file).parent


@contextmanager
def _plain_errors(name: HubName) -> Iterator[None]:
    """Turns every error of a download into a HubError."""
    try:
        with hub.plain_errors(name):
            yield
    except TimeoutError as error:
        raise HubAway(hub.UNREACHABLE) from error
    except OSError as error:
        if error.errno is None:  # the client's own, for a file that is shorter than announced
            raise HubAway(hub.UNREACHABLE) from error
        raise HubError(
            f"The files of {str(name)!r} cannot be kept in the cache ({error.strerror}); make room "
            "or name another folder by HF_HOME."
        ) from error
