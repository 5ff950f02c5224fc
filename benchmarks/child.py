"""Commands run as processes of their own: how long they take, and what they hold in memory."""

import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_LOOK = 0.02  # seconds between two looks at its memory


@dataclass(frozen=True)
class Run:
    """What a command took.

    seconds: from its start to its end. processor: seconds of processor time, that of its workers
    with it. memory: MB that it held at the most. worker: the same of its largest worker, 0 without.
    output: what it printed.
    """

    seconds: float
    processor: float
    memory: float
    worker: float
    output: str


def run(*arguments: str) -> Run:
    """Runs Python with these arguments. Raises RuntimeError where the command itself fails.

    Images that it rejects, which is exit status 1 of `predict`, are no failure.
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
        time.sleep(_LOOK)
    seconds = time.perf_counter() - begun
    output, _ = process.communicate()
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}.")
    return Run(seconds, _processor() - before, memory, worker, output)


def peak(process: int | str) -> float:
    """MB that a process held at the most so far; 0 when it is gone."""
    return _megabytes(process, "VmHWM")


def resident(process: int | str) -> float:
    """MB that a process holds; 0 when it is gone."""
    return _megabytes(process, "VmRSS")


def workers(process: int | str) -> list[str]:
    """The processes that a process started."""
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
    found = re.search(rf"^{what}:\s+(\d+)", status, re.M)  # none of one that is ending
    return int(found[1]) / 1024 if found else 0.0


def _processor() -> float:
    """Seconds of processor time of the commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
