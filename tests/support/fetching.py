"""A model on a stand-in Hub, commands that fetch it, and servers that are not the Hub."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from cxr.model.resolve import STARTER
from support import IMAGE, ROOT
from support.hub_standin import Hub
from support.quiet_server import Server

NAME = "owner/images"
ALL_DIGITS = "1" * 40
FILES = {str(p.relative_to(STARTER)): p.read_bytes() for p in STARTER.rglob("*") if p.is_file()}
FILES |= {
    "examples/00000001_000.png": IMAGE.read_bytes(),
    "examples/examples.csv": b"file,labels,source\n00000001_000.png,Mass,An image of the tests\n",
}
FETCHED = {
    "README.md",
    "config.json",
    "metrics.json",
    "model.onnx",
    "input_check.npz",
    "splits.csv",
    *(name for name in FILES if name.startswith(("examples/", "figures/"))),
}
IN_THE_CACHE = "This model comes from the cache, as the Hub could not be asked"


def environment(hub: Hub | str, home: Path, token: str | None = None) -> dict[str, str]:
    """The environment variables of a command that uses the stand-in.

    Args:
        hub: The stand-in, or the address of another server.
        home: Folder of the client's cache.
        token: The token, if any.
    """
    mine = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    if isinstance(hub, Hub):
        return mine | hub.environment(home, token)
    return mine | {"HF_ENDPOINT": hub, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"}


def predict(
    hub: Hub | str,
    home: Path,
    name: str = NAME,
    token: str | None = None,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Runs `python -m cxr predict` on one image."""
    return subprocess.run(
        [sys.executable, "-m", "cxr", "predict", name, str(IMAGE), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environment(hub, home, token) | variables,
        check=False,
    )


def revision_of(done: subprocess.CompletedProcess[str]) -> str:
    """The commit in the result; fails with the error output if there is no result."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["revision"]


def sentence_of(done: subprocess.CompletedProcess[str]) -> str:
    """The error message of a command that failed with status 1; it is the last line."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    *_, last = done.stderr.splitlines()
    return last


def changed(**entries: object) -> dict[str, bytes]:
    """The model's files, with changed entries in config.json."""
    config = json.loads(FILES["config.json"]) | entries
    return FILES | {"config.json": json.dumps(config).encode()}


def with_network(network: bytes, **entries: object) -> dict[str, bytes]:
    """The model's files, with another network whose hash is in config.json."""
    sha256 = hashlib.sha256(network).hexdigest()
    return changed(sha256=sha256, **entries) | {"model.onnx": network}


# Servers that are not the Hub.


@contextmanager
def nobody() -> Iterator[str]:
    """An address that rejects connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def black_hole() -> Iterator[str]:
    """An address that accepts connections and never responds."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        yield f"http://127.0.0.1:{silent.getsockname()[1]}"


@contextmanager
def always(status: int, content: bytes) -> Iterator[str]:
    """An address that gives the same response to all requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


AWAY: dict[str, Callable] = {
    "rejected": nobody,
    "silent": black_hole,
    "overloaded": lambda: always(503, b""),
    "too many questions": lambda: always(429, b""),
    "a page that wants a sign-in": lambda: always(200, b"<html>Welcome to our network</html>"),
    "JSON of something else": lambda: always(200, b'{"id": "owner/images", "sha": "../../x"}'),
}
