"""The served app under load: many clients, a full queue, callers that vanish, and what is left."""

import contextlib
import os
import random
import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from gradio_client.utils import QueueError
from PIL import Image
from support import ROOT, STARTER, planted
from support.bad_images import bad_files
from support.images import encode
from support.served import app

from cxr.inference import results
from cxr.inference.predictor import Predictor
from cxr.web import limits

KEPT = 40  # seconds that this page keeps images
CLIENTS = 8
IMAGES = 200

# app.py as it stands, with images kept for seconds instead of an hour.
LAUNCHER = f"""
import os, runpy, sys
from pathlib import Path

sys.path.insert(0, {str(ROOT)!r})
import cxr.web.limits

cxr.web.limits.KEEP_SECONDS = {KEPT}
Path("pid").write_text(str(os.getpid()))
runpy.run_path({str(ROOT / "app.py")!r}, run_name="__main__")
"""


@dataclass(frozen=True)
class Page:
    """A running app: its address, its process, and the folder that is all it may write to."""

    address: str
    pid: int
    scratch: Path

    def resident(self) -> float:
        """Its memory in MB, once it has tidied up, which it does every second."""
        time.sleep(3)
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    def files(self) -> set[Path]:
        """What it has written, folders included, but for one that Gradio makes and leaves empty."""
        walked = os.walk(self.scratch)  # passes over folders that go meanwhile
        found = {Path(at, name) for at, folders, files in walked for name in (*folders, *files)}
        gradios = self.scratch / "gradio"
        return {path for path in found if gradios not in (path, *path.parents)}


@dataclass(frozen=True)
class Load:
    """What 200 images gave: the answers that are not as they should be, and memory in MB."""

    answered: int
    wrong: list[Any]
    before: float
    after: float


@contextlib.contextmanager
def short_lived(folder: Path) -> Iterator[Page]:
    """The app, which keeps images for KEPT seconds only."""
    (folder / "scratch").mkdir()
    (folder / "app.py").write_text(LAUNCHER)
    scratch = folder / "scratch"
    home = {"TMPDIR": str(scratch), "HOME": str(scratch), "MPLCONFIGDIR": str(folder)}
    with app(folder=folder, **home) as address:
        yield Page(address, int((folder / "pid").read_text()), scratch)


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Page]:
    with short_lived(tmp_path_factory.mktemp("page")) as running:
        yield running


@pytest.fixture(scope="module")
def own(served) -> set[Path]:
    """The page's own files, before anybody sent any."""
    return served.files()


@pytest.fixture(scope="module")
def mixture(tmp_path_factory) -> dict[Path, dict[str, Any]]:
    """Image files of many kinds, some bad, with what the predictor itself answers for each."""
    folder = tmp_path_factory.mktemp("images")
    for example in sorted((ROOT / "examples").glob("*.png")):
        (folder / example.name).write_bytes(example.read_bytes())
    image = Image.open(ROOT / "examples" / "chest_rg1.png").convert("L")
    for side in (300, 700, 1100):
        copy = image.resize((side, side + 50), Image.Resampling.BILINEAR)
        deep = Image.fromarray(np.asarray(copy).astype(np.uint16) * 257)
        for name, picture in (("grey", copy), ("deep", deep), ("colour", copy.convert("RGB"))):
            (folder / f"{name}_{side}.png").write_bytes(encode(picture))
        for kind in ("JPEG", "TIFF", "WEBP", "BMP"):
            (folder / f"copy_{side}.{kind.lower()}").write_bytes(encode(copy, kind))
    for name in ("00000001_000.png", "00000001_001.png"):
        drawn = planted.make_folder(folder / name[:12], patients=1, seed=int(name[9:12]))
        (drawn / "images" / name).rename(folder / name)
    for name, (content, _) in bad_files().items():
        (folder / name).write_bytes(content)
    predictor = Predictor(STARTER)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return {path: results.of_file(predictor, path, path.name) for path in files}


@pytest.fixture(scope="module")
def load(served, own, mixture) -> Load:
    """Each of eight clients sends its share, in an order and by endpoints of its own."""
    clients = [Client(served.address, verbose=False) for _ in range(CLIENTS)]
    rng, kinds = random.Random(0), list(mixture)
    # Warm: every kind of image was sent several times.
    rest = kinds * 3
    _send_all(clients, [rest[k::CLIENTS] for k in range(CLIENTS)], mixture)
    before = served.resident()
    shares = [rng.choices(kinds, k=IMAGES // CLIENTS) for _ in clients]
    results = _send_all(clients, shares, mixture)
    return Load(len(results), [wrong for wrong in results if wrong], before, served.resident())


def _send_all(clients, shares, mixture) -> list[Any]:
    with ThreadPoolExecutor(len(clients)) as pool:
        sent = pool.map(lambda pair: _send(*pair, mixture), zip(clients, shares, strict=True))
        return [result for results in sent for result in results]


def _send(client: Client, share: list[Path], mixture) -> list[Any]:
    """For each image of a share what is wrong with its answer, or None.

    The first five go in one call, the others one by one, by two endpoints in turn.
    """
    many, single = share[:5], share[5:]
    answers = client.predict([handle_file(path) for path in many], api_name="/predict_many")
    wrong = [_difference(mixture[path], answer) for path, answer in zip(many, answers, strict=True)]
    for path in single[::2]:
        answer = client.predict(handle_file(path), api_name="/analyze")
        wrong.append(_difference(mixture[path], answer))
    for path in single[1::2]:
        try:
            label = client.predict(handle_file(path), api_name="/predict")
            given: Any = {c["label"]: c["confidence"] for c in label["confidences"]}
        except AppError as error:
            given = str(error)
        expected = mixture[path]["rejected"] or mixture[path]["probabilities"]
        right = given == (
            expected if isinstance(expected, str) else pytest.approx(expected, abs=1e-4)
        )
        wrong.append(None if right else (path.name, given))
    return wrong


def _difference(expected: dict[str, Any], answer: dict[str, Any]) -> Any:
    """What a caller got instead of the predictor's own answer, or None."""
    close = {**expected, "probabilities": pytest.approx(expected["probabilities"], abs=1e-4)}
    return None if answer == close else (expected["file"], answer)


def test_mixture_has_images_of_all_kinds(mixture):
    """Some are answered, some rejected by the input check, some cannot be read."""
    rejected = [found["rejected"] for found in mixture.values() if found["rejected"]]
    assert len(mixture) - len(rejected) >= 15
    assert len(set(rejected)) >= 6


@pytest.mark.slow
def test_eight_clients_are_answered_rightly(load):
    """200 images: each answer is the predictor's own to 1e-4, each bad one its own sentence."""
    assert load.answered == IMAGES
    assert load.wrong == []


@pytest.mark.slow
def test_memory_comes_back(load):
    """After 200 images the app holds at most 10 % more than when it was warm."""
    assert load.after <= 1.1 * load.before


@pytest.fixture(scope="module")
def crowd(served) -> Iterator[list[tuple[httpx.Client, str, str]]]:
    """A full queue: one long list is being answered, and as many requests wait as may."""
    image = ROOT / "examples" / "chest_rg1.png"
    with httpx.Client(base_url=f"{served.address}/gradio_api", timeout=60) as asks:
        path = asks.post("/upload", files={"files": ("image.png", image.read_bytes())}).json()[0]
        one = {"path": path, "meta": {"_type": "gradio.FileData"}}
        calls = []
        for images in (60, *[1] * limits.MAX_WAITING):
            sent = asks.post("/call/predict_many", json={"data": [[one] * images, "nih"]})
            calls.append((images, sent.json()["event_id"]))
            time.sleep(0 if calls[1:] else 0.3)  # until the long one has begun
        yield asks, calls, one


def test_full_queue_is_said_and_those_in_it_are_answered(served, crowd):
    """One more is rejected with a sentence, to curl and to Python; all others get their answer."""
    asks, calls, one = crowd
    full = asks.post("/call/analyze", json={"data": [one, "nih"]})
    with pytest.raises(QueueError, match="Queue is full! Please try again"):
        Client(served.address, verbose=False).predict(None, api_name="/analyze")
    assert full.status_code == 503
    assert full.json() == {
        "detail": "Too many requests are waiting already; try again in a minute."
    }
    for images, event in calls:
        stream = asks.get(f"/call/predict_many/{event}").text
        assert stream.startswith("event: complete"), stream
        assert stream.count('"rejected": null') == images
    assert asks.post("/call/analyze", json={"data": [one, "nih"]}).status_code == 200


def test_callers_that_vanish_do_no_harm(served, mixture):
    """Uploads that break off, calls nobody reads, readers that hang up: the next is answered."""
    image = ROOT / "examples" / "chest_rg1.png"
    content = image.read_bytes()
    host, port = re.findall(r"//(.+):(\d+)", served.address)[0]
    head = (
        f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {10**7}\r\n"
        "Content-Type: multipart/form-data; boundary=X\r\n\r\n--X\r\nContent-Disposition: "
        'form-data; name="files"; filename="image.png"\r\n\r\n'
    )
    for _ in range(5):
        with socket.create_connection((host, int(port))) as line:
            line.sendall(head.encode() + content)
    with httpx.Client(base_url=f"{served.address}/gradio_api", timeout=60) as asks:
        path = asks.post("/upload", files={"files": ("image.png", content)}).json()[0]
        one = {"path": path, "meta": {"_type": "gradio.FileData"}}
        for number in range(10):
            sent = asks.post("/call/predict_many", json={"data": [[one] * 10, "nih"]})
            if number % 2:
                with (
                    contextlib.suppress(httpx.ReadTimeout),
                    asks.stream(
                        "GET", f"/call/predict_many/{sent.json()['event_id']}", timeout=0.05
                    ),
                ):
                    pass
        began = time.monotonic()
        event = asks.post("/call/analyze", json={"data": [one, "nih"]}).json()["event_id"]
        stream = asks.get(f"/call/analyze/{event}").text
    assert stream.startswith("event: complete")
    assert time.monotonic() - began < 30


@pytest.mark.slow
def test_nothing_is_left_when_deletion_is_due(served, own, load):
    """Neither images, nor halves of images, nor folders named by their checksums."""
    image = handle_file(ROOT / "examples" / "chest_rg1.png")
    Client(served.address, verbose=False).predict(image, "Mass", api_name="/explain")
    assert served.files() > own
    deadline = time.monotonic() + KEPT + 5
    while served.files() != own and time.monotonic() < deadline:
        time.sleep(0.5)
    assert served.files() == own


def test_image_that_is_gone_is_said(served):
    """Who comes back after the images were deleted is told to upload again."""
    (folder,) = served.scratch.glob("chest-xray-*/gradio")
    one = {"path": str(folder / "image.png"), "meta": {"_type": "gradio.FileData"}}
    with httpx.Client(base_url=f"{served.address}/gradio_api", timeout=60) as asks:
        event = asks.post("/call/analyze", json={"data": [one, "nih"]}).json()["event_id"]
        assert "no longer here" in asks.get(f"/call/analyze/{event}").text


def test_page_that_ends_leaves_nothing(tmp_path):
    """Stopped as containers and services stop a program, it takes what it wrote along."""
    with short_lived(tmp_path) as running:
        content = (ROOT / "examples" / "chest_rg1.png").read_bytes()
        url = f"{running.address}/gradio_api/upload"
        httpx.post(url, files={"files": ("image.png", content)}).raise_for_status()
        assert running.files()
    assert not running.files()


def test_images_of_a_killed_page_go_when_the_next_starts(tmp_path):
    """What a kill or a lack of memory left behind does not outlive the next start."""
    with short_lived(tmp_path) as running:
        content = (ROOT / "examples" / "chest_rg1.png").read_bytes()
        url = f"{running.address}/gradio_api/upload"
        httpx.post(url, files={"files": ("image.png", content)}).raise_for_status()
        os.kill(running.pid, signal.SIGKILL)
    assert list(running.scratch.rglob("image.png"))
    home = {"TMPDIR": str(running.scratch), "MPLCONFIGDIR": str(tmp_path)}
    with app(**home):
        assert not list(running.scratch.rglob("image.png"))
