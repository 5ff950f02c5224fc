"""Puts the demo on a Space of the Hugging Face Hub, serving one commit of one model.

    deploy(parse("OWNER/SPACE"), look_up(parse("OWNER/NAME")))

The Space's files arrive in one commit. Doing it again is harmless: what is there already is not
sent, what is there no longer in the project is deleted.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from cxr.model import hub, model_folder, resolve
from cxr.model.config import read_config
from cxr.model.errors import HubAway, HubError, ModelFolderError
from cxr.model.hub import HubName
from cxr.web import space
from cxr.web.space import ServedModel, Space, SpaceError

# What of a Space is the Hub's own, and stays.
_OF_THE_HUB = {".gitattributes"}
_OF_EVERY_MODEL = (model_folder.CONFIG, model_folder.ONNX)


@dataclass(frozen=True)
class Deployed:
    """A Space as it was deployed, and the commit of its files."""

    space: Space
    commit: str

    def __str__(self) -> str:
        lines = [
            f"Space:  {self.space.address}",
            f"Commit: {self.commit}",
            f"Model:  {self.space.value}",
        ]
        return "\n".join([*lines, *_remarks(self.space.model)])


def hardware_names() -> list[str]:
    """The kinds of hardware that the Hub's client knows, such as cpu-basic."""
    from huggingface_hub import SpaceHardware

    return [kind.value for kind in SpaceHardware]


def look_up(model: HubName) -> ServedModel:
    """A model on the Hub, pinned: to its newest commit, when the name has none.

    Raises HubError when it cannot be had, ModelFolderError when it is no model folder that this
    program serves.
    """
    from huggingface_hub import HfApi, hf_hub_download

    with hub.speaking_plainly(model):
        info = HfApi().model_info(model.repository, revision=model.revision)
        pinned = HubName(model.repository, info.sha)
        names = sorted(file.rfilename for file in info.siblings or ())
        path = hf_hub_download(model.repository, model_folder.CONFIG, revision=info.sha)
    config = read_config(Path(path), str(pinned))
    needed = [model_folder.CONFIG, model_folder.ONNX]
    needed += [config.input_check.file] if config.input_check else []
    read = tuple(name for name in names if resolve.is_wanted(name))
    for file in needed:
        if file not in read:
            raise ModelFolderError(f"The model folder {str(pinned)!r} has no {file}.")
    return ServedModel(pinned, read, public=not (info.private or info.gated))


def rehearse(
    name: HubName, model: HubName, *, private: bool = False, hardware: str | None = None
) -> str:
    """What `deploy` would send and set, in words; nothing is changed, and no token is needed.

    A pinned model is looked up only where the Hub can be asked. Raises HubError, ModelFolderError,
    SpaceError.
    """
    unasked = []
    try:
        served = look_up(model)
    except HubAway:
        if model.revision is None:
            raise
        served = ServedModel(model, _OF_EVERY_MODEL)
        unasked = [
            "The Hub could not be asked: the model was not looked at, nor what it is made of."
        ]
    planned = Space(name, served, _api().endpoint, hardware)
    files = space.contents(planned)
    lines = [
        f"Space:    {planned.address}{' (private)' if private else ''}",
        f"Hardware: {hardware or 'as it is'}",
        f"Variable: {space.VARIABLE}={planned.value}",
        "",
        space.header(planned),
        "",
        *(f"{len(content):>9,}  {path}" for path, content in files.items()),
        f"{space.weight(files):>9,}  bytes in {len(files)} files. Nothing was sent.",
    ]
    return "\n".join([*lines, *unasked, *_remarks(served)])


def deploy(
    name: HubName, model: ServedModel, *, private: bool = False, hardware: str | None = None
) -> Deployed:
    """Makes the Space, or brings it up to date: hardware, model and files.

    private: of a new Space; one that is public already is rejected.
    hardware: one of `hardware_names`; None leaves it as it is.
    Raises HubError, SpaceError.
    """
    from huggingface_hub import get_token

    if get_token() is None:
        raise HubError(hub.NOT_SIGNED_IN)
    api = _api()
    with hub.speaking_plainly(name):
        there = _find(api, name)
        wanted = Space(name, model, api.endpoint, hardware or _hardware_of(there))
        files = space.contents(wanted)
        if there is None:
            _make(api, wanted, private)
        elif private and not there.private:
            raise SpaceError(
                f"{name.repository!r} is public already; make it private in its settings on the "
                "Hub, then deploy again."
            )
        else:
            _set(api, wanted, anew=hardware is not None)
        known = {file.rfilename for file in there.siblings or ()} if there else set()
        return Deployed(wanted, _send(api, wanted, files, known - files.keys() - _OF_THE_HUB))


def _make(api, wanted: Space, private: bool) -> None:
    """An empty Space, which has its model before it has any code."""
    api.create_repo(
        wanted.name.repository,
        repo_type="space",
        space_sdk="gradio",
        private=private or None,  # None: as its owner has it
        space_hardware=wanted.hardware,
        space_variables=[{"key": space.VARIABLE, "value": wanted.value}],
    )


def _set(api, wanted: Space, anew: bool) -> None:
    """The model, and `anew` the hardware, of a Space that is there, before its code changes.

    Hardware first: it costs money, so there the Hub may reject, and nothing has changed yet. The
    model before the code: the new code is checked with the new model, and may not know the old one.
    """
    repository = wanted.name.repository
    if anew:
        api.request_space_hardware(repository, wanted.hardware)
    variable = api.get_space_variables(repository).get(space.VARIABLE)
    if variable is None or variable.value != wanted.value:  # setting it restarts the Space
        api.add_space_variable(repository, space.VARIABLE, wanted.value)


def _send(api, wanted: Space, files: dict[str, bytes], gone: AbstractSet[str]) -> str:
    """One commit with these files and without those that are gone; returns its 40 digits."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.errors import BadRequestError

    adds = [CommitOperationAdd(path, content) for path, content in files.items()]
    deletes = [CommitOperationDelete(path) for path in sorted(gone)]
    try:
        return api.create_commit(
            wanted.name.repository,
            [*adds, *deletes],
            commit_message=f"Serve {wanted.value}",
            repo_type="space",
        ).oid
    except ValueError as error:
        # So the client says that the Hub has looked at the header and rejects it.
        if isinstance(error.__cause__, BadRequestError):
            raise SpaceError(f"The Hub does not take the header of {space.CARD}.") from error
        raise


def _find(api, name: HubName):
    """What the Hub says of the Space, None when there is none."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        return api.space_info(name.repository)
    except RepositoryNotFoundError:
        return None


def _hardware_of(there) -> str | None:
    """What a Space runs on, or will as soon as the Hub has it."""
    runtime = there.runtime if there else None
    return (runtime.requested_hardware or runtime.hardware) if runtime else None


def _remarks(model: ServedModel) -> list[str]:
    """What is left to do for somebody whose model is not public."""
    if model.public:
        return []
    return [
        "Not everybody may read this model: give the Space a secret HF_TOKEN that may (see "
        "docs/hosting.md)."
    ]


def _api():
    from huggingface_hub import HfApi

    hub.give_up_in_time()
    return HfApi()
