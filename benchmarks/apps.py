"""Gradio apps that run as processes, in the environment that a Space has."""

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNTIME = ROOT / ".venv" / "bin" / "python"  # an environment with requirements.txt alone
EVERYTHING = Path(sys.executable)


@contextlib.contextmanager
def running(*command: str, python: Path = RUNTIME) -> Iterator[tuple[str, subprocess.Popen]]:
    """Starts an app and stops it afterwards.

    Args:
        *command: A script and its options, without the port.
        python: The interpreter, which decides the environment.

    Yields:
        The app's address and its process.
    """
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    process = subprocess.Popen(
        [python, "-u", *command, "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),  # for scripts outside that load our fastai export
            "PYTHONWARNINGS": "ignore",
            "GRADIO_ANALYTICS_ENABLED": "False",
        },
    )
    try:
        line = next(line for line in process.stdout or () if "http://" in line)
        yield re.findall(r"http://\S+", line)[0], process
    finally:
        process.terminate()
        process.wait()
