"""Runs `python -m cxr` as a user does."""

import os
import subprocess
import sys

from support import ROOT


def predict(*arguments: object) -> subprocess.CompletedProcess:
    """Runs `python -m cxr predict` with the starter model."""
    return cxr("predict", "models/starter", *arguments)


def cxr(*arguments: object) -> subprocess.CompletedProcess:
    """Runs `python -m cxr` in the root of the project."""
    command = [sys.executable, "-m", "cxr", *map(str, arguments)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False
    )
