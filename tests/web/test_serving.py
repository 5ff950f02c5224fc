"""How the page is served: its limits, its queues, whose session is kept, what failures tell."""

import asyncio
import contextlib
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest
from support import IMAGE, ROOT, STARTER

from cxr import machine
from cxr.inference.predictor import Predictor
from cxr.model import examples
from cxr.web import interface, limits, temporary, zero_gpu
from cxr.web.page import intake


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Predictor:
    """A predictor that tests of this module may break, of a folder with an example of its own."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for path in STARTER.iterdir():
        (folder / path.name).symlink_to(path)
    own_examples = folder / "examples"
    own_examples.mkdir()
    shutil.copy(IMAGE, own_examples / "00000001_000.png")
    (own_examples / "examples.csv").write_text("file,labels,source\n00000001_000.png,Mass,A test\n")
    return Predictor(folder)


@pytest.fixture(scope="module")
def served(own) -> Iterator[gr.Blocks]:
    """The page in this process."""
    demo = interface.build(own)
    demo.launch(prevent_thread_lock=True, quiet=True, **interface.LAUNCH)
    yield demo
    demo.close()


@pytest.fixture(scope="module")
def asks(served) -> Iterator[httpx.Client]:
    address = served.local_url.rstrip("/")
    with httpx.Client(base_url=f"{address}/gradio_api", timeout=60) as opened:
        yield opened


def analyze(asks: httpx.Client, **more: Any) -> str:
    """The events of a call of /analyze; more: what its request has beside the data."""
    path = asks.post("/upload", files={"files": (IMAGE.name, IMAGE.read_bytes())}).json()[0]
    image = {"path": path, "meta": {"_type": "gradio.FileData"}}
    call = asks.post("/call/analyze", json={"data": [image, "nih"], **more}).json()
    return asks.get(f"/call/analyze/{call['event_id']}").text


def test_limits_are_those_that_the_docs_promise():
    """The table of docs/api.md, number by number."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text, re.M))
    assert table["a file"].startswith(f"{limits.MAX_MEGABYTES} MB;")
    assert table["images of one `/predict_many`"] == str(limits.MAX_IMAGES)
    assert table["waiting requests"].startswith(f"{limits.MAX_WAITING};")
    kept = table["uploads, and images made from them"]
    assert f"within {limits.KEEP_SECONDS // 60} minutes" in kept
    assert (
        f"and {limits.LIST['concurrency_limit']} list of images" in table["images at the same time"]
    )


def test_lists_wait_for_lists_and_images_for_images(served):
    """A list takes long; single images, of any endpoint and of the page, do not wait for it."""
    queues = {
        function.api_name: (function.concurrency_id, function.concurrency_limit)
        for function in served.fns.values()
    }
    images = ("image", 2 * machine.cores())
    for name in ("predict", "analyze", "explain", "show", "restate", "make"):
        assert queues[name] == images
    assert queues["predict_many"] == queues["answer"] == ("list", 1)


def test_examples_of_the_model_come_first_and_are_served(served, asks, own):
    """Wherever its folder lies; nothing else of the folder is served."""
    chosen = intake._chooser(examples.find(own.folder))
    first, second = (chosen(gr.EventData(None, {"number": number})) for number in range(2))
    assert first == str(own.folder / "examples" / "00000001_000.png")
    assert Path(second).parent == examples.PROJECT
    assert asks.get(f"/file={first}").content == IMAGE.read_bytes()
    assert asks.get(f"/file={own.folder / 'config.json'}").status_code == 403


def test_session_is_kept_for_those_who_name_one(served, asks):
    """A caller such as curl names none, can never come back to it, and leaves none."""
    sessions = served.app.state_holder
    assert analyze(asks).startswith("event: complete")
    assert not sessions.session_data
    assert not sessions.time_last_used
    assert analyze(asks, session_hash="visitor").startswith("event: complete")
    assert list(sessions.session_data) == ["visitor"]


def test_unforeseen_failure_is_said_without_its_cause(asks, own, monkeypatch):
    """The caller gets a sentence; the cause may name files and goes to the log alone."""

    def fail(*_: Any) -> None:
        raise RuntimeError("/srv/secret")

    monkeypatch.setattr(own, "analyze", fail)
    stream = analyze(asks)
    assert stream.startswith("event: error")
    assert "The page failed to answer this request; try again later." in stream
    assert "secret" not in stream


def test_nobody_can_look_at_what_others_did(served, asks):
    """Neither a monitoring page nor a history of results is served; nothing is reported."""
    page = served.local_url.rstrip("/")
    for path in ("monitoring", "monitoring/summary", "gradio_api/monitoring"):
        assert httpx.get(f"{page}/{path}").status_code in (403, 404)
    settings = httpx.get(f"{page}/config").json()
    told = {name: settings[name] for name in ("analytics_enabled", "show_error", "footer_links")}
    assert told == {
        "analytics_enabled": False,
        "show_error": False,
        "footer_links": ["api", "settings"],
    }
    assert settings["title"] == "Findings on a chest X-ray"


@pytest.mark.parametrize(
    ("value", "declared"), [("1", 1), ("t", 1), ("True", 1), ("false", 0), ("0", 0), (None, 0)]
)
def test_function_for_zero_gpu_is_declared_there_alone(monkeypatch, value, declared):
    """The platform's package, which stands in for itself here, exists nowhere else."""
    found: list[Any] = []
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=found.append))
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    if value is not None:
        monkeypatch.setenv("SPACES_ZERO_GPU", value)
    zero_gpu.declare()
    assert len(found) == declared


def test_files_and_predictions_are_dropped_within_the_hour(served, monkeypatch):
    """A look each minute at what will be too old by the next one, Gradio's files among it."""
    asked: list[Any] = []

    @contextlib.asynccontextmanager
    async def sweeping(*arguments: Any) -> AsyncIterator[None]:
        asked.append(arguments)
        yield

    async def serve() -> None:
        async with interface.LAUNCH["app_kwargs"]["lifespan"](served.app):
            pass

    monkeypatch.setattr(temporary, "sweeping", sweeping)
    asyncio.run(serve())
    assert asked == [(60, 3540, served.recent.drop_old)]
    assert served.delete_cache == (60, 3540)
