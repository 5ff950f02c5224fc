"""Starts app.py as a user does, on a free port, and stops it."""

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import ROOT


@contextmanager
def app(
    *options: str,
    python: str | Path = sys.executable,
    folder: Path = ROOT,
    user: int | None = None,
    **environment: str,
) -> Iterator[str]:
    """Runs app.py until the block ends.

    Args:
        *options: Options of app.py.
        python: The interpreter.
        folder: The folder of app.py.
        user: Id of the user that it runs as; only root can choose one.
        **environment: Further environment variables.

    Yields:
        The app's address.

    Raises:
        RuntimeError: The app did not start; the message has its output.
    """
    command = [str(python), "-u", "app.py", "--port", str(free_port()), *options]
    process = subprocess.Popen(
        command,
        cwd=folder,
        user=user,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield _address(process)
    finally:
        process.terminate()
        process.wait(timeout=20)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _address(process: subprocess.Popen) -> str:
    """Waits for the line with the address; reads on in a thread, so that the pipe never fills."""
    printed = []
    for line in process.stdout or ():
        printed.append(line)
        found = re.search(r"http://\S+:\d+", line)
        if found:
            threading.Thread(target=lambda: list(process.stdout or ()), daemon=True).start()
            return found[0]
    raise RuntimeError("app.py did not start:\n" + "".join(printed))
