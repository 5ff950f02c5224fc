"""Scoring an archive through Ray: the same answers as without it."""

import importlib.util
import os
import subprocess
import sys

import pytest
from test_archive import films  # noqa: F401 (a fixture)
from test_cli import FILM, ROOT, predict

if importlib.util.find_spec("ray") is None:
    pytest.skip("Ray is not installed (requirements-ray.txt)", allow_module_level=True)


def test_ray_gives_the_table_of_the_plain_command(films, tmp_path):  # noqa: F811
    """Two workers, films that cannot be read among the others: the same CSV, byte for byte."""
    plain, shared = tmp_path / "plain.csv", tmp_path / "shared.csv"
    predict(films, "--csv", "--output", plain)
    done = predict(films, "--csv", "--output", shared, "--ray")
    assert done.returncode == 1  # two films are unreadable
    assert shared.read_text() == plain.read_text()
    assert "Traceback" not in done.stderr
    assert done.stderr.count("is not a picture that can be read") == 2


def test_cluster_that_is_not_there_is_said():
    """A wrong RAY_ADDRESS ends with a sentence."""
    command = [sys.executable, "-m", "cxr", "predict", "models/starter", str(FILM), "--ray"]
    environment = {**os.environ, "RAY_ADDRESS": "127.0.0.1:1"}
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 2
    assert "The Ray cluster in RAY_ADDRESS cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
