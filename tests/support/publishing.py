"""Model folders to publish, and the stand-in Hub that they are published on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from cxr.model import model_folder
from cxr.model.hub import HubName
from support import ROOT, STARTER, hub_standin
from support.hub_standin import Commit, Hub

IMAGE = Image.effect_noise((64, 64), 50)
NAME = HubName("owner/name")
AGAIN = "python -m cxr publish"


FILES = {
    "README.md",
    "config.json",
    "metrics.json",
    "model.onnx",
    "model.safetensors",
    "input_check.npz",
    "splits.csv",
    "figures/roc.png",
    "examples/examples.csv",
    "examples/image.png",
}


@contextmanager
def hub_of_this_process(patch: pytest.MonkeyPatch, cache: Path) -> Iterator[Hub]:
    """A stand-in Hub for the client in this process, which has a token."""
    from huggingface_hub import close_session, constants
    from huggingface_hub.utils import disable_progress_bars, is_agent

    disable_progress_bars()
    with hub_standin.running() as hub:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.url)
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        patch.setattr(constants, "ENDPOINT", hub.url)
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        patch.setenv("HF_TOKEN", hub_standin.TOKEN)
        is_agent()  # one request, which the client makes once in a process
        hub.requests.clear()
        yield hub
        close_session()


def make_folder(folder: Path, weights: bytes = b"weights") -> Path:
    """A small model folder, complete, with an example, among files that are not published."""
    folder.mkdir()
    for name in ("model.onnx", "model.safetensors"):
        (folder / name).write_bytes(weights)
    for name in ("README.md", "input_check.npz", "splits.csv", "metrics.json"):
        (folder / name).write_text(name)
    config = json.loads((STARTER / "config.json").read_text())
    config["sha256"] = model_folder.sha256(folder / "model.onnx")
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("roc.png", "batch.png", ".roc.7.part.png"):
        (folder / "figures").mkdir(exist_ok=True)
        (folder / "figures" / name).write_bytes(name.encode())
    (folder / "examples").mkdir()
    for name in ("image.png", "private.png"):
        IMAGE.save(folder / "examples" / name)
    (folder / "examples" / "examples.csv").write_text("file,labels,source\nimage.png,Mass,NIH\n")
    for name in ("report.html", ".config.7.part.json", "notes.txt", "checkpoint.pth"):
        (folder / name).write_text(name)
    return folder


def contents(folder: Path, names: set[str] = FILES) -> dict[str, bytes]:
    """The content of these files."""
    return {name: (folder / name).read_bytes() for name in names}


def publish_with(hub: Hub, home: Path, folder: Path) -> None:
    """Runs `python -m cxr publish` to owner/name, which must succeed."""
    done = command(hub, home, folder, "owner/name")
    assert done.returncode == 0, done.stderr


def newest(hub: Hub) -> dict[str, bytes]:
    """The files of the newest commit."""
    return held(hub.repositories["owner/name"].commits[-1])


def held(commit: Commit) -> dict[str, bytes]:
    """The files of a commit."""
    return {path: file.content for path, file in commit.files.items()}


def commits(hub: Hub) -> list[Commit]:
    """The commits of the repository without the first one, which is empty."""
    return hub.repositories["owner/name"].commits[1:]


def command(hub: Hub, home: Path, folder: Path, *options: str, **changes: str | None):
    """Runs `python -m cxr publish` with these options against the stand-in."""
    environment = {**os.environ, **hub.environment(home / "home"), **changes}
    return subprocess.run(
        [sys.executable, "-m", "cxr", "publish", str(folder), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={name: value for name, value in environment.items() if value is not None},
        timeout=60,
        check=False,
    )


def snapshot(folder: Path) -> dict[str, bytes]:
    """The content of all files below a folder."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in paths}
