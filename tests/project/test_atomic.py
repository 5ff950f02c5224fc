"""Files that are written in one step: what readers see meanwhile, and who may read them."""

import json
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


def test_part_file_is_hidden_beside_the_file(tmp_path):
    """Until the block ends the old file stays; other processes have part files of other names."""
    path = tmp_path / "new" / "folders" / "plot.v2.png"
    atomic.write_text(path, "old")
    with atomic.replacing(str(path)) as part:
        part.write_text("new")
        assert path.read_text() == "old"
        assert (part.parent, part.name[0], part.suffix) == (path.parent, ".", ".png")
        assert str(os.getpid()) in part.name
        inode = part.stat().st_ino
    assert path.read_text() == "new"
    assert path.stat().st_ino == inode, "the file was copied, not renamed"
    assert list(path.parent.iterdir()) == [path]


def test_text_is_utf_8(tmp_path):
    """Text is UTF-8 on every system, and JSON ends with a line end."""
    atomic.write_text(tmp_path / "text.txt", "Größe: 3 µm, 肺")
    assert (tmp_path / "text.txt").read_bytes() == "Größe: 3 µm, 肺".encode()
    atomic.write_json(tmp_path / "file.json", {"b": [1], "a": "µ"})
    assert (tmp_path / "file.json").read_bytes().endswith(b"\n}\n")
    assert json.loads((tmp_path / "file.json").read_bytes()) == {"b": [1], "a": "µ"}
