"""The demo embedded in web pages of another host, in a real browser."""

import functools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from support import IMAGE, ROOT, documents
from support.browser import COPY, HASH, chromium, integrity, javascript_client, opened
from support.served import app

from cxr.web.page import embedding
from cxr_labels import LABELS

DOCS = ROOT / "docs"
JS = (DOCS / "embed-js.html").read_text(encoding="utf-8")

# The parts of the page that the compact view shows with a result.
COMPACT = {"image", "examples", "label", "meaning", "disclaimer", "full-page"}
PARTS = COMPACT | {"introduction", "language", "answer", "heatmap-picture", "choice", "prevalence"}
PARTS |= {"table", "threshold", "empty", "problem"}


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """The demo with the starter, at 127.0.0.1."""
    with app() as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The project's docs at another host name and port than the demo.

    One thing is exchanged: the JavaScript client's hash, for that of the stand-in.
    """

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith("/embed-js.html"):
                return super().do_GET()
            content = JS.replace(HASH, integrity(javascript_client())).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return None

        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(DOCS))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextmanager
def article(browser, elsewhere: str, demo: str, **options: Any) -> Iterator[Any]:
    with opened(browser, f"{elsewhere}/embed.html?demo={demo}", **options) as page:
        yield page


def frame_of(page, demo: str):
    """Returns the demo's frame in the article when it is ready for an image."""
    page.frame_locator("#chest-xray").locator("#examples img").first.wait_for()
    (frame,) = [frame for frame in page.frames if frame.url.startswith(demo)]
    return frame


def findings_in(place) -> list[str]:
    """Waits for the result and returns the names of the findings."""
    place.locator("#label li").first.wait_for()
    return place.locator("#label .what").all_inner_texts()


def settled_height(page, frame) -> int:
    """Waits until the frame has the height of its content and returns it."""
    script = "() => document.documentElement.scrollHeight === innerHeight"
    frame.wait_for_function(script)
    page.wait_for_timeout(200)
    assert frame.evaluate(f"({script})()")
    return page.locator("#chest-xray").evaluate("frame => frame.clientHeight")


def visible_parts(page) -> set[str]:
    """The ids of the known parts that are visible on the page."""
    return {name for name in PARTS if page.locator(f"#{name}").first.is_visible()}


# The frame.


def test_image_uploaded_in_the_frame_is_answered(browser, elsewhere, demo):
    """In the article, on another origin, the frame takes an image and shows its findings."""
    with article(browser, elsewhere, demo) as page:
        frame = frame_of(page, demo)
        frame.set_input_files("#image input[type=file]", IMAGE)
        assert "Mass" in findings_in(frame)


def test_frame_grows_with_its_answer_and_never_scrolls(browser, elsewhere, demo):
    """After a click on an example the frame has the height of its content, and it can shrink."""
    with article(browser, elsewhere, demo) as page:
        frame = frame_of(page, demo)
        before = settled_height(page, frame)
        frame.locator("#examples button").first.click()
        assert len(findings_in(frame)) == 5
        grown = settled_height(page, frame)
        assert grown > before + 100
        assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
        frame.locator("#image button[aria-label]").last.click()
        frame.locator("#label li").first.wait_for(state="hidden")
        assert settled_height(page, frame) < grown


def test_article_listens_to_its_frame_alone(browser, elsewhere, demo):
    """Messages from other senders do not change the frame's height."""
    with article(browser, elsewhere, demo) as page:
        before = settled_height(page, frame_of(page, demo))
        page.evaluate("postMessage({ chestXrayHeight: 5000 }, '*')")
        page.wait_for_timeout(200)
        assert page.locator("#chest-xray").evaluate("frame => frame.clientHeight") == before


def test_frame_tells_nothing_but_its_height(browser, elsewhere, demo):
    """The frame sends its height and two messages of Gradio, and nothing about the image."""
    heard = "window.heard = []; addEventListener('message', ({ data }) => heard.push(data))"
    with opened(browser, f"{elsewhere}/embed.html?demo=about:blank") as page:
        page.evaluate(heard)
        page.evaluate("src => { document.getElementById('chest-xray').src = src }", demo)
        frame = frame_of(page, demo)
        frame.set_input_files("#image input[type=file]", IMAGE)
        findings_in(frame)
        told = page.evaluate("heard")
    gradios = ({"type": "SET_SCROLLING", "enabled": False}, "[iFrameResizerChild]Ready")
    told = [data for data in told if data not in gradios]
    assert len(told) > 1
    assert all(isinstance(data.pop("chestXrayHeight"), int) and data == {} for data in told)


def test_page_may_be_framed_and_asked_from_anywhere(demo):
    """No header forbids frames, and a demo on another machine allows every origin."""
    headers = {"Origin": "https://blog.example", "Host": "owner-space.hf.space"}
    answer = httpx.get(demo, headers=headers)
    assert "x-frame-options" not in answer.headers
    assert "content-security-policy" not in answer.headers
    assert answer.headers["access-control-allow-origin"] == "https://blog.example"


# The compact view.


@pytest.mark.parametrize(("width", "theme"), [(320, "light"), (360, "dark"), (700, "dark")])
def test_compact_view_shows_the_least_and_the_disclaimer(browser, demo, width, theme):
    """Image, examples, findings, what they mean, the disclaimer and a way to the page; no more."""
    address = f"{demo}/?view=compact&__theme={theme}"
    with opened(browser, address, viewport={"width": width, "height": 500}) as page:
        page.locator("#examples button").first.click()
        findings_in(page)
        assert visible_parts(page) - {"answer"} == COMPACT  # that is what holds the label
        assert not page.get_by_role("tab").first.is_visible()
        assert not page.locator("footer").is_visible()
        assert "not for clinical use" in page.locator("#disclaimer").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("gradio-app").evaluate("app => app.scrollHeight") < 760
        assert page.locator("body").evaluate("b => b.classList.contains('dark')") == (
            theme == "dark"
        )


def test_compact_view_says_what_is_wrong_with_an_image(browser, demo, tmp_path):
    """The compact view shows a rejection like the whole page."""
    (tmp_path / "bad.png").write_bytes(b"no image")
    with opened(browser, f"{demo}/?view=compact") as page:
        page.locator("#examples img").first.wait_for()
        page.set_input_files("#image input[type=file]", tmp_path / "bad.png")
        page.locator("#problem p").wait_for()
        assert "not an image that can be read" in page.locator("#problem").inner_text()


def test_compact_view_leads_to_the_full_page(browser, demo):
    """The link of the compact view opens the whole page, which has no such link."""
    with opened(browser, f"{demo}/?view=compact") as page:
        with page.expect_popup() as popup:
            page.locator("#full-page a").click()
        popup.value.locator("#examples img").first.wait_for()
        assert popup.value.url == f"{demo}/"
        assert popup.value.locator("#introduction").is_visible()
        assert not popup.value.locator("#full-page").is_visible()
        popup.value.close()


# The web component.


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_component_answers_and_fits_its_column(browser, elsewhere, demo, width, scheme):
    """The whole page fits the article's column and colours, and shows a result."""
    size = {"width": width, "height": 900}
    with article(browser, elsewhere, demo, viewport=size, color_scheme=scheme) as page:
        component = page.locator("gradio-app")
        component.scroll_into_view_if_needed()
        component.locator("#examples img").first.wait_for()
        component.locator("#image input[type=file]").set_input_files(IMAGE)
        assert "Mass" in findings_in(component)
        assert component.locator("#introduction").is_visible()
        assert not component.locator("#full-page").is_visible()
        assert component.locator("#full-page a").get_attribute("href") == f"{demo}/"
        assert "模型" not in component.inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        grounds = [
            page.locator(place).evaluate("e => getComputedStyle(e).backgroundColor")
            for place in ("body", "gradio-app #label")
        ]
        assert [_is_dark(ground) for ground in grounds] == [scheme == "dark"] * 2


def test_article_is_left_alone_by_the_component(browser, elsewhere, demo):
    """The component's scripts do not change or measure the document around it."""
    with article(browser, elsewhere, demo) as page:
        page.locator("gradio-app").scroll_into_view_if_needed()
        page.locator("gradio-app #examples img").first.wait_for()
        assert page.evaluate("document.documentElement.className") == ""
        assert page.locator("article > h1").evaluate("h => getComputedStyle(h).fontSize") == "28px"


def _is_dark(colour: str) -> bool:
    return sum(map(int, re.findall(r"\d+", colour)[:3])) < 3 * 128


# The JavaScript client.


def test_javascript_client_gives_the_numbers_of_the_python_client(browser, elsewhere, demo):
    """All 15 labels, most likely first, with the values of gradio_client (1e-4) and with bars."""
    answer = Client(demo, verbose=False).predict(handle_file(IMAGE), api_name="/predict")
    expected = {c["label"]: c["confidence"] for c in answer["confidences"]}
    address = f"{elsewhere}/embed-js.html?demo={demo}"
    size = {"width": 360, "height": 800}
    with opened(browser, address, javascript_client(), viewport=size) as page:
        page.set_input_files("#image", IMAGE)
        page.locator("#findings li").first.wait_for()
        rows = page.locator("#findings li").evaluate_all("rows => rows.map(r => ({...r.dataset}))")
        bars = page.locator("#findings meter").evaluate_all("bars => bars.map(b => b.value)")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert "Not for clinical use" in page.locator("main").inner_text()
        assert page.locator("#said").inner_text() == ""
    shown = {row["label"]: float(row["confidence"]) for row in rows}
    assert shown == pytest.approx(expected, abs=1e-4)
    assert set(shown) == set(LABELS)
    assert list(shown.values()) == sorted(shown.values(), reverse=True) == bars


def test_javascript_client_says_what_is_wrong_with_an_image(browser, elsewhere, demo, tmp_path):
    """A file that is not an image gives the demo's message, and the next image a result."""
    (tmp_path / "bad.png").write_bytes(b"no image")
    address = f"{elsewhere}/embed-js.html?demo={demo}"
    with opened(browser, address, javascript_client()) as page:
        page.set_input_files("#image", tmp_path / "bad.png")
        page.locator("#said.wrong").wait_for()
        assert "not an image that can be read" in page.locator("#said").inner_text()
        page.set_input_files("#image", IMAGE)
        page.locator("#findings li").first.wait_for()
        assert page.locator("#said").inner_text() == ""


def test_other_javascript_than_the_pinned_is_not_run(browser, elsewhere, demo):
    """A changed copy of the client is rejected by its hash, with a message."""
    changed = b"document.title = 'I ran';\n" + javascript_client()
    with opened(browser, f"{elsewhere}/embed-js.html?demo={demo}", changed) as page:
        page.set_input_files("#image", IMAGE)
        page.locator("#said.wrong").wait_for()
        assert "could not be loaded" in page.locator("#said").inner_text()
        assert page.title() != "I ran"


def test_demo_that_is_away_is_said(browser, elsewhere):
    """If no demo is at the address, the page shows one message."""
    address = f"{elsewhere}/embed-js.html?demo=http://127.0.0.1:9"
    with opened(browser, address, javascript_client()) as page:
        page.set_input_files("#image", IMAGE)
        page.locator("#said.wrong").wait_for()
        assert page.locator("#said").inner_text().startswith("The demo could not be reached")


def test_pages_name_one_demo_and_one_version_of_the_client():
    """Each example names the demo's address once, and the client's version is pinned."""
    for name in ("embed.html", "embed-js.html"):
        text = (DOCS / name).read_text(encoding="utf-8")
        assert len(re.findall(r"http://127\.0\.0\.1", text)) == 1
    assert re.search(r"@gradio/client@\d+\.\d+\.\d+/", COPY)
    assert JS.count(COPY) == 2


def test_snippets_on_the_page_are_those_of_the_demo():
    """docs/embedding.md has the snippets of the About tab, with the address of a Space."""
    html = documents.blocks(DOCS / "embedding.md", "html")
    html = [text.replace("https://OWNER-SPACE.hf.space", "ADDRESS") for text in html]
    assert html == [embedding.FRAME, embedding.COMPONENT]


def test_examples_are_served_as_the_page_says():
    """The command of docs/embedding.md serves the folder of the examples."""
    (command,) = documents.blocks(DOCS / "embedding.md", "sh")
    assert command.split()[:3] == ["python", "-m", "http.server"]
    assert (ROOT / command.split()[4] / "embed.html").is_file()
