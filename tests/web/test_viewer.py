"""The viewer: the image, the heatmap and boxes over it."""

import numpy as np
import pytest
from PIL import Image
from support import IMAGE, STARTER
from support.page import OTHER, answer, choose, pixels, scale

from cxr.inference.overlay import eight_bit_heatmap, preview
from cxr.model import metrics
from cxr_labels import DISPLAY, FINDINGS

MEGABYTE = 10**6


# Where.


def test_heatmap_is_drawn_when_it_is_asked_for(viewer, predictor):
    """Nothing over the image at first; then the map of the finding, as /explain draws it."""
    assert pixels(viewer, "heatmap").max() == 0
    assert viewer.locator("svg rect").count() == 0
    choose(viewer, "Mass")
    drawn = pixels(viewer, "heatmap") / (255 * 0.55)
    heatmap = predictor.analyze(IMAGE).heatmap("Mass")
    height, width = drawn.shape
    small = Image.fromarray(eight_bit_heatmap(heatmap) / np.float32(255))
    wanted = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).clip(0, 1)
    assert np.corrcoef(drawn.ravel(), wanted.ravel())[0, 1] > 0.99
    assert np.abs(drawn - wanted).mean() < 0.02


def test_other_finding_shows_another_overlay(viewer):
    """Choosing a finding exchanges the heatmap over the image, and its caption."""
    choose(viewer, "Mass")
    mass = pixels(viewer, "heatmap")
    choose(viewer, "Cardiomegaly")
    assert not np.array_equal(pixels(viewer, "heatmap"), mass)
    assert "Cardiomegaly" in viewer.locator("#viewer-caption").inner_text()


def test_nothing_is_asked_of_the_server_to_draw(viewer):
    """Choosing, opacity, zoom, window: all of it in the browser."""
    asked: list[str] = []
    viewer.on("request", lambda request: asked.append(request.url))
    choose(viewer, "Effusion")
    viewer.locator('[data-part="opacity"]').fill("80")
    viewer.get_by_role("button", name="Zoom in").click()
    viewer.locator('[data-part="level"]').fill("90")
    pixels(viewer, "image")
    assert [url for url in asked if not url.startswith("data:")] == []


def test_bar_chooses_its_finding(viewer):
    """A bar shows the heatmap for its finding, is marked, and shows the image alone again."""
    bar = viewer.locator('#label [data-finding="Nodule"]')
    bar.click()
    viewer.get_by_text("Heatmap for: Nodule.").wait_for()
    assert bar.get_attribute("aria-pressed") == "true"
    assert viewer.locator('#choice input[value="Nodule"]').is_checked()
    bar.click()
    viewer.get_by_text("nothing drawn over it").wait_for()
    assert pixels(viewer, "heatmap").max() == 0


def test_box_is_that_of_the_answer_and_can_be_left_out(viewer, predictor):
    """The box lies where /analyze says, and goes with its tick."""
    choose(viewer, "Mass")
    found = predictor.analyze(IMAGE)
    sides = [
        float(viewer.locator("rect.over").get_attribute(a)) for a in ["x", "y", "width", "height"]
    ]
    assert sides == pytest.approx(found.boxes("Mass")[0])
    viewer.get_by_label("Draw the box").uncheck()
    viewer.wait_for_function("!document.querySelector('.stage rect')")
    assert pixels(viewer, "heatmap").max() > 0


def test_opacity_is_the_readers(viewer):
    """The slider goes from nothing to the pure colour."""
    choose(viewer, "Mass")
    peaks = []
    for share in ("0", "50", "100"):
        viewer.locator('[data-part="opacity"]').fill(share)
        peaks.append(int(pixels(viewer, "heatmap").max()))
    assert peaks[0] == 0
    assert peaks[1] == pytest.approx(128, abs=4)
    assert peaks[2] == pytest.approx(255, abs=4)


def test_image_can_be_inverted(viewer):
    """Black and white are swapped, and back; the button says which."""
    before = pixels(viewer, "image")
    button = viewer.get_by_role("button", name="Swap black and white")
    button.click()
    assert np.array_equal(pixels(viewer, "image"), 255 - before)
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert np.array_equal(pixels(viewer, "image"), before)


def test_window_spreads_the_shades_in_it(viewer):
    """Level 100, width 50: 75 is black, 125 white, and what lies between in proportion."""
    before = pixels(viewer, "image").astype(float)
    viewer.locator('[data-part="level"]').fill("100")
    viewer.locator('[data-part="width"]').fill("50")
    wanted = ((before - 75) * 255 / 50).clip(0, 255)
    assert np.abs(pixels(viewer, "image") - wanted).max() <= 1


def test_image_can_be_zoomed_and_moved(viewer):
    """Buttons, Ctrl and wheel, and dragging; never past the image's border; and back."""
    viewer.get_by_role("button", name="Zoom in").click()
    assert scale(viewer) == pytest.approx(1.5)
    frame = viewer.locator(".viewport").bounding_box()
    middle = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    viewer.mouse.move(*middle)
    viewer.keyboard.down("Control")
    viewer.mouse.wheel(0, -200)
    viewer.keyboard.up("Control")
    viewer.wait_for_function(
        "new DOMMatrix(getComputedStyle(document.querySelector('.stage')).transform).a > 2"
    )
    viewer.mouse.down()
    viewer.mouse.move(middle[0] + 2000, middle[1] + 30, steps=4)
    viewer.mouse.up()
    stage = viewer.locator(".stage").bounding_box()
    assert stage["x"] == pytest.approx(frame["x"], abs=1)
    viewer.get_by_role("button", name="Whole image").click()
    assert scale(viewer) == 1


def test_wheel_alone_scrolls_the_page(viewer):
    """The image does not catch the reader who scrolls by."""
    frame = viewer.locator(".viewport").bounding_box()
    viewer.mouse.move(frame["x"] + 50, frame["y"] + 50)
    viewer.mouse.wheel(0, 200)
    viewer.wait_for_function("window.scrollY > 0")
    assert scale(viewer) == 1
    viewer.evaluate("window.scrollTo(0, 0)")


def test_keys_do_what_the_pointer_does(viewer):
    """Findings by arrow keys as in any group of radio buttons; the image by its keys."""
    viewer.locator('#choice input[value=""]').focus()
    viewer.keyboard.press("ArrowRight")
    viewer.get_by_text(f"Heatmap for: {DISPLAY[FINDINGS[0]]}.").wait_for()
    viewer.keyboard.press("ArrowDown")
    viewer.get_by_text(f"Heatmap for: {DISPLAY[FINDINGS[1]]}.").wait_for()
    before = pixels(viewer, "image")
    viewer.locator(".viewport").focus()
    viewer.keyboard.press("+")
    assert scale(viewer) == pytest.approx(1.5)
    viewer.keyboard.press("ArrowRight")
    viewer.keyboard.press("i")
    assert not np.array_equal(pixels(viewer, "image"), before)
    viewer.keyboard.press("0")
    assert scale(viewer) == 1


def test_focus_is_seen(viewer):
    """Whatever has the focus by keyboard has an outline."""
    viewer.locator(".viewport").focus()
    for _ in range(12):
        viewer.keyboard.press("Tab")
        outlined = viewer.evaluate(
            """() => {
                const at = document.activeElement;
                return [at, at.nextElementSibling].some(
                    (seen) => seen && parseFloat(getComputedStyle(seen).outlineWidth) >= 2
                        && getComputedStyle(seen).outlineStyle !== "none");
            }"""
        )
        assert outlined, viewer.evaluate("document.activeElement.outerHTML")


def test_picture_is_told_in_words(viewer, predictor):
    """The image's text alternative names the finding and where it peaks."""
    choose(viewer, "Mass")
    image = viewer.get_by_role("img", name="Heatmap for: Mass. It peaks in the left middle")
    assert image.count() == 1
    x, y, w, h = predictor.analyze(IMAGE).boxes("Mass")[0]
    assert x + w / 2 < 1 / 3
    assert 1 / 3 < y + h / 2 < 2 / 3


def test_record_of_such_boxes_stands_beside_the_choice(viewer):
    """For the chosen finding, for all, and for a box that never looks: shares with intervals."""
    measured = metrics.read(STARTER).localisation
    assert viewer.locator("[data-record]:visible").count() == 0
    choose(viewer, "Mass")
    rows = viewer.locator('[data-record="Mass"] tbody tr').all_inner_texts()
    hits = [measured.heatmaps.findings["Mass"], measured.heatmaps, measured.constant_box]
    for row, hit in zip(rows, hits, strict=True):
        for share in (hit.pointing, hit.overlap):
            low, high = share.ci95
            assert f"{100 * share.value:.0f} %" in row
            assert f"({100 * low:.0f} to {100 * high:.0f})" in row
    assert "13 boxes" in rows[0]
    choose(viewer, "Edema")
    assert "Not measured for this finding" in viewer.locator('[data-record="Edema"]').inner_text()


def test_next_image_is_shown_as_it_is(page, predictor):
    """Window, swapped shades and chosen finding of one image do not reach the next."""
    answer(page)
    choose(page, "Mass")
    page.locator('[data-part="width"]').fill("50")
    page.get_by_role("button", name="Swap black and white").click()
    page.locator("#examples button").nth(1).click()
    page.wait_for_function("document.querySelector('canvas').width === 768")
    assert np.array_equal(pixels(page, "image"), preview(predictor.analyze(OTHER).image.grey))
    assert pixels(page, "heatmap").max() == 0
    assert page.locator("#choice input:checked").get_attribute("value") == ""
    assert page.locator("[data-record]:visible").count() == 0
