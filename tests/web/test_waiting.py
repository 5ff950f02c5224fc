"""What the page shows while it waits, when the queue is full, and when a newer image is chosen."""

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from support import IMAGE
from support.page import OTHER, answer, column, listed, pixels, rounded, scores

from cxr import imaging
from cxr.inference.overlay import preview
from cxr.web.page import one_image
from cxr.web.recent import RecentPredictions
from cxr_labels import DISPLAY, NO_FINDING

MEGABYTE = 10**6


# The first image that the viewer decodes is ready only when `release` is called; `drawn` tells when
# what comes of that has been drawn.
SLOW_DECODING = """() => {
  const decode = HTMLImageElement.prototype.decode;
  HTMLImageElement.prototype.decode = function () {
    if (window.release) return decode.call(this);
    const late = new Promise((done) => { window.release = done; }).then(() => decode.call(this));
    window.drawn = late.then(() => new Promise(requestAnimationFrame));
    return late;
  };
}"""
JOIN = "**/queue/join?*"  # what asks for an answer
# Counts the answers that the page is done with.
COUNTING = """() => {
  window.settled = 0;
  const page = document.querySelector(".gradio-container");
  page.addEventListener("cxr-settled", () => { window.settled++; });
}"""


# What comes between.


# The server's response to a request when its queue is full.
FULL = {"status": 503, "content_type": "application/json", "body": '{"detail": "full"}'}


def reject(page) -> None:
    """From now on the server takes no request, as when its queue is full."""
    page.route("**/queue/join**", lambda route: route.fulfill(**FULL))


def test_full_queue_is_said_where_the_answer_would_stand(browser, address):
    """In a sentence, with nothing of the image before; the next image is answered."""
    page = browser.new_page()
    page.goto(f"{address}/?lang=en")
    page.wait_for_selector("#examples img")
    answer(page)
    page.locator('#image [aria-label="Clear"], #image .icon-button-wrapper button').first.click()
    page.wait_for_selector("#image input[type=file]", state="attached")
    reject(page)
    page.set_input_files("#image input[type=file]", IMAGE)
    page.locator("#problem").get_by_text("too many images are waiting").wait_for()
    assert not page.locator("#busy").is_visible()
    assert not page.locator("#answer").is_visible()
    page.unroute("**/queue/join**")
    page.locator("#examples button").first.click()
    page.locator("#answer").wait_for()
    assert not page.locator("#problem").is_visible()
    page.close()


def test_prevalence_that_got_no_answer_is_not_shown_as_chosen(browser, address):
    """The choice is again that of the scores, which stay; the next choice is answered."""
    page = browser.new_page()
    page.goto(f"{address}/?lang=en")
    page.wait_for_selector("#examples img")
    answer(page)
    before = listed(page)
    reject(page)
    page.get_by_label("the model's training images").check()
    page.wait_for_selector("#prevalence input[value=nih]:checked", state="attached", timeout=5000)
    assert listed(page) == before
    page.unroute("**/queue/join**")
    page.get_by_label("the model's training images").check()
    page.locator("#meaning").get_by_text("those that the model was trained on").wait_for()
    assert listed(page) != before
    page.close()


def test_list_ends_where_the_queue_is_full(browser, address):
    """The start button is hidden while the list waits, and comes back once it is rejected."""
    page = browser.new_page()
    page.goto(f"{address}/?lang=en")
    page.get_by_role("tab", name="Several images").click()
    page.set_input_files("#images input[type=file]", [IMAGE])
    page.wait_for_selector("#images tbody tr")
    held: list = []
    page.route("**/queue/join**", lambda route: held.append(route))
    with page.expect_request("**/queue/join**"):
        page.click("#batch-start")
    page.wait_for_selector("#batch-stop")
    page.wait_for_selector("#batch-start", state="hidden")
    while not held:
        page.wait_for_timeout(20)
    held[0].fulfill(**FULL)
    page.wait_for_selector("#batch-stop", state="hidden")
    page.locator("#batch-start").wait_for()
    page.close()


def test_newest_image_keeps_its_own_scores(page, predictor, tmp_path):
    """A prevalence chosen for an image that takes long does not reach the next image."""
    large = Image.open(IMAGE).convert("L").resize((7000, 7000))
    large.save(tmp_path / "large.png", compress_level=1)
    answer(page, tmp_path / "large.png")
    page.locator("#prevalence").get_by_text("the model's training images").click()
    page.wait_for_timeout(150)
    page.locator("#examples button").nth(1).click()
    page.wait_for_function("document.querySelector('canvas')?.width === 768")
    page.wait_for_timeout(2500)  # for what comes too late
    stated = page.locator("#prevalence input:checked").get_attribute("value")
    wanted = predictor.predict([imaging.read_image(OTHER)], stated)[0].ranked()
    shown = page.locator("#table tbody tr td:nth-child(2) .cell").all_inner_texts()
    assert shown == [f"{100 * p:.1f} %" for p in wanted.values()]


def hold_first(page) -> list:
    """The next request for an answer waits, as the one in this list; those after it go through."""
    held: list = []
    page.route(JOIN, lambda route: route.continue_() if held else held.append(route))
    return held


def choose_other(page) -> None:
    """A click on the example that is the other image, until the page's field shows it."""
    page.locator("#examples button").nth(1).click()
    page.locator("#image").get_by_text(OTHER.stem).wait_for()


def test_image_that_is_drawn_late_is_not_drawn_over_the_newer_one(page):
    """The pixels of the earlier image are ready only after the newer image is on the page."""
    page.evaluate(SLOW_DECODING)
    page.set_input_files("#image input[type=file]", IMAGE)
    page.wait_for_function("'release' in window")
    choose_other(page)
    page.wait_for_function("document.querySelector('canvas').width === 768")
    page.evaluate("() => { release(); return drawn; }")
    assert np.array_equal(
        pixels(page, "image"), preview(imaging.eight_bits(imaging.read_image(OTHER)))
    )


def test_answer_that_is_late_gives_way_to_that_of_the_newer_image(page, predictor):
    """The earlier image's request is held on its way until the newer image has been chosen."""
    held = hold_first(page)
    page.evaluate(COUNTING)
    with page.expect_request(JOIN):
        page.set_input_files("#image input[type=file]", IMAGE)
    choose_other(page)
    page.wait_for_timeout(1000)  # in which a page that did not wait would answer the newer image
    held[0].continue_()
    page.wait_for_function("settled === 2")
    page.wait_for_function("document.querySelector('canvas').width === 768")
    assert listed(page) == rounded(scores(predictor, OTHER, "nih"))


def test_scores_of_the_earlier_image_are_not_stated_under_the_newer_one(predictor):
    """A prevalence asked for the earlier image changes nothing once another image was chosen."""
    restate = one_image._restater(predictor, RecentPredictions(predictor, 60))
    choice = gr.EventData(None, {"stated": "training"})
    late = restate(str(IMAGE), "nih", {"image": str(OTHER)}, choice)
    in_time = restate(str(IMAGE), "nih", {"image": str(IMAGE)}, choice)
    assert list(late) == [gr.skip()] * len(in_time)
    assert gr.skip() not in in_time


def test_thresholds_move_with_the_scores_to_another_prevalence(page, predictor):
    """At that of the training images they are as measured, in the table and on the bars."""
    answer(page)
    page.get_by_label("the model's training images").check()
    page.locator("#meaning").get_by_text("those that the model was trained on").wait_for()
    measured = {k: p for k, p in predictor.config.thresholds.items() if k != NO_FINDING}
    assert column(page, 3) == {**rounded(measured), DISPLAY[NO_FINDING]: "none"}
    marks = page.eval_on_selector_all(
        "#label [data-finding]",
        "bars => bars.map((b) => [b.dataset.finding, b.querySelector('.mark').style.left])",
    )
    assert len(marks) >= 4
    assert {finding: float(left.rstrip("%")) for finding, left in marks} == pytest.approx(
        {finding: 100 * measured[finding] for finding, _ in marks}, abs=0.01
    )
