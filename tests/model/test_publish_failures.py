"""Publishing that fails: interruptions, a silent network, and the messages about errors.

The Hub's own client talks to the stand-in, in this process or in one of its own.
"""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from support import hub_standin, publishing
from support.hub_standin import Hub
from support.publishing import (
    AGAIN,
    NAME,
    command,
    commits,
    contents,
    held,
    make_folder,
    newest,
    snapshot,
)

import cxr.model.hub
from cxr.model import publish
from cxr.model.errors import HubError

NEW = 11  # requests that publishing `folder` as a new repository takes
UNMENDED = (0, 1, 2, NEW - 1)  # those that the client does not try again


@pytest.fixture
def hub(monkeypatch, tmp_path) -> Iterator[Hub]:
    """A stand-in Hub for the client in this process, which has a token."""
    with publishing.hub_of_this_process(monkeypatch, tmp_path / "hub") as running:
        yield running


@pytest.fixture
def folder(tmp_path) -> Path:
    """A small, complete model folder with an example, and files that must not be published."""
    return make_folder(tmp_path / "model")


def test_request_sequence_has_its_length(hub, folder):
    """NEW, the number of requests that the tests below interrupt, is right."""
    publish.publish(folder, NAME, private=False)
    assert len(hub.requests) == NEW


@pytest.mark.parametrize(
    ("lasting", "new"), [(False, True), (True, True), (True, False)], ids=["once", "new", "older"]
)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(NEW))
def test_interrupted_and_repeated_push_is_one_commit(
    hub, folder, tmp_path, monkeypatch, number, after, lasting, new
):
    """Interrupted at any request, `main` is as before or complete; repeated, it is complete.

    After one interruption the client may recover by itself; after a lasting one it gives up. The
    repository is a new one, or has an older model.
    """
    before: dict[str, bytes] = {}
    if not new:
        before = contents(make_folder(tmp_path / "older", b"older"))
        hub.put("owner/name", before)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between the client's tries
    hub.break_at, hub.break_after = number, after
    hub.break_for = 1000 if lasting else 1
    failed = nullcontext()
    if lasting or number in UNMENDED:
        failed = pytest.raises(HubError, match="cannot be reached")
    with failed:
        publish.publish(folder, NAME, private=False)
    if "owner/name" in hub.repositories:
        assert newest(hub) in (before, contents(folder))
    hub.break_at = None
    done = publish.publish(folder, NAME, private=False)
    states = [held(commit) for commit in commits(hub)]
    assert states == [*([] if new else [before]), contents(folder)]
    assert done.name.revision == commits(hub)[-1].sha


@pytest.mark.parametrize("number", [0, 1, 3, 6, NEW - 1])
def test_silent_network_is_given_up(hub, folder, monkeypatch, number):
    """A request that is never answered is not repeated."""
    monkeypatch.setattr(cxr.model.hub, "SECONDS_SILENT", 0.3)
    hub.break_at, hub.break_for, hub.break_silently = number, 1000, True
    start = time.monotonic()
    with pytest.raises(HubError, match="cannot be reached"):
        publish.publish(folder, NAME, private=False)
    assert time.monotonic() - start < 10


ERRORS = {
    "no token": ({"HF_TOKEN": None}, "owner/name", "not signed in"),
    "wrong token": ({"HF_TOKEN": "hf_wrong"}, "owner/name", "does not accept your token"),
    "may only read": ({"HF_TOKEN": hub_standin.GUEST}, "owner/name", "no right to write"),
    "of another": ({}, "another/name", "no right to write"),
    "there, of another": ({}, "another/there", "no right to write"),
    "offline": ({"HF_HUB_OFFLINE": "1"}, "owner/name", "HF_HUB_OFFLINE"),
    "no network": ({"HF_ENDPOINT": "http://127.0.0.1:1"}, "owner/name", "cannot be reached"),
    "no such host": ({"HF_ENDPOINT": "http://hub.invalid"}, "owner/name", "cannot be reached"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error_is_one_sentence_and_the_command(folder, tmp_path, case):
    """The message has the reason and the command that tries again; the folder is unchanged."""
    changes, name, words = ERRORS[case]
    before = snapshot(folder)
    with hub_standin.running() as hub:
        hub.put("another/there", {"README.md": b"theirs"})
        hub.repositories["another/there"].private = True
        done = command(hub, tmp_path, folder, name, "--private", **changes)
        assert "owner/name" not in hub.repositories
        assert held(hub.repositories["another/there"].commits[-1]) == {"README.md": b"theirs"}
    assert done.returncode == 1
    first, second, *last = done.stderr.splitlines()
    assert first.startswith("Not published: ")
    assert words in first
    assert second.endswith("is as it was. Send it again:")
    assert last == [f"  {AGAIN} {folder} {name} --private"]
    assert snapshot(folder) == before


def test_page_that_is_not_the_hub_is_recognised(folder, hub, monkeypatch):
    """A sign-in page that answers instead of the Hub, as in a hotel, is recognised."""
    page = hub_standin.Response(b"<html>Sign in to the hotel's network</html>")
    monkeypatch.setattr(hub_standin, "_ROUTES", [(("POST", "GET"), ".*", lambda *_, **__: page)])
    with pytest.raises(HubError, match="is not the Hub"):
        publish.publish(folder, NAME, private=False)


def test_break_in_the_middle_is_one_sentence(folder, tmp_path):
    """A connection that breaks at the commit gives the message and the command."""
    with hub_standin.running() as hub:
        hub.break_at = NEW - 1
        done = command(hub, tmp_path, folder, "owner/name")
        assert not commits(hub)
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr.splitlines()[0]
    assert done.stderr.splitlines()[-1] == f"  {AGAIN} {folder} owner/name"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("name", "should read OWNER/NAME"),
        ("owner/na me", "should read OWNER/NAME"),
        ("owner/name/more", "should read OWNER/NAME"),
        (f"owner/name@{'0' * 40}", "leave out what follows owner/name"),
    ],
)
def test_wrong_name_is_wrong_usage(folder, tmp_path, name, words):
    """A name that is not OWNER/NAME gives status 2, and the Hub is not contacted."""
    with hub_standin.running() as hub:
        done = command(hub, tmp_path, folder, name)
        assert not hub.requests
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_folder_that_is_not_there_has_status_1(tmp_path):
    """A missing folder gives status 1 and one sentence."""
    with hub_standin.running() as hub:
        done = command(hub, tmp_path, tmp_path / "nowhere", "owner/name")
        assert not hub.requests
    assert done.returncode == 1
    assert done.stderr == f"There is no model folder {str(tmp_path / 'nowhere')!r}.\n"
