"""Runs train.py as a user does."""

import subprocess
import sys
from pathlib import Path

from support import ROOT, planted

UNTRAINED = ("--epochs", "0", "--freeze-epochs", "0")


def train(data: Path, output: Path, *options: str) -> None:
    """Trains on planted images and writes the model folder; fails when train.py does."""
    command = [sys.executable, "train.py", "--data", str(data), "--output", str(output)]
    command += ["--image-size", str(planted.SIDE), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
