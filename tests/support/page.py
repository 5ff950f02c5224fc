"""The page in a browser: opening it, using it, and reading what it shows."""

import base64
import re
from pathlib import Path

import numpy as np

from cxr import imaging
from cxr.inference import prevalence
from cxr.inference.predictor import Predictor
from cxr_labels import DISPLAY
from support import IMAGE, ROOT

OTHER = ROOT / "examples" / "chest_drr.png"


class Opened:
    """A page that was opened afresh; what it asked for and what went wrong in it are noted."""

    def __init__(self, browser, address: str, path: str = "", **options):
        options = {"viewport": {"width": 1280, "height": 1000}, "locale": "en-US"} | options
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console",
            lambda told: self.errors.append(told.text) if told.type == "error" else None,
        )
        self.page.goto(address + path)
        self.page.wait_for_selector("#examples img")

    def close(self) -> None:
        """Closes it. No request may have left this machine, and no script may have failed."""
        self.context.close()
        inside = r"(https?://(127\.|localhost)|data:|blob:)"
        assert [url for url in self.asked if not re.match(inside, url)] == []
        assert self.errors == []


def answer(page, image: Path = IMAGE) -> None:
    """Uploads an image and waits for its findings."""
    page.set_input_files("#image input[type=file]", image)
    page.wait_for_selector("#label [data-finding]")
    page.wait_for_function("document.querySelector('canvas')?.width > 300")


def choose(page, finding: str) -> None:
    page.locator("#choice").get_by_text(DISPLAY[finding], exact=True).click()
    page.get_by_text(f"Heatmap for: {DISPLAY[finding]}.").wait_for()


def pixels(page, part: str) -> np.ndarray:
    """A canvas of the viewer: uint8 [height, width], the image's red or the heatmap's opacity.

    Drawing waits for the next frame.
    """
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    width, height, data = page.evaluate(
        """([part, channel]) => {
            const canvas = document.querySelector(`canvas[data-part="${part}"]`);
            const { width, height } = canvas;
            const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
            const one = data.filter((_, i) => i % 4 === channel);
            let letters = "";
            for (let i = 0; i < one.length; i += 32768) {
                letters += String.fromCharCode(...one.subarray(i, i + 32768));
            }
            return [width, height, btoa(letters)];
        }""",
        [part, {"image": 0, "heatmap": 3}[part]],
    )
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width)


def scale(page) -> float:
    """How far the image is zoomed in."""
    return page.evaluate(
        "new DOMMatrix(getComputedStyle(document.querySelector('.stage')).transform).a"
    )


def scores(predictor: Predictor, image: Path, stated: str) -> dict[str, float]:
    """What the starter says of an image at a prevalence, without a page."""
    read = imaging.read_image(image)
    return predictor.predict([read], prevalence.parse(stated))[0].probabilities


def rounded(found: dict[str, float]) -> dict[str, str]:
    return {DISPLAY[label]: f"{100 * score:.1f} %" for label, score in found.items()}


def listed(page) -> dict[str, str]:
    """The table of the page: the score of each finding that it lists as it is written there."""
    return column(page, 2)


def column(page, number: int) -> dict[str, str]:
    """A column of the table, 2 to 5, by finding."""
    cells = page.eval_on_selector_all(
        "#table tbody tr:not([hidden])",
        """(rows, number) => rows.map((row) => [
            row.querySelector("th .what").innerText,
            row.querySelector(`td:nth-child(${number}) .cell`).innerText,
        ])""",
        number,
    )
    return dict(cells)
