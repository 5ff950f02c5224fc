"""Pages that run as processes of their own, with the environment that a Space has."""

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SERVING = ROOT / ".venv" / "bin" / "python"  # an environment with the serving half alone
EVERYTHING = Path(sys.executable)


@contextlib.contextmanager
def running(*command: str, python: Path = SERVING) -> Iterator[tuple[str, subprocess.Popen]]:
    """A page's address and its process. command: a script and its options, without the port."""
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
            "PYTHONPATH": str(ROOT),  # for scripts that lie elsewhere and load an export of ours
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
