"""Publishes a model folder on the Hugging Face Hub, all of it in one commit.

`train.py --push-to-hub` and `python -m cxr publish` use it; it does not need torch. Only files of
`model_folder.FILES` are sent. They are uploaded before the commit is made, so that an interruption
leaves the newest commit of the repository as it was.
"""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from cxr.model import examples, hub, model_folder
from cxr.model.errors import HubError
from cxr.model.hub import HubName


@dataclass(frozen=True)
class Published:
    """Where a model folder is on the Hub.

    Attributes:
        address: Its page.
        name: Its name with the commit that pins it.
        changed: Whether that commit is a new one.
    """

    address: str
    name: HubName
    changed: bool


def warning(name: HubName) -> str:
    """One sentence when a push is bound to fail for lack of a token, else ""."""
    from huggingface_hub import get_token

    return "" if get_token() else f"The push to {name} will need a token. {hub.NOT_SIGNED_IN}"


def send(folder: Path, name: HubName, private: bool) -> bool:
    """Publishes a folder, prints its address, and returns True.

    If it cannot be published, the reason and the command that tries again go to stderr, and the
    result is False.

    Raises:
        ModelFolderError: The folder is not complete.
    """
    again = shlex.join(["python", "-m", "cxr", "publish", str(folder), str(name)])
    again += " --private" if private else ""
    try:
        done = publish(folder, name, private)
    except KeyboardInterrupt:
        print(f"Stopped by you. Send it again:\n  {again}", file=sys.stderr)
        raise
    except (HubError, OSError) as error:
        why = error if isinstance(error, HubError) else f"A file cannot be read ({error})."
        print(
            f"Not published: {why}\nThe folder {str(folder)!r} is as it was. Send it again:\n"
            f"  {again}",
            file=sys.stderr,
        )
        return False
    if not done.changed:
        print("Nothing has changed: the Hub has this folder already.")
    print(f"Published: {done.address}")
    print(f"Commit:    {done.name.revision}")
    print(f"Pin it:    {done.name}")
    return True


def publish(folder: Path, name: HubName, private: bool) -> Published:
    """Makes the folder the newest commit of a repository, which is created if missing.

    Files of an older model folder in the repository are deleted in the same commit; other files
    stay.

    Args:
        folder: A complete model folder.
        name: The repository.
        private: Makes a new repository private; an existing public one is rejected.

    Raises:
        ModelFolderError: The folder is not complete; nothing was sent.
        HubError, OSError: It was not published.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils import logging

    found = files(folder)
    logging.set_verbosity_error()  # the client reports every repeated request
    hub.set_time_limits()
    api = HfApi(token=True)  # makes a missing token an error of its own
    try:
        with hub.plain_errors(name):
            before, after = _commit(api, name, private, found)
    except HubError:
        raise
    except (ValueError, RuntimeError) as error:
        why = str(error).strip().partition("\n")[0].rstrip(".:")
        raise HubError(f"The Hub did not accept the folder ({why}).") from error
    pinned = HubName(name.repository, after)
    return Published(f"{api.endpoint}/{name.repository}", pinned, changed=before != after)


def files(folder: Path) -> dict[str, Path]:
    """What is published of a model folder: {path in the repository: file}.

    Raises:
        ModelFolderError: The folder is not complete.
    """
    config = model_folder.load(folder)
    offered = examples.listed(folder / model_folder.EXAMPLES)
    # Of the examples' folder only the images of its table, and the table.
    shown = [image.path for image in offered]
    shown += [folder / model_folder.EXAMPLES / examples.TABLE] if offered else []
    found = {
        name: folder / name
        for name in model_folder.present(folder)
        if model_folder.is_published(name)
        and (not name.startswith(f"{model_folder.EXAMPLES}/") or folder / name in shown)
    }
    model_folder.check_published(config, found, str(folder))
    return found


def _commit(api, name: HubName, private: bool, found: dict[str, Path]) -> tuple[str, str]:
    """The newest commit before and after; the same if nothing has changed. api: HfApi."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    api.create_repo(name.repository, private=private or None, exist_ok=True)
    repository = api.model_info(name.repository)
    if private and not repository.private:
        raise HubError(
            f"{name.repository!r} is public already; make it private in its settings on the Hub, "
            "or name another repository."
        )
    there = sorted(file.rfilename for file in repository.siblings)
    done = api.create_commit(
        name.repository,
        [
            *(CommitOperationAdd(path, file) for path, file in found.items()),
            *(CommitOperationDelete(path) for path in there if _is_stale(path, found)),
        ],
        commit_message="Publish the model folder",
        parent_commit=repository.sha,  # a commit that somebody else makes meanwhile is kept
    )
    return repository.sha, done.oid


def _is_stale(path: str, found: dict[str, Path]) -> bool:
    """Whether a file in the repository belongs to a model folder, but not to this one."""
    below = path.startswith((f"{model_folder.FIGURES}/", f"{model_folder.EXAMPLES}/"))
    return path not in found and (below or model_folder.is_published(path))
