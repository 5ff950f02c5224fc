"""The page for one image in a real browser: an image in, findings out, where the heatmap lies."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import IMAGE, ROOT, STARTER, dicom_files
from support.browser import chromium
from support.served import app

from cxr import imaging
from cxr.inference import analysis, prevalence
from cxr.inference.overlay import eight_bit_heatmap, preview
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import shares_at, thresholds_at
from cxr.model import box_record
from cxr.web.page import intake, one_image
from cxr_labels import DISPLAY, FINDINGS, LABELS, NO_FINDING

OTHER = ROOT / "examples" / "chest_drr.png"
MEGABYTE = 10**6


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The app on the embedded starter."""
    with app() as found:
        yield found


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(STARTER)


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


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


@pytest.fixture
def page(browser, address):
    opened = Opened(browser, address)
    yield opened.page
    opened.close()


@pytest.fixture(scope="module")
def looked_at(browser, address):
    """A page with an answer, which tests of the viewer share."""
    opened = Opened(browser, address)
    answer(opened.page)
    yield opened.page
    opened.close()


@pytest.fixture
def viewer(looked_at):
    """That page as it was when the image had just been answered."""
    looked_at.locator("#choice").get_by_text("The image alone").click()
    looked_at.locator('[data-part="opacity"]').fill("55")
    looked_at.locator('[data-part="draw-boxes"]').check()
    looked_at.get_by_role("button", name="Reset").click()
    return looked_at


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


# An image in.


def test_uploaded_image_is_answered_on_the_page(page, predictor):
    """An image that is uploaded is shown as read, with findings and disclaimer."""
    answer(page)
    seen = pixels(page, "image")
    assert np.array_equal(seen, preview(imaging.read_image(IMAGE).grey))
    assert page.locator("#table tbody tr").count() == len(LABELS)
    assert "Mass" in page.locator("#label").inner_text()
    assert "not for clinical use" in page.locator("#meaning").inner_text()
    assert "not for clinical use" in page.locator("#disclaimer").inner_text()


@pytest.mark.parametrize(
    ("name", "syntax"), [("image.dcm", "explicit"), ("IM000001", "jpeg 2000 lossless")]
)
def test_dicom_is_answered_on_the_page(page, tmp_path, name, syntax):
    """Of 12 bits, with a suffix or none, packed or not: the image, its findings, and no patient."""
    grey = imaging.read_image(IMAGE).grey.astype(np.uint16) * 16
    content = dicom_files.image(grey, syntax, 12, WindowCenter=2040, WindowWidth=4081)
    (tmp_path / name).write_bytes(content)
    answer(page, tmp_path / name)
    seen = pixels(page, "image").astype(int)
    assert np.abs(seen - preview(imaging.read_image(IMAGE).grey)).max() <= 1
    assert "Mass" in page.locator("#label").inner_text()
    assert dicom_files.PATIENT.split("^")[0] not in page.content()


def test_dicom_of_another_kind_is_rejected_on_the_page(page, tmp_path):
    """A CT slice gets the reason where the answer would stand."""
    grey = imaging.read_image(IMAGE).grey
    (tmp_path / "slice.dcm").write_bytes(dicom_files.image(grey, Modality="CT"))
    page.set_input_files("#image input[type=file]", tmp_path / "slice.dcm")
    page.locator("#problem").get_by_text("a CT scan").wait_for()
    assert not page.locator("#answer").is_visible()


def test_example_is_answered_on_a_click(page):
    """A click on an example answers for it as if it had been uploaded."""
    page.locator("#examples button", has=page.locator("img")).first.click()
    page.wait_for_selector("#label [data-finding]")
    assert page.locator("#table tbody tr").count() == len(LABELS)


def test_examples_say_where_they_come_from(page):
    """Each example has a name, says that its labels are not known, and has its source below."""
    names = page.locator("#examples .name").all_inner_texts()
    assert len(names) == 3
    assert page.locator("#examples button small").all_inner_texts() == ["labels not known"] * 3
    page.locator("#examples summary").click()
    sources = page.locator("#examples li").all_inner_texts()
    assert [source.split(":")[0] for source in sources] == names
    assert all("License" in source or "licensed" in source for source in sources)


def test_labels_of_examples_are_translated(tmp_path):
    """What an example is labelled with stands in both languages; what is no label, escaped."""
    images = [
        intake.ExampleImage(IMAGE, labels, "") for labels in ("Mass|Pleural_Thickening", "<b>|x")
    ]
    known, unknown = (intake._labels(image) for image in images)
    assert '<span lang="en">Labelled: Mass, Pleural thickening</span>' in known
    assert '<span lang="zh-CN">标注：肿块、胸膜增厚</span>' in known
    assert unknown == "&lt;b&gt;, x"


def paste(page, image: Path, how: str = "paste") -> None:
    """As Ctrl+V of an image does, or a drop on the page, which automation cannot do itself."""
    page.evaluate(
        """([content, how]) => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], "image.png", { type: "image/png" }));
            const options = { bubbles: true, cancelable: true };
            document.querySelector("#introduction").dispatchEvent(how === "paste"
                ? new ClipboardEvent("paste", { ...options, clipboardData: data })
                : new DragEvent("drop", { ...options, dataTransfer: data }));
        }""",
        [base64.b64encode(image.read_bytes()).decode(), how],
    )


def test_pasted_and_dropped_images_are_answered(page, predictor):
    """An image from the clipboard is taken, and one dropped on the page takes its place."""
    paste(page, IMAGE)
    page.wait_for_selector("#label [data-finding]")
    assert listed(page) == rounded(scores(predictor, IMAGE, "nih"))
    page.wait_for_function("!document.querySelector('.cxr-busy')")
    paste(page, OTHER, "drop")
    page.wait_for_function("document.querySelector('canvas')?.width === 768")  # the other's
    page.wait_for_function("!document.querySelector('.cxr-busy')")
    assert listed(page) == rounded(scores(predictor, OTHER, "nih"))


# What stands in the place of an answer.


def test_rejection_stands_where_the_answer_would(page):
    """An image that is no chest X-ray gets the reason, no scores; the next image is answered."""
    page.locator("#examples button").nth(2).click()
    page.wait_for_selector("#problem p")
    said = page.locator("#problem").inner_text()
    assert "No scores for this image. This does not look like a frontal chest X-ray" in said
    assert not page.locator("#heatmap-picture").is_visible()
    assert not page.get_by_text("Choose an image, or one of the examples").is_visible()
    page.locator("#examples button").first.click()
    page.wait_for_selector("#label [data-finding]")
    assert not page.locator("#problem").is_visible()


def test_unreadable_file_is_said_on_the_page(page, tmp_path):
    """A file that is no image leaves a sentence where the answer would stand."""
    (tmp_path / "bad.png").write_bytes(b"no image")
    page.set_input_files("#image input[type=file]", tmp_path / "bad.png")
    page.wait_for_selector("#problem p")
    assert "not an image that can be read" in page.locator("#problem").inner_text()
    assert not page.locator("#heatmap-picture").is_visible()


def test_warning_stands_over_the_answer(page, tmp_path):
    """What looked odd in an image is said above its scores."""
    Image.fromarray(255 - np.asarray(Image.open(IMAGE).convert("L"))).save(
        tmp_path / "inverted.png"
    )
    answer(page, tmp_path / "inverted.png")
    assert page.locator("#problem").get_by_text("This image looks inverted").is_visible()


def test_too_large_file_is_said_before_it_is_sent(page, tmp_path):
    """Over the limit: a sentence with both sizes, nothing sent; an image after it is answered."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate((intake.MAX_MEGABYTES + 1) * MEGABYTE)
    page.set_input_files("#image input[type=file]", large)
    page.wait_for_selector("#problem p")
    assert page.locator("#problem").inner_text() == (
        "This file has 51.0 MB, and 50 MB are the most that is taken; save a smaller copy."
    )
    assert not any("upload" in url for url in sent)
    answer(page)
    assert not page.locator("#problem").is_visible()


def test_file_that_cannot_be_sent_is_said(browser, address):
    """A connection that breaks leaves a sentence of the page's own."""
    opened = Opened(browser, address)
    opened.page.route("**/upload?*", lambda route: route.abort())
    opened.page.set_input_files("#image input[type=file]", IMAGE)
    opened.page.wait_for_selector("#problem p")
    assert opened.page.locator("#problem").inner_text() == (
        "The file could not be sent; check the connection and choose it again."
    )
    opened.errors.clear()  # which the browser and Gradio log
    opened.close()


def test_page_says_that_it_works(page):
    """While an image is read the page says so, and no longer than that."""
    held: list = []  # requests that wait; those after the first go through
    page.route("**/queue/join?*", lambda r: r.continue_() if held else held.append(r))
    busy = page.get_by_text("Reading the image…")
    assert not busy.is_visible()
    page.set_input_files("#image input[type=file]", IMAGE)
    busy.wait_for()
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    page.wait_for_selector("#label [data-finding]")
    busy.wait_for(state="hidden")


# At a glance.


def test_most_likely_stand_first_with_their_thresholds(viewer, predictor):
    """The five most likely as bars, those that reach their threshold marked in words."""
    found = analysis.analyze(predictor, IMAGE).prediction
    bars = viewer.locator("#label .bar")
    wanted = list(found.ranked().items())[:5]
    for number, (label, p) in enumerate(wanted):
        words = bars.nth(number).inner_text()
        assert words.startswith(DISPLAY[label])
        assert f"{100 * p:.1f} %" in words
        assert ("reaches its threshold" in words) == (label in found.flagged)
    assert bars.count() == len(wanted)


def test_no_finding_is_never_worded_as_health(viewer):
    """Its bar says what it does not mean, and cannot be chosen as if it had a place."""
    bar = viewer.locator("#label .bar", has_text="No finding")
    assert "it does not rule out disease" in bar.inner_text()
    assert bar.evaluate("bar => bar.tagName") == "DIV"
    assert viewer.locator("#choice").get_by_text("No finding").count() == 0


# Where.


def test_heatmap_is_drawn_when_it_is_asked_for(viewer, predictor):
    """Nothing over the image at first; then the map of the finding, as /explain draws it."""
    assert pixels(viewer, "heatmap").max() == 0
    assert viewer.locator("svg rect").count() == 0
    choose(viewer, "Mass")
    drawn = pixels(viewer, "heatmap") / (255 * 0.55)
    heatmap = analysis.analyze(predictor, IMAGE).prediction.heatmap_of("Mass")
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
    found = analysis.analyze(predictor, IMAGE)
    sides = [
        float(viewer.locator("rect.over").get_attribute(a)) for a in ["x", "y", "width", "height"]
    ]
    assert sides == pytest.approx(found.boxes_of("Mass")[0])
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
    x, y, w, h = analysis.analyze(predictor, IMAGE).boxes_of("Mass")[0]
    assert x + w / 2 < 1 / 3
    assert 1 / 3 < y + h / 2 < 2 / 3


def test_record_of_such_boxes_stands_beside_the_choice(viewer):
    """For the chosen finding, for all, and for a box that never looks: shares with intervals."""
    record = box_record.read(STARTER)
    assert viewer.locator("[data-record]:visible").count() == 0
    choose(viewer, "Mass")
    rows = viewer.locator('[data-record="Mass"] tbody tr').all_inner_texts()
    hits = [record.findings["Mass"], record.over_all, record.constant]
    for row, hit in zip(rows, hits, strict=True):
        for share in (hit.pointing, hit.overlap):
            low, high = share.interval
            assert f"{100 * share.value:.0f} %" in row
            assert f"({100 * low:.0f} to {100 * high:.0f})" in row
    assert "13 boxes" in rows[0]
    choose(viewer, "Edema")
    assert "Not measured for this finding" in viewer.locator('[data-record="Edema"]').inner_text()


@pytest.mark.parametrize(
    "content",
    [
        None,
        "[" * 100_000,
        '{"localisation": {"pointing": {"mean": 2, "boxes": 5}}}',
        '{"localisation": {"pointing": {"mean": "<b>", "boxes": 5}}}',
        '{"localisation": {"pointing": {"mean": 0.5, "boxes": "<b>"}}}',
        '{"localisation": []}',
    ],
)
def test_no_record_where_boxes_were_not_measured(tmp_path, content):
    """A folder without the figures, or with what is none, has no record."""
    if content is not None:
        (tmp_path / "metrics.json").write_text(content)
    assert box_record.read(tmp_path) is None


# All findings.


def test_table_holds_all_in_order(viewer, predictor):
    """Most likely first: probability, threshold, flag, prevalence and a sentence of each."""
    found = analysis.analyze(predictor, IMAGE).prediction
    assert list(listed(viewer)) == [DISPLAY[label] for label in found.ranked()]
    assert listed(viewer) == rounded(found.probabilities)
    shares = dict(zip(LABELS, shares_at(predictor.config, "nih"), strict=True))
    assert column(viewer, 5) == rounded(shares)
    marks = {DISPLAY[label]: "yes" if label in found.flagged else "no" for label in FINDINGS}
    assert column(viewer, 4) == {**marks, DISPLAY[NO_FINDING]: "never flagged"}
    assert "A spot in the lung that is wider than 3 cm." in viewer.locator("#table").inner_text()


def test_table_gives_each_threshold_at_the_stated_prevalence(viewer, predictor):
    """Beside each score stands what flags it, restated as the score is."""
    wanted = dict(zip(LABELS, thresholds_at(predictor.config, "nih"), strict=True))
    limits = rounded({label: p for label, p in wanted.items() if label != NO_FINDING})
    assert column(viewer, 3) == {**limits, DISPLAY[NO_FINDING]: "none"}


def test_threshold_filters_the_sorted_list(viewer):
    """Moving the threshold leaves the findings at or above it, most likely first."""
    viewer.locator("#threshold input[type=range]").fill("10")
    kept = [float(score.split()[0]) for score in listed(viewer).values()]
    assert kept == sorted(kept, reverse=True)
    assert min(kept) >= 10
    assert f"{len(kept)} of 15 listed." in viewer.locator("#threshold").inner_text()
    viewer.locator("#threshold input[type=number]").fill("99.5")
    assert viewer.get_by_text("No score reaches that.").is_visible()
    viewer.locator("#threshold input[type=number]").fill("0")
    assert len(listed(viewer)) == len(LABELS)


def test_threshold_holds_for_scores_that_are_stated_anew(page, predictor):
    """After a change of the prevalence the list is still filtered."""
    answer(page)
    page.locator("#threshold input[type=number]").fill("20")
    page.get_by_label("the model's training images").check()
    page.locator("#meaning").get_by_text("those that the model was trained on").wait_for()
    wanted = rounded(scores(predictor, IMAGE, "training"))
    assert listed(page) == {k: v for k, v in wanted.items() if float(v.split()[0]) >= 20}


# The prevalence.


def test_prevalence_chosen_on_the_page_restates_the_scores(page, predictor):
    """The training images' prevalence changes the scores and the sentence on what they mean."""
    answer(page)
    label, meaning = page.locator("#label").inner_text(), page.locator("#meaning")
    assert "in the mix of NIH's 112,120." in meaning.inner_text()
    assert listed(page) == rounded(scores(predictor, IMAGE, "nih"))
    choose(page, "Mass")
    page.get_by_label("the model's training images").check()
    meaning.get_by_text("in the mix of those that the model was trained on").wait_for()
    assert page.locator("#label").inner_text() != label
    assert listed(page) == rounded(scores(predictor, IMAGE, "training"))
    assert "Heatmap for: Mass." in page.locator("#viewer-caption").inner_text()


def test_own_prevalence_and_nonsense(page, predictor):
    """The reader's own share is stated; nonsense is said in a sentence and moves or locks nothing.

    The next image is answered at the share that was last understood.
    """
    answer(page)
    field = page.locator("#prevalence input[type=text]")
    field.fill("Effusion=0.3")
    field.press("Enter")
    page.locator("#meaning").get_by_text("but with Effusion=0.3").wait_for()
    assert listed(page) == rounded(scores(predictor, IMAGE, "Effusion=0.3"))
    field.fill("about half")
    field.press("Enter")
    wrong = page.locator("#prevalence-problem")
    wrong.get_by_text("The prevalence 'about half' is not understood").wait_for()
    assert field.input_value() == "about half"
    assert listed(page) == rounded(scores(predictor, IMAGE, "Effusion=0.3"))
    page.locator("#examples button").nth(1).click()
    page.locator("#image").get_by_text("chest_drr").wait_for()
    wrong.wait_for(state="hidden")
    assert listed(page) == rounded(scores(predictor, OTHER, "Effusion=0.3"))
    field.fill("effusion=0.4")
    field.press("Enter")
    page.locator("#meaning").get_by_text("but with Effusion=0.4").wait_for()
    assert not wrong.is_visible()


def test_image_is_answered_beside_nonsense_for_a_prevalence(predictor):
    """Whatever a client sends for it, an image is answered: at the default, with the sentence."""
    show = one_image._shower(predictor)
    *_, stated, wrong = show(str(IMAGE), "about <b>half", {})
    assert stated == "nih"
    assert "&#x27;about &lt;b&gt;half&#x27; is not understood" in wrong


# What comes between.


def reject(page) -> None:
    """From now on the server takes no request, as when its queue is full."""
    full = {"status": 503, "content_type": "application/json", "body": '{"detail": "full"}'}
    page.route("**/queue/join**", lambda route: route.fulfill(**full))


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


def test_list_ends_where_the_queue_is_full(browser, address):
    """The button to start comes back."""
    page = browser.new_page()
    page.goto(f"{address}/?lang=en")
    page.get_by_role("tab", name="Several images").click()
    page.set_input_files("#images input[type=file]", [IMAGE])
    page.get_by_text(IMAGE.name).wait_for()
    reject(page)
    page.click("#batch-start")
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


# The languages.


def test_page_changes_its_language_without_a_reload(page):
    """The switch turns all words, Gradio's too, and back; the choice outlives the page."""
    answer(page)
    choose(page, "Mass")
    switch = page.locator("#language button")
    assert switch.nth(0).get_attribute("aria-pressed") == "true"
    switch.nth(1).press("Enter")
    page.wait_for_function("document.documentElement.lang === 'zh-CN'")
    page.locator("#image").get_by_text("胸片").first.wait_for()
    assert switch.nth(1).get_attribute("aria-pressed") == "true"
    assert page.title() == "胸片征象"
    words = page.locator(".gradio-container").inner_text()
    for chinese in ("肿块的依据", "最可能的征象", "达到阈值", "患病率", "不得用于临床", "胸腔积液"):
        assert chinese in words
    # Names of images, formats and the model stay; no sentence of the page does.
    for name in page.locator("#examples .name").all_inner_texts():
        words = words.replace(name, "")
    assert re.findall(r"[A-Z]?[a-z]+ [a-z]+ [a-z]+", words) == []
    page.reload()
    page.wait_for_selector("#examples img")
    page.locator("#introduction").get_by_text("胸片征象").wait_for()
    switch.nth(0).click()
    page.locator("#introduction").get_by_text("Findings on a chest X-ray").wait_for()
    assert (
        CHINESE.sub("", page.locator("#intake").inner_text())
        == page.locator("#intake").inner_text()
    )


def test_tabs_change_their_language_whether_opened_or_not(page):
    """Each tab's name is in the page's language, before anybody opens it."""
    for language, names in (
        ("中文", ["单张胸片", "多张胸片", "关于"]),
        ("English", ["One image", "Several images", "About"]),
    ):
        page.get_by_role("button", name=language, exact=True).click()
        page.get_by_role("tab", name=names[-1], exact=True).wait_for()
        assert page.get_by_role("tab").all_inner_texts() == names


CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize(
    ("locale", "path", "language"),
    [
        ("en-US", "/?lang=zh", "zh-CN"),
        ("zh-CN", "/?lang=en", "en"),
        ("zh-CN", "", "zh-CN"),
        ("zh-HK", "", "zh-CN"),
        ("fr-FR", "", "en"),
    ],
)
def test_language_of_address_and_browser(browser, address, locale, path, language):
    """The address wins over the browser; Chinese of any kind is Chinese here, all else English."""
    opened = Opened(browser, address, path, locale=locale)
    opened.page.wait_for_function("l => document.documentElement.lang === l", arg=language)
    label = {"en": "Chest X-ray", "zh-CN": "胸片"}[language]
    opened.page.locator("#image label").get_by_text(label, exact=True).wait_for()
    opened.close()


def test_rejection_is_said_in_chinese(browser, address):
    """The program's own sentences reach a Chinese page in Chinese."""
    opened = Opened(browser, address, "/?lang=zh")
    opened.page.locator("#examples button").nth(2).click()
    opened.page.locator("#problem").get_by_text("这看起来不是正位胸片").wait_for()
    opened.close()


# The look.


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_page_does_not_overflow(browser, address, language, scheme):
    """At 360 px nothing has to be scrolled sideways, with an answer on the page."""
    narrow = {"viewport": {"width": 360, "height": 800}, "color_scheme": scheme}
    opened = Opened(browser, address, f"/?lang={language}", **narrow)
    answer(opened.page)
    opened.page.locator("#label [data-finding]").first.click()
    opened.page.wait_for_selector("[data-record]:visible")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360
    beyond = opened.page.evaluate(
        """() => [...document.querySelectorAll(".gradio-container *")].filter((part) => {
            const { left, right, width } = part.getBoundingClientRect();
            const clipped = part.closest(".unseen, .viewport, thead, .images, .name");
            return width && !clipped && (left < 0 || right > 361);
        }).map((part) => part.outerHTML.slice(0, 80))"""
    )
    assert beyond == []
    opened.close()


def test_dark_page_is_dark(browser, address):
    """Where the system is dark, panels are, and words on them light."""
    opened = Opened(browser, address, color_scheme="dark")
    answer(opened.page)
    colours = opened.page.evaluate(
        """() => {
            const style = getComputedStyle(document.querySelector("#label"));
            return [style.backgroundColor, getComputedStyle(
                document.querySelector("#label .what")).color];
        }"""
    )
    ground, ink = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
    assert ground < 200 < 600 < ink
    opened.close()


def test_headings_are_in_order(viewer):
    """One first heading, and no level is left out."""
    levels = viewer.eval_on_selector_all(
        "h1, h2, h3, h4, h5, h6",
        "found => found.filter((h) => h.checkVisibility()).map((h) => Number(h.tagName[1]))",
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(np.diff(levels)) <= 1


def test_every_control_has_a_name(viewer):
    """Buttons and fields of the tab say what they are, in the page's language alone."""
    unnamed = viewer.eval_on_selector_all(
        "#answer button, #answer input, #language button, #examples button",
        """found => found.filter((control) => {
            const of = (id) => document.getElementById(id)?.innerText;
            const name = control.innerText || control.ariaLabel
                || [...(control.labels || [])].map((label) => label.innerText).join("")
                || of(control.getAttribute("aria-labelledby"));
            return !name?.trim();
        }).map((control) => control.outerHTML)""",
    )
    assert unnamed == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_readme_shows_the_page(scheme):
    """In light and dark, in images that weigh on nobody."""
    picture = ROOT / "docs" / f"page-{scheme}.jpg"
    assert f"docs/{picture.name}" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert picture.stat().st_size < 200_000


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
