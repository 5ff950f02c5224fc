"""Deploying to a Space: what is sent, what is set, and what interruptions leave.

Each test runs the command and the Hub's own client against a stand-in.
"""

import re

import pytest
from huggingface_hub import constants
from support.deploying import MODEL, NOBODY, SPACE, deploy, deployed, header, newest, tree
from support.hub_standin import TOKEN
from support.published import published

from cxr.model.errors import HubError
from cxr.model.hub import UNREACHABLE, HubName
from cxr.web import deploy as deploying
from cxr.web import space
from cxr.web.space import ServedModel, Space


def test_dry_run_lists_what_is_then_sent_and_changes_nothing(hub, tmp_path):
    """It prints the names and sizes of the files that a deploy sends, and only reads the Hub."""
    before = set(hub.repositories)
    told = deployed(hub, tmp_path, "--dry-run", token=None)
    assert {request.split()[0] for request in hub.requests} <= {"GET", "HEAD"}
    assert set(hub.repositories) == before

    deployed(hub, tmp_path)
    sent = {path: len(content) for path, content in tree(hub).items()}
    listed = re.findall(r"^ *([\d,]+)  (\S+)$", told, re.M)
    assert {path: int(size.replace(",", "")) for size, path in listed} == sent
    assert f"{sum(sent.values()):,}  bytes in {len(sent)} files" in told
    assert f"CXR_MODEL={MODEL}@{newest(hub, MODEL).sha}" in told
    assert tree(hub)["README.md"].decode().split("---\n")[1] in told


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize(
    ("options", "private", "hardware", "python"),
    [
        ({}, "", "as it is", "3.11"),
        ({"private": True}, " (private)", "as it is", "3.11"),
        ({"hardware": "zero-a10g"}, "", "zero-a10g", "3.12"),
    ],
    ids=["plain", "private", "hardware"],
)
def test_dry_run_tells_what_would_be_set(monkeypatch, options, private, hardware, python, public):
    """Name, hardware and whether it is private; the header has the Python of that hardware."""
    pinned = HubName(MODEL, "0" * 40)
    served = ServedModel(pinned, ("config.json",), public)
    monkeypatch.setattr(deploying, "look_up", lambda model: served)
    told = deploying.rehearse(HubName(SPACE), HubName(MODEL), **options)
    assert told.splitlines()[:3] == [
        f"Space:    {constants.ENDPOINT}/spaces/{SPACE}{private}",
        f"Hardware: {hardware}",
        f"Variable: CXR_MODEL={pinned}",
    ]
    assert f"python_version: '{python}'" in told
    assert ("give the Space a secret HF_TOKEN" in told.splitlines()[-1]) != public


def test_dry_run_of_a_pinned_model_needs_no_hub(hub, tmp_path):
    """Without a token and a network it lists the files, and says what was not checked."""
    pinned = f"{MODEL}@{'0' * 40}"
    done = deploy(
        hub, tmp_path, SPACE, "--model", pinned, "--dry-run", token=None, HF_ENDPOINT=NOBODY
    )
    assert done.returncode == 0, done.stderr
    assert f"CXR_MODEL={pinned}" in done.stdout
    assert "The Hub could not be asked" in done.stdout


def test_space_arrives_in_one_commit(hub, tmp_path):
    """One commit has all files; the output names address, commit and model."""
    told = deployed(hub, tmp_path)
    assert sum("/commit/" in request for request in hub.requests) == 1
    assert told.splitlines() == [
        f"Space:  {hub.url}/spaces/{SPACE}",
        f"Commit: {newest(hub, SPACE).sha}",
        f"Model:  {MODEL}@{newest(hub, MODEL).sha}",
    ]


def test_new_space_has_its_model_from_the_start(hub, tmp_path):
    """The request that creates the Space sets the variable."""
    deployed(hub, tmp_path)
    made = hub.repositories[SPACE]
    assert (made.kind, made.sdk, made.private) == ("space", "gradio", False)
    assert made.variables == {"CXR_MODEL": f"{MODEL}@{newest(hub, MODEL).sha}"}
    assert not [request for request in hub.requests if request.endswith("/variables")]


def test_older_commit_can_be_pinned(hub, tmp_path):
    """OWNER/NAME@REVISION serves that commit, not the newest."""
    older = newest(hub, MODEL).sha
    hub.put(MODEL, {"README.md": b"newer"})
    done = deploy(hub, tmp_path, SPACE, "--model", f"{MODEL}@{older}")
    assert done.returncode == 0, done.stderr
    assert hub.repositories[SPACE].variables == {"CXR_MODEL": f"{MODEL}@{older}"}
    assert header(hub, tmp_path)["preload_from_hub"][0].endswith(older)


def test_repeating_sends_and_sets_nothing(hub, tmp_path):
    """A second deploy changes nothing, and names the existing commit."""
    first = deployed(hub, tmp_path)
    hub.requests.clear()
    assert deployed(hub, tmp_path) == first
    writing = ("POST /api/repos/create", "PUT /lfs/", f"POST /api/spaces/{SPACE}/")
    sent = [request for request in hub.requests if request.startswith(writing)]
    assert sent == [f"POST /api/spaces/{SPACE}/preupload/main"]  # which asks what is there
    assert len(hub.repositories[SPACE].commits) == 2


def test_another_model_takes_the_place_of_the_first(hub, tmp_path):
    """The variable is set before the commit, which changes README only."""
    deployed(hub, tmp_path)
    before = tree(hub)
    other = hub.put("owner/other", published())
    hub.requests.clear()
    done = deploy(hub, tmp_path, SPACE, "--model", "owner/other")
    assert done.returncode == 0, done.stderr
    assert hub.repositories[SPACE].variables == {"CXR_MODEL": f"owner/other@{other}"}
    changed = {path for path, content in tree(hub).items() if before[path] != content}
    assert changed == {"README.md"}
    assert len(hub.repositories[SPACE].commits) == 3
    assert hub.requests.index(f"POST /api/spaces/{SPACE}/variables") < hub.requests.index(
        f"POST /api/spaces/{SPACE}/commit/main"
    )


def test_files_no_longer_there_are_deleted(hub, tmp_path):
    """Files that the project no longer has are deleted in the same commit."""
    stale = {"cxr/gone.py": b"", "models/starter/model.onnx": b"x", ".gitattributes": b"*.png"}
    hub.put(SPACE, stale, kind="space")
    deployed(hub, tmp_path)
    assert set(tree(hub)) & set(stale) == {".gitattributes"}
    assert len(hub.repositories[SPACE].commits) == 3


@pytest.mark.slow
@pytest.mark.parametrize("fresh", [True, False], ids=["new Space", "Space with another model"])
def test_interrupted_and_repeated_deploy_is_complete(fresh, hub, monkeypatch):
    """An interruption at any request never leaves new code with the old model."""
    # Without a process for each, of which there would be a hundred.
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    name, files = HubName(SPACE), ("config.json", "model.onnx")
    model = ServedModel(HubName(MODEL, newest(hub, MODEL).sha), files)
    old = ServedModel(HubName("owner/old", "0" * 40), files)

    def attempt(number: int, after: bool) -> bool:
        """One interrupted deploy and one complete one; whether the interruption ended the first."""
        hub.repositories.pop(SPACE, None)
        hub.lfs.clear()
        if not fresh:
            deploying.deploy(name, old)
        hub.requests.clear()
        hub.break_at, hub.break_after = number, after
        said = ""
        try:
            deploying.deploy(name, model)
        except HubError as error:
            said = str(error)
        assert said in ("", UNREACHABLE)
        cut.append(len(hub.requests) > number)
        hub.break_at = None
        there = hub.repositories.get(SPACE)
        if there is not None and str(model.name) in tree(hub).get("README.md", b"").decode():
            assert there.variables == {"CXR_MODEL": str(model.name)}
        deploying.deploy(name, model)
        assert tree(hub) == space.contents(Space(name, model, hub.url))
        assert hub.repositories[SPACE].variables == {"CXR_MODEL": str(model.name)}
        assert len(hub.repositories[SPACE].commits) == (2 if fresh else 3)
        return bool(said)

    cut: list[bool] = []
    ended = 0
    while not cut or cut[-1]:
        ended += sum(attempt(len(cut) // 2, after) for after in (False, True))
    print(f"{len(cut) // 2 - 1} requests; {ended} of {sum(cut)} cuts ended it")
    assert ended > 4  # the client itself tries again where files are sent


def test_private_space_is_private(hub, tmp_path):
    """--private makes a new Space private; a second deploy leaves it private."""
    deployed(hub, tmp_path, "--private")
    assert hub.repositories[SPACE].private
    deployed(hub, tmp_path, "--private")
    assert hub.repositories[SPACE].private


@pytest.mark.parametrize("closed", ["private", "gated"])
def test_closed_model_needs_a_secret_and_is_not_preloaded(hub, tmp_path, closed):
    """The header preloads none, and the output says which secret is needed."""
    setattr(hub.repositories[MODEL], closed, True)
    assert "a secret HF_TOKEN" in deployed(hub, tmp_path)
    assert "preload_from_hub" not in header(hub, tmp_path)
