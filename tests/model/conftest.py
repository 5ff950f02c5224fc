"""Fixtures of these tests: a Hub with a model, and a cache that has it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import hub_standin
from support.fetching import (
    FILES,
    NAME,
    predict,
)
from support.hub_standin import Hub


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
