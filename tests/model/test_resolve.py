"""Where a model comes from: what is fetched from the Hub, what is rejected, and when it is away.

The real client fetches from a stand-in; the starter's files are the model's.
"""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from support import hub_standin, planted
from support.browser import chromium
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
    with_network,
)
from support.hub_standin import GUEST, TOKEN, Hub, Repository
from support.served import app

from cxr.model import examples, resolve
from cxr.model.errors import HubError, ModelFolderError
from cxr.model.resolve import STARTER, Model


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A Hub with one model."""
    with hub_standin.running() as started:
        started.put(NAME, FILES)
        yield started


@pytest.fixture(scope="module")
def fetched(tmp_path_factory) -> tuple[Path, str]:
    """A home whose cache has the model, from a Hub that is gone; and the model's commit."""
    home = tmp_path_factory.mktemp("home")
    with hub_standin.running() as hub:
        commit = hub.put(NAME, FILES)
        assert predict(hub, home).returncode == 0
    return home, commit


@pytest.fixture
def home(fetched, tmp_path) -> Path:
    """A copy of that home, to be changed."""
    return shutil.copytree(fetched[0], tmp_path / "home", symlinks=True)


def test_fetched_model_answers_as_its_folder_does(fetched, tmp_path):
    """The answer is that of the same files on disk, with OWNER/NAME and the commit beside it."""
    home, commit = fetched
    with nobody() as address:
        there = json.loads(predict(address, home).stdout)
        here = json.loads(predict(address, tmp_path, "models/starter").stdout)
    assert (here["model"], here["revision"]) == ("starter", None)
    assert there == here | {"model": NAME, "revision": commit}


def test_only_what_serving_reads_is_fetched(hub, tmp_path):
    """One question, then each file that serving reads, from that commit, config.json last."""
    done = predict(hub, tmp_path)
    first, *others = hub.requests
    assert first == f"GET /api/models/{NAME}"
    prefix = f"/{NAME}/resolve/{revision_of(done)}/"
    asked = [request.split(" ", 1) for request in others]
    assert {path.removeprefix(prefix) for _, path in asked} == FETCHED
    assert asked[-1] == ["GET", f"{prefix}config.json"]


def test_new_commit_is_picked_up_by_the_next_start(hub, tmp_path):
    """Without a commit in its name, a model is the newest one of each start."""
    first = revision_of(predict(hub, tmp_path))
    second = hub.put(NAME, changed(training={"seed": 7}))
    assert first != second
    assert revision_of(predict(hub, tmp_path)) == second


def test_pinned_commit_stays(hub, tmp_path):
    """OWNER/NAME@REVISION is that commit, whatever came after it."""
    (old,) = (commit.sha for commit in hub.repositories[NAME].commits[1:])
    hub.put(NAME, changed(training={"seed": 7}))
    assert revision_of(predict(hub, tmp_path, f"{NAME}@{old}")) == old


def test_pinned_commit_in_the_cache_asks_nothing(fetched, hub):
    """Once it is there, a pinned commit is answered without a request, and without a note."""
    home, commit = fetched
    done = predict(hub, home, f"{NAME}@{commit}")
    assert revision_of(done) == commit
    assert hub.requests == []
    assert done.stderr == ""


@pytest.mark.parametrize("away", AWAY)
def test_cache_answers_when_the_hub_is_away(fetched, away):
    """With the model in the cache, a Hub that cannot be asked is a note, not an error."""
    home, commit = fetched
    with AWAY[away]() as address:
        done = predict(address, home)
    assert revision_of(done) == commit
    assert IN_THE_CACHE in done.stderr


def test_cache_answers_when_the_hub_is_switched_off(fetched, hub):
    """HF_HUB_OFFLINE=1: no request, the cached model and the note."""
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
def test_away_without_a_cache_is_said_in_a_sentence(tmp_path, away, words):
    """Nothing in the cache and no Hub: the reason, and never another model."""
    with AWAY[away]() as address:
        assert words in sentence_of(predict(address, tmp_path))


def test_pinned_commit_that_is_not_in_the_cache_needs_the_hub(fetched):
    """Another commit of the same model does not stand in for it."""
    with nobody() as address:
        done = predict(address, fetched[0], f"{NAME}@{ALL_DIGITS}")
    assert "The Hub cannot be reached" in sentence_of(done)


def test_switched_off_without_a_cache_is_said_in_a_sentence(hub, tmp_path):
    """HF_HUB_OFFLINE=1 is named as the reason."""
    done = predict(hub, tmp_path, HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE; unset it" in sentence_of(done)


@pytest.mark.parametrize(
    ("name", "token", "words"),
    [
        ("owner/nothing", GUEST, "The Hub has no 'owner/nothing', or your token may not see it."),
        ("owner/nothing", None, "The Hub has no 'owner/nothing', or shows it only to some;"),
        ("owner/private", None, "if it is private, run `hf auth login`, or set HF_TOKEN"),
        ("owner/private", GUEST, "The Hub has no 'owner/private', or your token may not see it."),
        ("owner/gated", GUEST, "'owner/gated' asks you to accept its terms first"),
        (NAME, "hf_wrong", f"The Hub does not accept your token for '{NAME}'"),
        (f"{NAME}@{ALL_DIGITS}", None, f"'{NAME}' has no commit '{ALL_DIGITS}' on the Hub."),
        (f"{NAME}@1234567", None, "The revision '1234567' is not a full commit; pin"),
        (f"{NAME}@main", None, "The revision 'main' is not a full commit; pin"),
        (f"{NAME}@", None, "The revision '' is not a full commit; pin"),
        ("owner/na me", None, "'owner/na me' is not a name on the Hub; it should read OWNER/NAME."),
        ("a/b/c", None, "'a/b/c' is not a name on the Hub; it should read OWNER/NAME."),
        ("no..where/x", None, "'no..where/x' is not a name on the Hub"),
        ("owner/cards", None, "'owner/cards' is no model folder of this project: it has no model"),
        ("owner/empty", None, "'owner/empty' is no model folder of this project: it has no config"),
    ],
)
def test_model_that_cannot_be_had_is_said_in_a_sentence(hub, tmp_path, name, token, words):
    """Each reason of the Hub, and each wrong name, has its own sentence; the status is 2."""
    hub.repositories["owner/private"] = Repository("model", private=True)
    hub.repositories["owner/gated"] = Repository("model", gated=True)
    hub.put("owner/private", FILES)
    hub.put("owner/gated", FILES)
    hub.put("owner/cards", {"README.md": b"#", "config.json": b"{}"})
    hub.put("owner/empty", {"README.md": b"#"})
    assert words in sentence_of(predict(hub, tmp_path, name, token))


def test_private_model_is_had_with_a_token(hub, tmp_path):
    """Who may see a repository gets its model."""
    hub.repositories["owner/private"] = Repository("model", private=True)
    commit = hub.put("owner/private", FILES)
    assert revision_of(predict(hub, tmp_path, "owner/private", TOKEN)) == commit


def test_model_that_was_taken_back_is_not_answered_from_the_cache(home, hub):
    """A Hub that says no is believed, though an older copy lies in the cache."""
    hub.repositories.clear()
    assert f"The Hub has no '{NAME}'" in sentence_of(predict(hub, home))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (FILES | {"model.onnx": b"another network"}, "model.onnx in .* is not the file that"),
        (changed(format_version=2), "format version 2, and this program reads version 1"),
        (changed(labels=["A", "B"]), "are not the 15 of this program"),
        (FILES | {"config.json": b"{"}, "cannot be read as JSON"),
        (FILES | {"config.json": b"[" * 2**20}, "cannot be read as JSON"),
        (FILES | {"config.json": b" " * 2**25}, "cannot be read as JSON"),
        (with_network(b"no network"), "is not an ONNX file that can be run"),
        (
            FILES | {"input_check.npz": b"no zip"},
            "input_check.npz in .* is missing, damaged or not",
        ),
        (
            changed(input_check={"file": "../x", "sha256": "", "warn_above": 1, "reject_above": 2}),
            "input_check.npz in .* is missing, damaged or not",
        ),
        (
            changed(
                input_check={
                    "file": "/etc/passwd",
                    "sha256": "",
                    "warn_above": 1,
                    "reject_above": 2,
                }
            ),
            "input_check.npz in .* is missing, damaged or not",
        ),
        (
            {k: v for k, v in FILES.items() if k != "input_check.npz"},
            "input_check.npz in .* missing",
        ),
    ],
)
def test_model_that_does_not_fit_is_rejected(hub, tmp_path, files, words):
    """A repository whose files do not fit together is rejected in a sentence."""
    hub.put("owner/broken", files)
    assert re.search(words, sentence_of(predict(hub, tmp_path, "owner/broken")))


@pytest.mark.parametrize("name", ["models/typo", f"models/starter@{ALL_DIGITS}", "tests/images"])
def test_name_below_a_folder_here_is_not_asked_of_the_hub(hub, tmp_path, name):
    """A mistyped path stays on this machine, though the Hub may have something of that name."""
    hub.put("models/typo", FILES)
    said = sentence_of(predict(hub, tmp_path, name))
    folder = name.split("/")[0]
    assert f"no model folder '{name}'; the Hub was not asked for it, as '{folder}' is" in said
    assert hub.requests == []


@pytest.mark.parametrize("name", ["starter", "", "./starter", "model.onnx"])
def test_single_name_is_a_folder_or_nothing(name):
    """What has no owner is not on the Hub."""
    with pytest.raises(ModelFolderError, match="There is no model folder"):
        resolve.find(name)


def test_no_name_is_the_starter():
    """Without a name the embedded model is served, under the name of its folder."""
    assert resolve.find(None) == Model(STARTER, "starter", None, "")


def test_existing_folder_goes_before_the_hub(tmp_path, monkeypatch):
    """A folder that reads like OWNER/NAME is a folder."""
    (tmp_path / NAME).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert resolve.find(NAME) == Model(Path(NAME), "images")


def test_folder_here_does_not_load_the_client():
    """The Hub's client, half a second to load, is left alone for a model on disk."""
    script = "import sys; from cxr.model import resolve; "
    script += "resolve.find('models/starter'); print('huggingface_hub' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_images_of_a_fetched_model_are_offered(fetched):
    """The cache keeps links in a model's folder; they are images of it all the same."""
    home, commit = fetched
    (folder,) = home.rglob(f"snapshots/{commit}")
    assert (folder / "examples" / "00000001_000.png").is_symlink()
    assert examples.find(folder)[0].path == folder / "examples" / "00000001_000.png"


# Cut off.


@pytest.mark.parametrize("at", ["model.onnx", "config.json"])
def test_half_a_download_is_not_taken_for_a_model(hub, tmp_path, at):
    """Killed when it asks for a file: what is in the cache is no model; the next start makes it."""
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


def test_line_that_breaks_once_is_no_news(hub, tmp_path):
    """A connection that is cut while a file is sent is taken up again by itself."""
    hub.break_at = 2  # the answer with the first file
    assert revision_of(predict(hub, tmp_path)) == hub.repositories[NAME].commits[-1].sha


def test_line_that_stays_cut_is_said_in_a_sentence(hub, tmp_path):
    """From the network's file on nothing is answered: a sentence; later all of it is fetched."""
    hub.break_at, hub.break_for = 2, 10**6  # the answer to the first file
    assert "The Hub cannot be reached" in sentence_of(predict(hub, tmp_path))
    hub.break_at = None
    assert revision_of(predict(hub, tmp_path)) == hub.repositories[NAME].commits[-1].sha


def test_line_cut_within_a_new_commit_leaves_the_old_one(home, fetched, hub):
    """A newer commit that cannot be fetched: the one in the cache, and the note."""
    hub.put(NAME, FILES | {"README.md": b"# Newer"})
    hub.break_at, hub.break_for = 2, 10**6
    done = predict(hub, home)
    assert revision_of(done) == fetched[1]
    assert IN_THE_CACHE in done.stderr


def test_damaged_cache_is_mended(home, fetched):
    """A network that a crash cut short in the cache is fetched again; never served as it is."""
    commit = fetched[1]
    (network,) = home.rglob("model.onnx")
    network.write_bytes(network.read_bytes()[:1000])
    with nobody() as address:
        sentence_of(predict(address, home, f"{NAME}@{commit}"))
    with hub_standin.running() as hub:
        assert hub.put(NAME, FILES) == commit
        assert revision_of(predict(hub, home, f"{NAME}@{commit}")) == commit


@pytest.mark.parametrize("ref", [b"", b"\xff\xfe", b"../../../etc", ALL_DIGITS.encode()])
def test_damaged_note_of_the_newest_commit_is_no_model(home, ref):
    """What the cache says of the newest commit is believed only if that commit is there."""
    (main,) = home.rglob("refs/main")
    main.write_bytes(ref)
    with nobody() as address:
        assert "The Hub cannot be reached" in sentence_of(predict(address, home))


def test_cache_that_cannot_be_written_to_is_said_in_a_sentence(hub, tmp_path):
    """A home that is a file: the reason, and what to do."""
    (tmp_path / "home").write_text("no folder")
    said = sentence_of(predict(hub, tmp_path / "home"))
    assert "cannot be kept in the cache (Not a directory); make room or name another" in said


# The page.

SOON = 5.0  # seconds


def seconds_to_answer(*options: str, **variables: str) -> tuple[float, dict]:
    """From the start of the page's process to the first answer through gradio_client, and it."""
    serving = ROOT / ".venv" / "bin" / "python"
    python = serving if serving.is_file() else Path(sys.executable)
    started = time.monotonic()
    with app(*options, python=python, **variables) as address:
        found = Client(address, verbose=False).predict(handle_file(IMAGE), api_name="/analyze")
        return time.monotonic() - started, found


@pytest.mark.parametrize("away", ["rejected", "silent"])
def test_page_answers_soon_when_the_hub_is_away(fetched, away):
    """With a warm cache the first answer comes within 5 s.

    Where the machine is busy: within twice what a local model takes. The client by itself would
    wait without end for a Hub that says nothing.
    """
    home, commit = fetched
    local, _ = seconds_to_answer()
    with AWAY[away]() as hub:
        variables = {"HF_ENDPOINT": hub, "HF_HOME": str(home)}
        seconds, found = seconds_to_answer("--model", NAME, **variables)
    print(f"\n{away}: {seconds:.1f} s to the first answer, {local:.1f} s with a local model")
    assert found["revision"] == commit
    assert seconds < max(SOON, 2 * local)


def test_model_in_the_environment_is_served_with_its_commit(hub, tmp_path):
    """CXR_MODEL=OWNER/NAME@REVISION: /analyze names model and commit."""
    commit = hub.put(NAME, FILES)
    variables = hub.environment(tmp_path) | {"CXR_MODEL": f"{NAME}@{commit}"}
    with app(**variables) as address:
        found = Client(address, verbose=False).predict(handle_file(IMAGE), api_name="/analyze")
    assert (found["model"], found["revision"]) == (NAME, commit)


@pytest.mark.parametrize("name", ["owner/nothing", f"{NAME}@main"])
def test_page_does_not_start_with_another_model(hub, tmp_path, name):
    """A model that cannot be had ends the start with one sentence and status 1."""
    done = subprocess.run(
        [sys.executable, "app.py", "--model", name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environment(hub, tmp_path),
        check=False,
    )
    assert done.returncode == 1
    assert "'owner/" in done.stderr
    assert "Traceback" not in done.stderr


def test_page_shows_model_and_commit_and_its_images(fetched, tmp_path):
    """Name, short commit with all of it in the link, the note, and example images that answer."""
    home, commit = fetched
    with ExitStack() as stack:
        hub = stack.enter_context(nobody())
        browser = stack.enter_context(chromium())
        # Of the page's own, for Gradio hands out whatever lies below: the cache must not.
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        variables = {"HF_ENDPOINT": hub, "HF_HOME": str(home), "TMPDIR": str(temporary)}
        address = stack.enter_context(app("--model", NAME, **variables))
        page = browser.new_page(viewport={"width": 360, "height": 800})
        page.goto(address)
        page.wait_for_selector("#examples img")
        link = page.get_by_role("link", name=commit[:7])
        assert link.get_attribute("href") == f"{hub}/{NAME}/tree/{commit}"
        assert link.get_attribute("title") == commit
        assert page.get_by_text(NAME).is_visible()
        assert page.get_by_text(IN_THE_CACHE).is_visible()
        page.locator("#examples button", has=page.locator("img")).first.click()
        page.wait_for_selector("#label [data-finding]")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_measuring_takes_a_model_of_the_hub(fetched, tmp_path):
    """`evaluate` measures it; its report names the commit, its split is known."""
    home, commit = fetched
    data = planted.make_folder(tmp_path / "images", patients=10)
    output = tmp_path / "report"
    with nobody() as address:
        done = subprocess.run(
            [sys.executable, "-m", "cxr", "evaluate", NAME, str(data), "--output", str(output)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env=environment(address, home),
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert f"{NAME}@{commit}" in (output / "report.html").read_text(encoding="utf-8")
    assert not any(
        "no splits.csv" in n for n in json.loads((output / "metrics.json").read_text())["notes"]
    )


def test_measuring_says_what_the_hub_says(hub, tmp_path):
    """`evaluate` with a model that cannot be had: the same sentence, status 1."""
    done = subprocess.run(
        [sys.executable, "-m", "cxr", "evaluate", "owner/nothing", "x", "--output", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environment(hub, tmp_path),
        check=False,
    )
    assert "The Hub has no 'owner/nothing'" in sentence_of(done)


def test_errors_are_of_one_kind_for_each_cause(tmp_path, monkeypatch):
    """In Python: ModelFolderError for a folder, HubError for a name on the Hub."""
    with pytest.raises(ModelFolderError):
        resolve.find("models/typo")
    with pytest.raises(HubError):
        resolve.find(f"{NAME}@main")
