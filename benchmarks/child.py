"""Runs commands as child processes and measures their time and memory."""

import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_INTERVAL = 0.02  # seconds between two measurements of memory


@dataclass(frozen=True)
class Run:
    """What a command took.

    Attributes:
        seconds: Time from its start to its end.
        processor: Seconds of processor time, including its workers.
        memory: Peak memory of the process in MB.
        worker: Peak memory of its largest worker in MB; 0 if it has none.
        output: Its standard output.
    """

    seconds: float
    processor: float
    memory: float
    worker: float
    output: str


def run(*arguments: str) -> Run:
    """Runs Python with these arguments.

    Raises:
        RuntimeError: The command failed. Status 1 is allowed, because `predict` ends with it when
            it rejected an image.
    """
    before, begun = _processor(), time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    memory = worker = 0.0
    while process.poll() is None:
        memory = max(memory, peak(process.pid))
        worker = max([worker, *map(peak, workers(process.pid))])
        time.sleep(_INTERVAL)
    seconds = time.perf_counter() - begun
    output, _ = process.communicate()
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}.")
    return Run(seconds, _processor() - before, memory, worker, output)


def peak(process: int | str) -> float:
    """Peak memory of a process so far in MB; 0 if it has ended."""
    return _megabytes(process, "VmHWM")


def resident(process: int | str) -> float:
    """Memory of a process in MB; 0 if it has ended."""
    return _megabytes(process, "VmRSS")


def workers(process: int | str) -> list[str]:
    """Ids of the processes that a process started."""
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        return [pid for task in tasks for pid in (task / "children").read_text().split()]
    except OSError:
        return []


def _megabytes(process: int | str, what: str) -> float:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(rf"^{what}:\s+(\d+)", status, re.M)  # absent while it ends
    return int(found[1]) / 1024 if found else 0.0


def _processor() -> float:
    """Seconds of processor time of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
