"""Headless Chromium, and pages in it that may reach this machine alone."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from support import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Where the embedded page takes the Gradio client from, and its hash.
COPY, HASH = re.findall(
    r'"(https://\S+?)": "(sha384-\S+?)"',
    (ROOT / "docs" / "embed-js.html").read_text(encoding="utf-8"),
)[0]


@contextmanager
def chromium() -> "Iterator[Browser]":
    """Headless Chromium; without one the test is skipped."""
    program = shutil.which("chromium")
    if not program:
        pytest.skip("there is no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    quiet = ["background-networking", "component-update", "sync", "gpu", "quic"]
    flags = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=flags)
        yield started
        started.close()


@contextmanager
def opened(browser, address: str, client: bytes | None = None, **options: Any) -> Iterator[Any]:
    """A page; no request may leave this machine, but the one that `client` answers."""
    options = {"viewport": {"width": 1280, "height": 900}} | options
    page = browser.new_page(**options)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    headers = {"Content-Type": "text/javascript", "Access-Control-Allow-Origin": "*"}
    if client is not None:
        page.route(COPY, lambda route: route.fulfill(body=client, headers=headers))
    page.goto(address)
    yield page
    page.close()
    own = r"(https?://(127\.0\.0\.1|localhost):|data:|blob:)"
    assert {url for url in asked if not re.match(own, url)} <= ({COPY} if client else set())
