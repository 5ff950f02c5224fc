"""`predict --ray` gives the same results as without Ray."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from support import IMAGE, ROOT
from support.command import predict
from support.images import encode

if importlib.util.find_spec("ray") is None:
    pytest.skip("Ray is not installed (requirements-ray.txt)", allow_module_level=True)


@pytest.mark.slow
def test_ray_gives_the_table_of_the_plain_command(hundred_images, tmp_path):
    """The same CSV, byte for byte, with unreadable images among the others."""
    plain, shared = tmp_path / "plain.csv", tmp_path / "shared.csv"
    options = (hundred_images, "--csv", "--prevalence", "Mass=0.3", "--output")
    predict(*options, plain)
    done = predict(*options, shared, "--ray")
    assert done.returncode == 1  # two images are unreadable
    assert shared.read_text() == plain.read_text()
    assert "Traceback" not in done.stderr
    assert done.stderr.count("is not an image that can be read") == 2


@pytest.mark.slow
def test_ray_keeps_the_order_of_the_images(tmp_path):
    """A batch of large images comes before the later batches, which are done sooner."""
    large = np.random.default_rng(0).integers(0, 255, (3000, 3000), np.uint8)
    (tmp_path / "large00.png").write_bytes(encode(large, compress_level=1))
    for number in range(1, 32):
        (tmp_path / f"large{number:02}.png").symlink_to(tmp_path / "large00.png")
    for number in range(160):
        (tmp_path / f"unreadable{number:03}.png").write_text("no image")
    done = predict(tmp_path, "--json", "--ray")
    files = [json.loads(line)["file"] for line in done.stdout.splitlines()]
    assert files == sorted(map(str, tmp_path.iterdir()))


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
