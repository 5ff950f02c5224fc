"""A model folder -> the Hugging Face Hub: one commit that holds the whole folder.

`train.py --push-to-hub` and `python -m cxr publish` both end here. It needs no torch. The files are
named one by one, so that nothing else that lies in the folder gets out: not the report, whose
images are of images, and nothing unfinished. Files are sent before the commit is made, so that
whatever breaks off leaves the newest commit of the repository as it was.
"""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from cxr.model import examples, hub, model_folder
from cxr.model.errors import HubError, ModelFolderError
from cxr.model.hub import HubName

_NEEDED = (
    model_folder.CARD,
    model_folder.CONFIG,
    model_folder.ONNX,
    model_folder.SAFETENSORS,
    model_folder.SPLITS,
    model_folder.METRICS,
)
# What some folders are without: the starter has no pickle, and a run no out-of-distribution images.
_SENT_IF_THERE = (
    model_folder.FASTAI,
    model_folder.PYPROJECT,
    model_folder.PREDICTIONS,
    model_folder.HISTORY,
    model_folder.OOD_IMAGES,
    model_folder.INPUT_CHECK,
)
_FOLDERS = (model_folder.FIGURES, model_folder.EXAMPLES)


@dataclass(frozen=True)
class Published:
    """Where the folder is: its page, the commit that pins it, and whether anything had changed."""

    address: str
    name: HubName
    changed: bool


def repository(text: str) -> HubName:
    """Reads OWNER/NAME. Raises HubError with what is wrong with it."""
    name = hub.parse(text)
    if name.revision:
        raise HubError(f"A commit cannot be written to; leave out what follows {name.repository}.")
    return name


def warning(name: HubName) -> str:
    """One sentence where it is clear before a training that the push behind it must fail, or ""."""
    from huggingface_hub import get_token

    return "" if get_token() else f"The push to {name} will need a token. {hub.NOT_SIGNED_IN}"


def send(folder: Path, name: HubName, private: bool) -> bool:
    """Publishes the folder, and prints where it is or why it is not; whether that worked.

    Where it did not, the command that sends it again follows. Raises ModelFolderError.
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
    """Makes the folder the newest commit of the repository, which is created where it is missing.

    Files on the Hub that a model folder no longer has are deleted in that commit; others are left.
    private: of a new repository; one that is public already is rejected.
    Raises ModelFolderError before anything is sent, HubError or OSError when it was not published.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils import logging

    found = files(folder)
    logging.set_verbosity_error()  # the client tells of every try
    hub.give_up_in_time()
    api = HfApi(token=True)  # demands one: without, the Hub would only say that it rejects
    try:
        with hub.speaking_plainly(name):
            before, after = _commit(api, name, private, found)
    except HubError:
        raise
    except (ValueError, RuntimeError) as error:
        why = str(error).strip().partition("\n")[0].rstrip(".:")
        raise HubError(f"The Hub did not take the folder ({why}).") from error
    pinned = HubName(name.repository, after)
    return Published(f"{api.endpoint}/{name.repository}", pinned, changed=before != after)


def _commit(api, name: HubName, private: bool, found: dict[str, Path]) -> tuple[str, str]:
    """The newest commit before and after; the same where nothing has changed. api: HfApi."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    api.create_repo(name.repository, private=private or None, exist_ok=True)
    there = api.model_info(name.repository)
    if private and not there.private:
        raise HubError(
            f"{name.repository!r} is public already; make it private in its settings on the Hub, "
            "or name another repository."
        )
    paths = sorted(file.rfilename for file in there.siblings)
    done = api.create_commit(
        name.repository,
        [
            *(CommitOperationAdd(path, file) for path, file in found.items()),
            *(CommitOperationDelete(path) for path in paths if _stale(path, found)),
        ],
        commit_message="Publish the model folder",
        parent_commit=there.sha,  # what somebody else sends meanwhile is not overwritten
    )
    return there.sha, done.oid


def files(folder: Path) -> dict[str, Path]:
    """{path in the repository: file}: what is published of a model folder.

    Raises ModelFolderError when the folder is not complete.
    """
    config = model_folder.load(folder)
    needed = [*_NEEDED, *([model_folder.INPUT_CHECK] if config.input_check else [])]
    if (folder / model_folder.FASTAI).is_file():
        needed.append(model_folder.PYPROJECT)  # without it the pickle cannot be loaded from the Hub
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        raise ModelFolderError(
            f"The model folder {str(folder)!r} is not complete: it has no {missing[0]}; train it "
            "again."
        )
    names = [name for name in (*_NEEDED, *_SENT_IF_THERE) if (folder / name).is_file()]
    figures = [
        path
        for path in sorted((folder / model_folder.FIGURES).glob("*.png"))
        if path.name != model_folder.BATCH and not path.name.startswith(".")
    ]
    images = [image.path for image in examples.read(folder / model_folder.EXAMPLES)]
    table = [folder / model_folder.EXAMPLES / examples.TABLE] if images else []
    every = [*(folder / name for name in names), *figures, *table, *images]
    return {path.relative_to(folder).as_posix(): path for path in every}


def _stale(path: str, found: dict[str, Path]) -> bool:
    """Whether a path on the Hub was a model folder's and is no longer."""
    of_a_folder = path in (*_NEEDED, *_SENT_IF_THERE) or path.split("/")[0] in _FOLDERS
    return of_a_folder and path not in found
