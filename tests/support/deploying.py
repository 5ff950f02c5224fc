"""Runs `python -m cxr deploy` against the stand-in Hub, and reads what it left there."""

import os
import subprocess
import sys
from pathlib import Path

from huggingface_hub import metadata_load

from support import ROOT, hub_standin
from support.hub_standin import TOKEN, Hub

SPACE, MODEL = "owner/space", "owner/model"


NOBODY = "http://127.0.0.1:9"  # where no Hub listens


def deploy(
    hub: Hub, home: Path, *options: str, token: str | None = TOKEN, **environment: str
) -> subprocess.CompletedProcess:
    """Runs `python -m cxr deploy` with these options."""
    inherited = {name: value for name, value in os.environ.items() if name != "HF_TOKEN"}
    return subprocess.run(
        [sys.executable, "-m", "cxr", "deploy", *options],
        cwd=ROOT,
        env={**inherited, **hub.environment(home, token), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def deployed(hub: Hub, home: Path, *options: str, **more) -> str:
    """Deploys MODEL to SPACE, which must succeed; returns the output."""
    done = deploy(hub, home, SPACE, "--model", MODEL, *options, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rejected(done: subprocess.CompletedProcess) -> str:
    """The error message of a command that failed."""
    assert done.returncode != 0, done.stdout
    (sentence,) = done.stderr.strip().splitlines()
    return sentence


def newest(hub: Hub, name: str) -> hub_standin.Commit:
    return hub.repositories[name].commits[-1]


def tree(hub: Hub, name: str = SPACE) -> dict[str, bytes]:
    """The files of a repository's newest commit."""
    return {path: file.content for path, file in newest(hub, name).files.items()}


def header(hub: Hub, folder: Path) -> dict:
    """The Space's header as the Hub's own client reads it."""
    (folder / "README.md").write_bytes(tree(hub)["README.md"])
    return dict(metadata_load(folder / "README.md") or {})
