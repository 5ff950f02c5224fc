"""The running app survives hostile uploads; `support.hostile_images` makes them."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
from support import ROOT, hostile_images, served
from support.hostile_images import MARK, Hostile

from cxr import imaging

SECONDS = 10.0  # for a result, on a busy machine
# Bytes above the memory after the first image, with decoders; 0.45e9 were measured.
MEMORY = 1e9
AT_ONCE = 2


pytestmark = pytest.mark.slow


@dataclass
class Siege:
    """The results. answers: for each input the status, JSON or text, and seconds."""

    answers: dict[str, tuple[int, object, float]] = field(default_factory=dict)
    inputs: list[Hostile] = field(default_factory=list)
    rest: int = 0  # bytes of memory before
    peak: int = 0
    alive: bool = False
    afterwards: object = None
    printed: str = ""
    new_files: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Siege:
    """Sends all inputs to one app, two at a time."""
    image = imaging.read_image(ROOT / "examples" / "chest_rg1.png")
    found = Siege(inputs=hostile_images.every(imaging.eight_bits(image)))
    home, temporary = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("temporary")
    log = tmp_path_factory.mktemp("log") / "printed.txt"
    before = _files(home, temporary)
    places = {"HOME": str(home), "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}
    # Gradio imports Matplotlib where there is one, which lists its fonts in a file of its own.
    places["MPLCONFIGDIR"] = str(tmp_path_factory.mktemp("matplotlib"))
    port = served.free_port()
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-u", "app.py", "--port", str(port)],
            cwd=ROOT,
            stdout=out,
            stderr=out,
            env={**os.environ, **places, "GRADIO_TEMP_DIR": str(temporary / "gradio")},
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                _wait(log, process)
                good = Hostile("good", (ROOT / "examples" / "chest_rg1.png").read_bytes())
                _send(client, good)
                with _watched(process, found), ThreadPoolExecutor(AT_ONCE) as pool:
                    sent = pool.map(lambda hostile: _send(client, hostile), found.inputs)
                    for hostile, answer in zip(found.inputs, sent, strict=True):
                        found.answers[hostile.name] = answer
                found.alive = process.poll() is None
                found.afterwards = _send(client, good)[1]
            found.printed = log.read_text(errors="replace")  # while it served
        finally:
            process.terminate()
            process.wait(timeout=20)
    found.new_files = _files(home, temporary) - before
    return found


def test_the_list_is_long_and_its_names_differ(siege):
    """At least 300 inputs, each sent."""
    assert len({hostile.name for hostile in siege.inputs}) == len(siege.inputs) >= 300
    assert len(siege.answers) == len(siege.inputs)


def test_each_gets_an_answer_or_a_sentence(siege):
    """Images get scores, other files one sentence that reveals nothing about the machine."""
    wrong = {name: answer for name, answer in siege.answers.items() if not _is_fair(answer)}
    assert not wrong


def test_each_gets_it_in_time(siege):
    """Nothing takes longer than SECONDS."""
    slow = {name: took for name, (_, _, took) in siege.answers.items() if took > SECONDS}
    assert not slow


def test_most_are_rejected(siege):
    """Files that are not images get no scores."""
    scored = {name for name, answer in siege.answers.items() if _scores(answer)}
    images = ("flipped", "cut at", "named ", " as ", " bomb", "PNG ", "JPEG ", "DICOM ", "TIFF ")
    assert not [name for name in scored if not any(word in name for word in images)]
    assert len(scored) < 0.5 * len(siege.answers)
    assert any(name.startswith("named") for name in scored)


def test_app_lives_and_answers_as_before(siege):
    """The process is the same, and a good image has its scores."""
    assert siege.alive
    assert siege.afterwards["probabilities"]


def test_memory_is_bounded(siege):
    """The app and its decoders never take more than the bound above what they take at rest."""
    assert siege.peak - siege.rest < MEMORY


def test_nothing_is_written_elsewhere(siege):
    """Files are written only in Gradio's folder for temporary files."""
    assert not siege.new_files


def test_nothing_is_printed(siege):
    """No traceback, and nothing from a file or its name.

    libtiff prints a line about damage, which cannot be silenced.
    """
    assert "Traceback" not in siege.printed
    assert MARK.split("^")[0] not in siege.printed
    allowed = re.compile(
        r"The page is at |A request could not be answered: \w+\.$|\w+(Decode|Lib|\.tif): "
    )
    lines = [line for line in siege.printed.splitlines() if line.strip()]
    assert not [line for line in lines if not allowed.match(line)]


def _send(client: httpx.Client, hostile: Hostile) -> tuple[int, object, float]:
    start = time.monotonic()
    status, answer = _exchange(client, hostile)
    return status, answer, time.monotonic() - start


def _exchange(client: httpx.Client, hostile: Hostile) -> tuple[int, object]:
    sent = hostile.sent
    if hostile.data is not None:
        reply = client.post("/gradio_api/upload", files={"files": (hostile.file, hostile.data)})
        if reply.status_code != 200:
            return reply.status_code, reply.text
        sent = {"path": reply.json()[0], "meta": {"_type": "gradio.FileData"}}
    reply = client.post("/gradio_api/call/analyze", json={"data": [sent, "nih"]})
    if reply.status_code != 200:
        return reply.status_code, reply.text
    events = client.get(f"/gradio_api/call/analyze/{reply.json()['event_id']}").text
    event, _, data = events.strip().rpartition("\ndata: ")
    answer = json.loads(data)
    return (200, answer[0]) if "complete" in event else (200, answer["error"])


def _scores(answer: tuple[int, object, float]) -> bool:
    return isinstance(answer[1], dict) and bool(answer[1]["probabilities"])


def _is_fair(answer: tuple[int, object, float]) -> bool:
    status, said, _ = answer
    if isinstance(said, dict):
        said = said["rejected"] or "Answered."
        if _scores(answer) and sum(map(float, answer[1]["probabilities"].values())) <= 0:
            return False
    if status != 200:
        # Gradio rejects the request itself: {"detail": sentence}, or a short line.
        return 400 <= status < 500 and isinstance(said, str) and 10 < len(said) < 200
    return (
        isinstance(said, str)
        and 8 < len(said) < 300
        and said.endswith(".")
        and not any(word in said for word in ("Traceback", "Error", "\n", "gradio", str(ROOT)))
        and MARK not in said
    )


def _wait(log: Path, process: subprocess.Popen) -> None:
    """Waits until the app says that it is ready; it answers a little earlier."""
    for _ in range(1200):
        if "The page is at" in log.read_text():
            return
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError("app.py did not start")


class _watched:
    """Measures the peak memory of a process and its children."""

    def __init__(self, process: subprocess.Popen, found: Siege):
        self.process, self.found = psutil.Process(process.pid), found
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def __enter__(self) -> None:
        self.found.rest = self._resident()
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.over.wait(0.03):
            self.found.peak = max(self.found.peak, self._resident())

    def _resident(self) -> int:
        total = 0
        try:
            for process in (self.process, *self.process.children(recursive=True)):
                total += process.memory_info().rss
        except psutil.NoSuchProcess:  # a decoder that has just ended
            pass
        return total


def _files(home: Path, temporary: Path) -> set[str]:
    """All files of the project, home and temporary folders, without Gradio's temporary files."""
    return {str(path) for path in _walk(ROOT, home, temporary)}


def _walk(*folders: Path) -> Iterator[Path]:
    skipped = {".git", ".venv", ".venv-dev", "__pycache__", ".mypy_cache", ".ruff_cache"}
    skipped |= {".pytest_cache", "runs", "gradio"}
    for folder in folders:
        for path, names, files in os.walk(folder):
            names[:] = [name for name in names if name not in skipped]
            yield from (Path(path) / file for file in files)
