"""Downloading a model: which files, the cache, interruptions, and a Hub that is away.

The Hub's own client downloads from a stand-in; the model has the starter's files.
"""

import json
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest
from support import hub_standin
from support.fetching import (
    ALL_DIGITS,
    AWAY,
    FETCHED,
    FILES,
    IMAGE,
    IN_THE_CACHE,
    NAME,
    ROOT,
    changed,
    environment,
    nobody,
    predict,
    revision_of,
    sentence_of,
)


def test_downloaded_model_gives_the_result_of_its_folder(fetched, tmp_path):
    """The result is that of the same files on disk, plus OWNER/NAME and the commit."""
    home, commit = fetched
    with nobody() as address:
        there = json.loads(predict(address, home).stdout)
        here = json.loads(predict(address, tmp_path, "models/starter").stdout)
    assert (here["model"], here["revision"]) == ("starter", None)
    assert there == here | {"model": NAME, "revision": commit}


def test_only_files_for_inference_are_downloaded(hub, tmp_path):
    """One request lists the files; then those for inference are fetched, config.json last."""
    done = predict(hub, tmp_path)
    first, *others = hub.requests
    assert first == f"GET /api/models/{NAME}"
    prefix = f"/{NAME}/resolve/{revision_of(done)}/"
    asked = [request.split(" ", 1) for request in others]
    assert {path.removeprefix(prefix) for _, path in asked} == FETCHED
    assert asked[-1] == ["GET", f"{prefix}config.json"]


def test_new_commit_is_picked_up_by_the_next_start(hub, tmp_path):
    """Without a commit in its name, each start uses the newest commit."""
    first = revision_of(predict(hub, tmp_path))
    second = hub.put(NAME, changed(training={"seed": 7}))
    assert first != second
    assert revision_of(predict(hub, tmp_path)) == second


def test_pinned_commit_stays(hub, tmp_path):
    """OWNER/NAME@REVISION is that commit, although there are newer ones."""
    (old,) = (commit.sha for commit in hub.repositories[NAME].commits[1:])
    hub.put(NAME, changed(training={"seed": 7}))
    assert revision_of(predict(hub, tmp_path, f"{NAME}@{old}")) == old


def test_pinned_commit_in_the_cache_asks_nothing(fetched, hub):
    """A pinned commit in the cache is used without a request and without a note."""
    home, commit = fetched
    done = predict(hub, home, f"{NAME}@{commit}")
    assert revision_of(done) == commit
    assert hub.requests == []
    assert done.stderr == ""


def test_pinned_download_does_not_become_the_newest(hub, tmp_path):
    """After an older commit was downloaded by its digits, the name still means the newest one."""
    old = hub.repositories[NAME].commits[-1].sha
    newest = hub.put(NAME, changed(training={"seed": 7}))
    assert revision_of(predict(hub, tmp_path)) == newest
    assert revision_of(predict(hub, tmp_path, f"{NAME}@{old}")) == old
    done = predict(hub, tmp_path, HF_HUB_OFFLINE="1")
    assert revision_of(done) == newest


@pytest.mark.parametrize("away", AWAY)
def test_cache_answers_when_the_hub_is_away(fetched, away):
    """If the model is in the cache and the Hub is away, the result has a note, not an error."""
    home, commit = fetched
    with AWAY[away]() as address:
        done = predict(address, home)
    assert revision_of(done) == commit
    assert IN_THE_CACHE in done.stderr


def test_cache_answers_when_the_hub_is_switched_off(fetched, hub):
    """With HF_HUB_OFFLINE=1 the cached model is used, with the note and without a request."""
    home, commit = fetched
    done = predict(hub, home, HF_HUB_OFFLINE="1")
    assert revision_of(done) == commit
    assert IN_THE_CACHE in done.stderr
    assert hub.requests == []


@pytest.mark.parametrize(
    ("away", "words"),
    [
        ("rejected", "The Hub cannot be reached; check the network"),
        ("silent", "The Hub cannot be reached; check the network"),
        ("overloaded", "The Hub is not able to answer just now (status 503)"),
        ("too many questions", "The Hub is not able to answer just now (status 429)"),
        ("a page that wants a sign-in", "What answers is not the Hub"),
        ("JSON of something else", "What answers is not the Hub"),
    ],
)
def test_hub_away_without_a_cache_is_an_error(tmp_path, away, words):
    """Without a cache and without the Hub the message gives the reason. No other model is used."""
    with AWAY[away]() as address:
        assert words in sentence_of(predict(address, tmp_path))


def test_pinned_commit_that_is_not_in_the_cache_needs_the_hub(fetched):
    """Another commit of the same model is not used instead."""
    with nobody() as address:
        done = predict(address, fetched[0], f"{NAME}@{ALL_DIGITS}")
    assert "The Hub cannot be reached" in sentence_of(done)


def test_hub_switched_off_without_a_cache_is_an_error(hub, tmp_path):
    """The message names HF_HUB_OFFLINE as the reason."""
    done = predict(hub, tmp_path, HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE; unset it" in sentence_of(done)


def test_withdrawn_model_is_not_used_from_the_cache(home, hub):
    """If the Hub says that a model does not exist, the cached copy is not used."""
    hub.repositories.clear()
    assert f"The Hub has no '{NAME}'" in sentence_of(predict(hub, home))


@pytest.mark.parametrize("at", ["model.onnx", "config.json"])
def test_interrupted_download_is_not_used(hub, tmp_path, at):
    """After a download was killed, the cache has no model; the next start completes it."""
    with ExitStack() as stack:
        process = subprocess.Popen(
            [sys.executable, "-m", "cxr", "predict", NAME, str(IMAGE)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(hub, tmp_path),
        )
        stack.callback(process.wait)
        stack.callback(process.send_signal, signal.SIGKILL)
        hub.break_at, hub.break_for = 10**6, 1
        while not any(request.endswith(f"/{at}") for request in hub.requests):
            assert process.poll() is None
            time.sleep(0.002)
        with hub.lock:  # no further answer
            process.kill()
            process.wait()
    with nobody() as address:
        assert "The Hub cannot be reached" in sentence_of(predict(address, tmp_path))
    assert revision_of(predict(hub, tmp_path)) == hub.repositories[NAME].commits[-1].sha


def test_connection_that_breaks_once_is_resumed(hub, tmp_path):
    """A connection that breaks once is resumed without a message."""
    hub.break_at = 2  # the answer with the first file
    assert revision_of(predict(hub, tmp_path)) == hub.repositories[NAME].commits[-1].sha


def test_connection_that_stays_broken_is_an_error(hub, tmp_path):
    """A connection that breaks for good gives a message; a later start downloads everything."""
    hub.break_at, hub.break_for = 2, 10**6  # the answer to the first file
    assert "The Hub cannot be reached" in sentence_of(predict(hub, tmp_path))
    hub.break_at = None
    assert revision_of(predict(hub, tmp_path)) == hub.repositories[NAME].commits[-1].sha


def test_broken_download_of_a_new_commit_leaves_the_old_one(home, fetched, hub):
    """If a newer commit cannot be downloaded, the cached one is used, with the note."""
    hub.put(NAME, FILES | {"README.md": b"# Newer"})
    hub.break_at, hub.break_for = 2, 10**6
    done = predict(hub, home)
    assert revision_of(done) == fetched[1]
    assert IN_THE_CACHE in done.stderr


@pytest.mark.parametrize("name", ["model.onnx", "input_check.npz"])
def test_damaged_cache_is_repaired(home, fetched, name):
    """A truncated file in the cache is downloaded again and never used."""
    commit = fetched[1]
    (file,) = home.rglob(name)
    file.write_bytes(file.read_bytes()[:1000])
    with nobody() as address:
        sentence_of(predict(address, home, f"{NAME}@{commit}"))
    with hub_standin.running() as hub:
        assert hub.put(NAME, FILES) == commit
        assert revision_of(predict(hub, home, f"{NAME}@{commit}")) == commit


def test_incomplete_cache_is_completed(home, fetched):
    """A file that the cache has lost is downloaded again."""
    commit = fetched[1]
    (lost,) = home.rglob("input_check.npz")
    lost.unlink()
    with nobody() as address:
        assert "The Hub cannot be reached" in sentence_of(predict(address, home))
    with hub_standin.running() as hub:
        assert hub.put(NAME, FILES) == commit
        assert revision_of(predict(hub, home, f"{NAME}@{commit}")) == commit


@pytest.mark.parametrize("ref", [b"", b"\xff\xfe", b"../../../etc", ALL_DIGITS.encode()])
def test_damaged_cache_reference_is_not_used(home, ref):
    """A cache that names a commit which it does not have counts as empty."""
    (main,) = home.rglob("refs/main")
    main.write_bytes(ref)
    with nobody() as address:
        assert "The Hub cannot be reached" in sentence_of(predict(address, home))


def test_cache_that_cannot_be_written_to_is_an_error(hub, tmp_path):
    """If HF_HOME is a file, the message gives the reason and says what to do."""
    (tmp_path / "home").write_text("no folder")
    said = sentence_of(predict(hub, tmp_path / "home"))
    assert "cannot be kept in the cache (Not a directory); make room or name another" in said
