"""One image on the page: how it gets there, and what stands in the place of a result."""

import base64
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import IMAGE, dicom_files
from support.page import OTHER, Opened, answer, listed, pixels, rounded, scores

from cxr import imaging
from cxr.inference.overlay import preview
from cxr.web import limits
from cxr.web.page import intake
from cxr_labels import DISPLAY, LABELS

MEGABYTE = 10**6


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
        file.truncate((limits.MAX_MEGABYTES + 1) * MEGABYTE)
    page.set_input_files("#image input[type=file]", large)
    page.wait_for_selector("#problem p")
    assert page.locator("#problem").inner_text() == (
        "This file has 51.0 MB; at most 50 MB are accepted. Save a smaller copy."
    )
    assert not any("upload" in url for url in sent)
    answer(page)
    assert not page.locator("#problem").is_visible()


# As a drop on the field or on the page, or a paste, of a file of so many bytes.
GIVE = """([how, place, size]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(size)], "image.png", { type: "image/png" }));
    const options = { bubbles: true, cancelable: true };
    const event = how === "paste" ? new ClipboardEvent("paste", { ...options, clipboardData: data })
        : new DragEvent("drop", { ...options, dataTransfer: data });
    document.querySelector(place).dispatchEvent(event);
    return event.defaultPrevented;
}"""


def test_too_large_file_is_not_sent_by_any_way(page):
    """Pasted, dropped on the field or beside it; the browser does not leave the page for it."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    ways = (("paste", "body"), ("drop", "#image button"), ("drop", "#introduction"))
    for megabytes, (how, place) in enumerate(ways, limits.MAX_MEGABYTES + 1):
        assert page.evaluate(GIVE, [how, place, megabytes * MEGABYTE])
        page.locator("#problem").get_by_text(f"This file has {megabytes}.0 MB").wait_for()
    assert not any("upload" in url for url in sent)
    page.get_by_role("tab", name="Several images").click()
    assert not page.evaluate(GIVE, ["paste", "body", 10])  # which is not for the other tab


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
    found = predictor.analyze(IMAGE)
    bars = viewer.locator("#label .bar")
    wanted = list(found.ranked().items())[:5]
    for number, (label, p) in enumerate(wanted):
        words = bars.nth(number).inner_text()
        assert words.startswith(DISPLAY[label])
        assert f"{100 * p:.1f} %" in words
        assert ("reaches its threshold" in words) == (label in found.flagged)
    assert bars.count() == len(wanted)


def test_field_says_what_it_takes(viewer):
    """The kinds of files, and how large one may be."""
    told = viewer.locator("#formats").inner_text()
    assert f"{limits.MAX_MEGABYTES} MB" in told
    assert all(kind in told for kind in ("PNG", "JPEG", "DICOM"))


def test_no_finding_is_never_worded_as_health(viewer):
    """Its bar says what it does not mean, and cannot be chosen as if it had a place."""
    bar = viewer.locator("#label .bar", has_text="No finding")
    assert "it does not rule out disease" in bar.inner_text()
    assert bar.evaluate("bar => bar.tagName") == "DIV"
    assert viewer.locator("#choice").get_by_text("No finding").count() == 0
