"""The page and `evaluate` with a model of the Hub."""

import json
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest
from gradio_client import Client, handle_file
from support import planted
from support.browser import chromium
from support.fetching import (
    AWAY,
    FILES,
    IMAGE,
    IN_THE_CACHE,
    NAME,
    ROOT,
    environment,
    nobody,
    sentence_of,
)
from support.served import app

from cxr.model import examples

PATIENCE = 45  # seconds; the client by itself would wait without end


@pytest.mark.parametrize("away", ["rejected", "silent"])
def test_page_answers_from_the_cache_when_the_hub_is_away(fetched, away):
    """The page does not wait for a Hub that is away or says nothing, and answers from the cache."""
    home, commit = fetched
    with AWAY[away]() as hub:
        started = time.monotonic()
        with app("--model", NAME, HF_ENDPOINT=hub, HF_HOME=str(home)) as address:
            found = Client(address, verbose=False).predict(handle_file(IMAGE), api_name="/analyze")
    assert found["revision"] == commit
    assert time.monotonic() - started < PATIENCE


def test_model_in_the_environment_is_served_with_its_commit(hub, tmp_path):
    """With CXR_MODEL=OWNER/NAME@REVISION /analyze names model and commit."""
    commit = hub.put(NAME, FILES)
    variables = hub.environment(tmp_path) | {"CXR_MODEL": f"{NAME}@{commit}"}
    with app(**variables) as address:
        found = Client(address, verbose=False).predict(handle_file(IMAGE), api_name="/analyze")
    assert (found["model"], found["revision"]) == (NAME, commit)


def test_empty_variable_names_no_model():
    """With CXR_MODEL= the page serves the starter, as without the variable."""
    with app(CXR_MODEL="") as address:
        found = Client(address, verbose=False).predict(handle_file(IMAGE), api_name="/analyze")
    assert (found["model"], found["revision"]) == ("starter", None)


@pytest.mark.parametrize("name", ["owner/nothing", f"{NAME}@main"])
def test_page_does_not_start_with_another_model(hub, tmp_path, name):
    """If the model cannot be downloaded, the page does not start: one sentence, status 1."""
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
    """The page shows the name, a link to the commit, the note, and working examples."""
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
    """The report of `evaluate` names the commit, and the split of the model is known."""
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


def test_measuring_reports_the_error_of_the_hub(hub, tmp_path):
    """If the model cannot be downloaded, `evaluate` gives the same message, with status 1."""
    done = subprocess.run(
        [sys.executable, "-m", "cxr", "evaluate", "owner/nothing", "x", "--output", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environment(hub, tmp_path),
        check=False,
    )
    assert "The Hub has no 'owner/nothing'" in sentence_of(done)


def test_images_of_a_fetched_model_are_offered(fetched):
    """Example images that are links into the cache are offered."""
    home, commit = fetched
    (folder,) = home.rglob(f"snapshots/{commit}")
    assert (folder / "examples" / "00000001_000.png").is_symlink()
    assert examples.find(folder)[0].path == folder / "examples" / "00000001_000.png"
