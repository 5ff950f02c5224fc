"""`python -m cxr` as a user runs it."""

import os
import subprocess
import sys

from support import ROOT


def predict(*arguments: object) -> subprocess.CompletedProcess:
    return cxr("predict", "models/starter", *arguments)


def cxr(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "cxr", *map(str, arguments)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False
    )
