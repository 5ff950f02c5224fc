"""Puts the demo on a Space of the Hugging Face Hub, where it serves one commit of one model.

    deploy(parse("OWNER/SPACE"), look_up(parse("OWNER/NAME")))

The Space's files arrive in one commit. Deploying again is harmless: unchanged files are not sent,
and files that the project no longer has are deleted.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from cxr.model import hub, model_folder
from cxr.model.config import read_config
from cxr.model.errors import HubAway, HubError
from cxr.model.hub import HubName
from cxr.web import space
from cxr.web.space import ServedModel, Space, SpaceError

_FILES_OF_THE_HUB = {".gitattributes"}  # which it adds to a repository by itself


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
    """Looks at a model on the Hub, and pins it to its newest commit if its name has none.

    Raises:
        HubError: It cannot be downloaded.
        ModelFolderError: It is no model folder that this program can serve.
    """
    from huggingface_hub import HfApi, hf_hub_download

    with hub.plain_errors(model):
        info = HfApi().model_info(model.repository, revision=model.revision)
        pinned = HubName(model.repository, info.sha)
        path = hf_hub_download(model.repository, model_folder.CONFIG, revision=info.sha)
    names = sorted(file.rfilename for file in info.siblings or ())
    served = tuple(name for name in names if model_folder.is_served(name))
    config = read_config(Path(path), str(pinned))
    model_folder.check_served(config, served, str(pinned))
    return ServedModel(pinned, served, public=not (info.private or info.gated))


def rehearse(
    name: HubName, model: HubName, *, private: bool = False, hardware: str | None = None
) -> str:
    """Describes what `deploy` would send and set. Nothing is changed, and no token is needed.

    A pinned model is looked up only if the Hub can be asked.

    Raises:
        HubError, ModelFolderError, SpaceError: As `look_up` and `deploy` do.
    """
    notes = []
    try:
        served = look_up(model)
    except HubAway:
        if model.revision is None:
            raise
        served = ServedModel(model, model_folder.REQUIRED_TO_SERVE)
        notes = ["The Hub could not be asked: the model and its files were not checked."]
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
    return "\n".join([*lines, *notes, *_remarks(served)])


def deploy(
    name: HubName, model: ServedModel, *, private: bool = False, hardware: str | None = None
) -> Deployed:
    """Creates the Space, or brings it up to date: hardware, model and files.

    Args:
        name: The Space.
        model: The model that it serves.
        private: Makes a new Space private; an existing public one is rejected.
        hardware: One of `hardware_names`; None leaves it as it is.

    Raises:
        HubError: The Hub rejected a request or cannot be reached.
        SpaceError: The Space cannot be put together.
    """
    from huggingface_hub import get_token

    if get_token() is None:
        raise HubError(hub.NOT_SIGNED_IN)
    api = _api()
    with hub.plain_errors(name):
        existing = _find(api, name)
        wanted = Space(name, model, api.endpoint, hardware or _hardware_of(existing))
        files = space.contents(wanted)
        if existing is None:
            _create(api, wanted, private)
        elif private and not existing.private:
            raise SpaceError(
                f"{name.repository!r} is public already; make it private in its settings on the "
                "Hub, then deploy again."
            )
        else:
            _configure(api, wanted, set_hardware=hardware is not None)
        known = {file.rfilename for file in existing.siblings or ()} if existing else set()
        return Deployed(wanted, _send(api, wanted, files, known - files.keys() - _FILES_OF_THE_HUB))


def _create(api, wanted: Space, private: bool) -> None:
    """Creates an empty Space, which knows its model before it has any code."""
    api.create_repo(
        wanted.name.repository,
        repo_type="space",
        space_sdk="gradio",
        private=private or None,  # None: the owner's default
        space_hardware=wanted.hardware,
        space_variables=[{"key": space.VARIABLE, "value": wanted.value}],
    )


def _configure(api, wanted: Space, set_hardware: bool) -> None:
    """Sets hardware and model of an existing Space, before its code changes.

    Hardware comes first: it costs money, so the Hub may reject it, and then nothing has changed.
    The model comes before the code, for new code may not be able to read the old model.
    """
    repository = wanted.name.repository
    if set_hardware:
        api.request_space_hardware(repository, wanted.hardware)
    variable = api.get_space_variables(repository).get(space.VARIABLE)
    if variable is None or variable.value != wanted.value:  # setting it restarts the Space
        api.add_space_variable(repository, space.VARIABLE, wanted.value)


def _send(api, wanted: Space, files: dict[str, bytes], gone: AbstractSet[str]) -> str:
    """Makes one commit with these files and without those that are gone; returns its 40 digits."""
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
        # The form in which the client reports that the Hub rejects the header.
        if isinstance(error.__cause__, BadRequestError):
            raise SpaceError(f"The Hub does not accept the header of {space.CARD}.") from error
        raise


def _find(api, name: HubName):
    """The Hub's information on the Space; None if there is none."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        return api.space_info(name.repository)
    except RepositoryNotFoundError:
        return None


def _hardware_of(existing) -> str | None:
    """What a Space runs on, or what was requested for it."""
    runtime = existing.runtime if existing else None
    return (runtime.requested_hardware or runtime.hardware) if runtime else None


def _remarks(model: ServedModel) -> list[str]:
    """What is left to do if the model is not public."""
    if model.public:
        return []
    return [
        "Not everybody may read this model: give the Space a secret HF_TOKEN that may (see "
        "docs/hosting.md)."
    ]


def _api():
    from huggingface_hub import HfApi

    hub.set_time_limits()
    return HfApi()
