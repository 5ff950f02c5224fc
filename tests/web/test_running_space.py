"""A deployed Space is downloaded from the Hub, installed like a Space, and started."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from huggingface_hub import metadata_load
from support import IMAGE, ROOT, hub_standin
from support.deploying import MODEL, SPACE, deployed, newest, tree
from support.hub_standin import Hub
from support.published import published
from support.served import app

pytestmark = pytest.mark.slow  # they install the page's packages


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that all users may enter, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="space"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def fetch(python: str | Path, environment: dict[str, str], name: str, kind: str, **more) -> None:
    """Downloads from the Hub, as a Space's build does, into the cache or `local_dir`."""
    code = (
        f"__import__('huggingface_hub').snapshot_download({name!r}, repo_type={kind!r}, **{more})"
    )
    subprocess.run(
        [str(python), "-c", code],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="module")
def live() -> Iterator[Hub]:
    """A Hub with a model and a Space that serves it."""
    with hub_standin.running() as running, tempfile.TemporaryDirectory() as home:
        running.put(MODEL, published())
        deployed(running, Path(home))
        yield running


@pytest.fixture(scope="module")
def checkout(live: Hub, place: Path) -> Path:
    """The Space's files in a folder of their own, downloaded by the Hub's client."""
    folder = place / "app"
    fetch(
        sys.executable, live.environment(place / "x", None), SPACE, "space", local_dir=str(folder)
    )
    shutil.rmtree(folder / ".cache")
    assert {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    } == tree(live)
    return folder


@pytest.fixture(scope="module")
def python(checkout: Path, place: Path) -> Path:
    """Python of a fresh environment with the Space's requirements.txt and nothing else."""
    subprocess.run([sys.executable, "-m", "venv", str(place / "env")], check=True)
    python = place / "env" / "bin" / "python"
    start = time.perf_counter()
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "-q", "-r", str(checkout / "requirements.txt")],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and re.search("new connection|name resolution|timed out", done.stderr):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    print(f"installed in {time.perf_counter() - start:.0f} s")
    return python


def environment(hub: Hub, home: Path) -> dict[str, str]:
    """The environment of a Space: its variable and a home, no token."""
    home.mkdir(exist_ok=True)
    home.chmod(0o777)
    return {
        **hub.environment(home / "hub", None),
        **hub.repositories[SPACE].variables,
        "HOME": str(home),
        "GRADIO_TEMP_DIR": str(home / "gradio"),
        "GRADIO_ANALYTICS_ENABLED": "False",
    }


def test_deployed_space_serves_its_model(live, checkout, python, place):
    """Installed without torch, the page uses the pinned model."""
    for package in ("torch", "fastai", "timm", "pytest"):
        found = subprocess.run([str(python), "-c", f"import {package}"], capture_output=True)
        assert b"ModuleNotFoundError" in found.stderr

    live.requests.clear()
    start = time.perf_counter()
    with app(python=python, folder=checkout, **environment(live, place / "home")) as address:
        client = Client(address, verbose=False)
        answer = client.predict(handle_file(str(IMAGE)), api_name="/analyze")
        print(f"first answer after {time.perf_counter() - start:.1f} s, model fetched")
        label = client.predict(handle_file(str(IMAGE)), api_name="/predict")
    assert (answer["model"], answer["revision"]) == (MODEL, newest(live, MODEL).sha)
    assert len(label["confidences"]) == 15
    assert "Mass" in answer["flagged"]
    assert not [request for request in live.requests if "model.pkl" in request]


def test_preloaded_space_asks_the_hub_for_nothing(live, checkout, python, place):
    """With the files that the header preloads, the page starts without a request to the Hub."""
    (entry,) = (metadata_load(checkout / "README.md") or {})["preload_from_hub"]
    repository, files, commit = entry.split(" ")
    here = environment(live, place / "preloaded")
    fetch(python, here, repository, "model", revision=commit, allow_patterns=files.split(","))
    live.requests.clear()
    start = time.perf_counter()
    with app(python=python, folder=checkout, **here) as address:
        client = Client(address, verbose=False)
        answer = client.predict(handle_file(str(IMAGE)), api_name="/analyze")
        print(f"first answer after {time.perf_counter() - start:.1f} s, model preloaded")
    assert answer["revision"] == commit
    assert live.requests == []


def may_run(python: Path, user: int) -> bool:
    """Whether this test may become that user, and that user may run this Python."""
    try:
        return subprocess.run([str(python), "-c", ""], user=user, check=False).returncode == 0
    except PermissionError:
        return False


def test_container_serves_what_it_copies(live, python, place):
    """The files that the Dockerfile copies, started by its command and as its user, make a page."""
    dockerfile = (ROOT / "docs" / "Dockerfile").read_text()
    (uid,) = re.findall(r"--uid (\d+) user\nUSER user\n", dockerfile)
    folder = place / "container"
    folder.mkdir()
    for names in re.findall(r"^COPY --chown=user (.+) \S+$", dockerfile, re.M):
        for name in names.split():
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
    command = json.loads(re.findall(r"^CMD (.+)$", dockerfile, re.M)[0])
    assert command == ["python", "app.py", "--host", "0.0.0.0", "--port", "7860"]
    user = int(uid) if may_run(python, int(uid)) else None
    here = environment(live, place / "container home")
    with app(*command[2:-2], python=python, folder=folder, user=user, **here) as address:
        client = Client(address, verbose=False)
        answer = client.predict(handle_file(str(IMAGE)), api_name="/analyze")
    assert answer["revision"] == newest(live, MODEL).sha


def test_space_without_its_variable_does_not_start(live, checkout, python, place):
    """A Space without CXR_MODEL does not start, and one sentence says why."""
    here = environment(live, place / "unnamed") | {"CXR_MODEL": ""}
    with pytest.raises(RuntimeError, match="No model was named") as ended:
        app(python=python, folder=checkout, **here).__enter__()
    assert "Traceback" not in str(ended.value)
