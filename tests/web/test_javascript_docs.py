"""The JavaScript of README and docs/api.md, run in a browser against a running page."""

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from support import ROOT, documents
from support.browser import COPY, chromium, javascript_client, opened
from support.served import app

PAGES = [documents.README, documents.DOCS / "api.md"]


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The project's files, at another host name and port than the demo."""
    handler = functools.partial(Quiet, directory=str(ROOT))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """A running page on the starter."""
    with app() as address:
        yield address


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippet_prints_the_result(page, demo, elsewhere):
    """The snippet, as a module of a web page, prints a probability for Mass."""
    (code,) = documents.blocks(page, "js")
    assert f'"{COPY}"' in code
    messages: list[Any] = []
    with (
        chromium() as browser,
        opened(browser, f"{elsewhere}/", client=javascript_client()) as web_page,
    ):
        web_page.on("console", lambda message: messages.append(message))
        code = code.replace("http://127.0.0.1:7860", demo) + "\nwindow.done = true;"
        web_page.add_script_tag(content=code, type="module")
        web_page.wait_for_function("window.done")
        printed = [[value.json_value() for value in message.args] for message in messages]
    if page == documents.README:
        ((probability, boxes),) = [line for line in printed if len(line) == 2]
        assert len(boxes[0]) == 4
    else:
        (probability,) = [line[1] for line in printed if line[0] == "Mass"]
    assert 0 < probability < 1
