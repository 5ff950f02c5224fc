"""Files that are written in one step: what readers see meanwhile, and who may read them."""

import os

import numpy as np
import pytest
from safetensors.numpy import save_file
from support import STARTER

from cxr import atomic
from cxr.model import metrics
from cxr.model.config import read_config, write_config


@pytest.fixture(params=[0o022, 0o077])
def umask(request):
    """A umask for the test."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_permissions_are_those_of_the_umask(tmp_path, umask):
    """safetensors makes its files readable by their owner only; others must read them too."""
    with atomic.replacing(tmp_path / "model.safetensors") as part:
        save_file({"weights": np.zeros(3, np.float32)}, part)
    atomic.write_text(tmp_path / "text.txt", "text")
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {0o666 & ~umask}


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (lambda path: atomic.write_text(path, "new"), "text.txt"),
        (lambda path: write_config(path, read_config(STARTER / path.name)), "config.json"),
        (lambda path: metrics.write(path, metrics.read(STARTER)), "metrics.json"),
    ],
    ids=["text", "config", "metrics"],
)
def test_reader_keeps_the_file_that_he_has_opened(tmp_path, write, name):
    """A file is replaced as a whole; its old content is never written over."""
    path = tmp_path / "new folder" / name
    atomic.write_text(path, "old")
    with path.open() as opened:
        write(path)
        assert opened.read() == "old"
    assert path.read_text() != "old"
    assert list(path.parent.iterdir()) == [path]


def test_failed_write_leaves_the_old_file(tmp_path):
    """Nothing of the new file stays."""
    path = tmp_path / "file.json"
    atomic.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        atomic.write_json(path, {"a": float("nan")})
    with pytest.raises(ZeroDivisionError), atomic.replacing(path) as part:
        part.write_text(f"half {1 / 0}")
    assert path.read_text() == '{\n  "a": 1\n}\n'
    assert list(tmp_path.iterdir()) == [path]
