"""How app.py starts, and how it says why it cannot."""

import os
import re
import signal
import socket
import subprocess
import sys

import pytest
from support import ROOT
from support.served import free_port


def _start(*options: str) -> subprocess.CompletedProcess:
    """app.py, until it ends by itself."""
    command = [sys.executable, "app.py", *options]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_missing_model_stops_the_start():
    """A wrong `--model` ends with one sentence and not with the starter."""
    done = _start("--model", "models/nowhere")
    assert done.returncode == 1
    assert "no model folder 'models/nowhere'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("host", "where"), [((), ""), (("--host", "127.0.0.2"), " of 127.0.0.2")])
def test_a_busy_port_stops_the_start(host, where):
    """The last line names the port and the host; exit status 1, no traceback."""
    with socket.socket() as taken:
        taken.bind((host[1] if host else "127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = _start("--port", str(port), *host)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == (
        f"The page cannot be served at port {port}{where}; choose another --port, or a --host that "
        "belongs to this machine."
    )


@pytest.mark.parametrize("port", ["0", "65536", "many"])
def test_a_number_that_is_no_port_is_wrong_usage(port):
    """Exit status 2, as for any option that does not fit."""
    done = _start(f"--port={port}")
    assert done.returncode == 2
    assert "argument --port" in done.stderr


def test_the_start_names_the_address_and_recommends_nothing():
    """One line with the address; none that recommends a public link, which the page has not."""
    command = [sys.executable, "-u", "app.py", "--port", str(free_port())]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        line = process.stdout.readline()
        os.kill(process.pid, signal.SIGTERM)
        printed = line + process.stdout.read()
    assert re.fullmatch(r"The page is at http://127\.0\.0\.1:\d+/?\n", printed)
    assert process.returncode == 0
