"""`predict --ray` gives the same results as without Ray."""

import importlib.util
import os
import subprocess
import sys

import pytest
from support import IMAGE, ROOT
from support.command import predict

if importlib.util.find_spec("ray") is None:
    pytest.skip("Ray is not installed (requirements-ray.txt)", allow_module_level=True)


@pytest.mark.slow
def test_ray_gives_the_table_of_the_plain_command(hundred_images, tmp_path):
    """The same CSV, byte for byte, with unreadable images among the others."""
    plain, shared = tmp_path / "plain.csv", tmp_path / "shared.csv"
    predict(hundred_images, "--csv", "--output", plain)
    done = predict(hundred_images, "--csv", "--output", shared, "--ray")
    assert done.returncode == 1  # two images are unreadable
    assert shared.read_text() == plain.read_text()
    assert "Traceback" not in done.stderr
    assert done.stderr.count("is not an image that can be read") == 2


def test_missing_cluster_is_an_error():
    """A wrong RAY_ADDRESS ends with a message."""
    command = [sys.executable, "-m", "cxr", "predict", "models/starter", str(IMAGE), "--ray"]
    environment = {**os.environ, "RAY_ADDRESS": "127.0.0.1:1"}
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 1
    assert "The Ray cluster in RAY_ADDRESS cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
