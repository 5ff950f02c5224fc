"""Headless Chromium, with pages that may only send requests to this machine."""

import base64
import functools
import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio
import pytest

from support import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The address of the Gradio client in docs/embed-js.html, and its hash.
COPY, HASH = re.findall(
    r'"(https://\S+?)": "(sha384-\S+?)"',
    (ROOT / "docs" / "embed-js.html").read_text(encoding="utf-8"),
)[0]


@contextmanager
def chromium() -> "Iterator[Browser]":
    """Headless Chromium. If it is not installed, the test is skipped."""
    program = shutil.which("chromium")
    if not program:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    quiet = ["background-networking", "component-update", "sync", "gpu", "quic"]
    flags = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=flags)
        yield started
        started.close()


@contextmanager
def opened(browser, address: str, client: bytes | None = None, **options: Any) -> Iterator[Any]:
    """Opens a page, and checks at the end that no request left this machine.

    Args:
        browser: The browser.
        address: The page's address.
        client: The script of the Gradio client, which is served in place of the remote copy.
        **options: Options of Playwright's `new_page`.
    """
    options = {"viewport": {"width": 1280, "height": 900}} | options
    page = browser.new_page(**options)
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    headers = {"Content-Type": "text/javascript", "Access-Control-Allow-Origin": "*"}
    if client is not None:
        page.route(COPY, lambda route: route.fulfill(body=client, headers=headers))
    page.goto(address)
    yield page
    page.close()
    own = r"(https?://(127\.0\.0\.1|localhost):|data:|blob:)"
    assert {url for url in requested if not re.match(own, url)} <= ({COPY} if client else set())


@functools.cache
def javascript_client() -> bytes:
    """Gradio's JavaScript client, as the installed Gradio has it in the script of its own page."""
    assets = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
    (script,) = assets.glob("index-*.js")
    source = script.read_text(encoding="utf-8")
    (name,) = set(re.findall(r"Client:(\w+),app_mode", source))
    return f"{source}\nexport {{ {name} as Client }};".encode()


def integrity(content: bytes) -> str:
    """The hash of a script, as an `integrity` attribute has it."""
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()
