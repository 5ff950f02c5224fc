"""Several images at once: row by row, bad ones among them, stopped and saved, beside others."""

import csv
import gc
import io
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from support import IMAGE, ROOT
from support.bad_images import bad_files
from support.html import HOSTILE, Parsed

from cxr import imaging, machine
from cxr.imaging import GreyImage
from cxr.inference import results
from cxr.web import limits
from cxr.web.page import several_images
from cxr_labels import DISPLAY, LABELS

CALM = ROOT / "examples" / "chest_drr.png"
HAND = ROOT / "examples" / "not_chest_rg3.png"


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> list[Path]:
    """Good and bad files, in the order in which they are chosen."""
    folder = tmp_path_factory.mktemp("images")
    for name, image in (("a.png", IMAGE), ("c.png", CALM), ("e.png", HAND), ("z.png", IMAGE)):
        shutil.copy(image, folder / name)
    for name, (content, _) in bad_files().items():
        (folder / name).write_bytes(content)
    return sorted(folder.iterdir())


@pytest.fixture
def page(browser, address):
    """The tab, freshly opened."""
    opened = browser.new_page(viewport={"width": 1280, "height": 1000})
    open_tab(opened, address)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def done(browser, address, images):
    """The tab with all images answered."""
    opened = browser.new_page(viewport={"width": 1280, "height": 1000})
    open_tab(opened, address)
    choose(opened, images)
    opened.click("#batch-start")
    opened.locator("#batch-status").get_by_text("Done").wait_for(timeout=60_000)
    yield opened
    opened.close()


def open_tab(page, address) -> None:
    page.goto(address)
    page.get_by_role("tab", name="Several images").click()
    page.wait_for_selector("#images input[type=file]", state="attached")


def choose(page, images) -> None:
    """Waits until the images have arrived."""
    page.set_input_files("#images input[type=file]", images)
    page.wait_for_function(
        "count => document.querySelectorAll('#images tbody tr').length === count", arg=len(images)
    )


def rows(page) -> list[list[str]]:
    """The table as a reader sees it: name, findings and notes of each image."""
    cells = page.locator("#batch-table tbody tr").evaluate_all(
        "all => all.map(row => [...row.children].map(cell => cell.innerText.trim()))"
    )
    return [[" ".join(cell.split()) for cell in row] for row in cells]


def saved(page) -> list[dict[str, str]]:
    """The CSV that the button saves, row by row."""
    with page.expect_download() as download:
        page.click("#batch-csv")
    assert download.value.suggested_filename == "findings.csv"
    return list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))


def test_each_image_has_its_row_in_order(done, images):
    """Scores, nothing reached, rejected or unreadable with the reason: one row a file."""
    found = rows(done)
    reasons = {name: words for name, (_, words) in bad_files().items()}
    assert [row[0] for row in found] == [image.name for image in images]
    for name, findings, notes in found:
        if name in reasons:
            assert findings == "No scores."
            assert reasons[name] in notes
    by_name = {name: (findings, notes) for name, findings, notes in found}
    assert by_name["c.png"][0].startswith("No finding reached its threshold")
    assert "does not look like a frontal chest X-ray" in by_name["e.png"][1]
    assert f"Done: 3 of {len(images)} images have scores." in done.inner_text("#batch-status")


def test_row_names_the_likeliest_flagged_findings(done, predictor):
    """With their scores, most likely first, and how many more there are."""
    prediction = predictor.predict([imaging.read_image(IMAGE)])[0]
    flagged = [label for label in prediction.ranked() if label in prediction.flagged]
    shown = [f"{DISPLAY[k]} {100 * prediction.probabilities[k]:.1f} %" for k in flagged[:5]]
    findings = next(row[1] for row in rows(done) if row[0] == "z.png")
    assert findings == " ".join([*shown, f"and {len(flagged) - 5} more"])


def test_csv_is_that_of_the_command_line(done, images):
    """But for the folder in the images' names."""
    command = [sys.executable, "-m", "cxr", "predict", "models/starter", *images, "--csv"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    wanted = [
        row | {"file": Path(row["file"]).name} for row in csv.DictReader(io.StringIO(printed))
    ]
    assert saved(done) == wanted
    assert len(wanted) == len(images)


def test_table_can_be_listened_to(done):
    """It has a caption that names the prevalence, and every head says what it heads."""
    table = Parsed(done.locator("#batch-table").inner_html())
    assert {head["scope"] for head in table.all("th")} == {"col", "row"}
    assert "in the mix of NIH's 112,120" in done.locator("#batch-table caption").inner_text()
    assert done.locator("#batch-status [role=status]").count() == 1


def test_tab_says_how_many_images_it_takes(done):
    """The first of a longer list are taken, which is said again when it happens."""
    assert f"up to {limits.MAX_LISTED} images" in done.inner_text("#batch-how")


def test_rows_are_in_the_language_of_the_page(done):
    """A switch of the language is enough, with no new answer."""
    done.get_by_role("button", name="中文").click()
    done.wait_for_function("document.documentElement.lang.startsWith('zh')")
    found = {name: (findings, notes) for name, findings, notes in rows(done)}
    done.get_by_role("button", name="English").click()
    done.wait_for_function("document.documentElement.lang === 'en'")
    assert "肿块" in found["a.png"][0]
    assert "正位胸片" in found["e.png"][1]
    assert not re.search(r"[A-Za-z]{4,}", " ".join(found["e.png"]))


def test_narrow_page_does_not_overflow(done):
    """At 360 px nothing has to be scrolled sideways, with the table on the page."""
    done.set_viewport_size({"width": 360, "height": 800})
    width = done.evaluate("document.documentElement.scrollWidth")
    table = done.locator("#batch-table").evaluate("e => [e.scrollWidth, e.clientWidth]")
    done.set_viewport_size({"width": 1280, "height": 1000})
    assert width <= 360
    assert table[0] <= table[1]


def test_list_comes_row_by_row_leaves_others_room_and_stops(page, address):
    """While 80 images are under way, another visitor is answered; what is there when it is stopped
    stays, can be saved, and grows no more."""
    client, image = Client(address, verbose=False), handle_file(IMAGE)
    client.predict(image, api_name="/predict")
    choose(page, [IMAGE] * 80)
    page.click("#batch-start")
    page.wait_for_selector("#batch-table tbody tr")
    first = len(rows(page))
    started = time.monotonic()
    client.predict(image, api_name="/predict")
    waited = time.monotonic() - started
    assert page.locator("#batch-status progress").count() == 1  # not done yet
    page.wait_for_function(
        "count => document.querySelectorAll('#batch-table tbody tr').length > count", arg=first
    )
    page.click("#batch-stop")
    page.locator("#batch-status").get_by_text("Stopped").wait_for()
    stopped = len(rows(page))
    assert first < stopped < 80
    assert waited < 5
    page.wait_for_timeout(1000)
    assert len(rows(page)) == len(saved(page)) == stopped
    assert page.locator("#batch-start").is_visible()
    assert not page.locator("#batch-stop").is_visible()


def test_own_prevalence_is_taken(page, predictor):
    """Scores are stated at the reader's own shares, and the caption says so."""
    choose(page, [IMAGE])
    page.locator("#batch-prevalence input[type=text]").fill("Effusion=0.3")
    page.click("#batch-start")
    page.locator("#batch-status").get_by_text("Done").wait_for()
    image = imaging.read_image(IMAGE)
    wanted = predictor.predict([image], {"Effusion": 0.3})[0].probabilities
    (row,) = saved(page)
    assert {label: float(row[label]) for label in LABELS} == pytest.approx(wanted, abs=1e-6)
    assert "Effusion=0.3" in page.locator("#batch-table caption").inner_text()


def test_what_is_missing_or_wrong_is_said(page):
    """No images, and nonsense for a prevalence: a sentence, and no table."""
    page.click("#batch-start")
    page.locator("#batch-status").get_by_text("Choose some images first.").wait_for()
    choose(page, [CALM])
    page.locator("#batch-prevalence input[type=text]").fill("about half")
    page.click("#batch-start")
    page.locator("#batch-status").get_by_text("'about half' is not understood").wait_for()
    assert rows(page) == []
    assert page.locator("#batch-start").is_visible()


DROP = """names => {
  const files = new DataTransfer();
  for (const [name, size] of names) files.items.add(new File([new Uint8Array(size)], name));
  document.querySelector("#images button").dispatchEvent(
    new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
}"""


@pytest.mark.parametrize("way", ["chosen", "dropped"])
def test_too_large_image_is_left_out_and_named(page, tmp_path, way):
    """The others go their way."""
    sizes = {"large.png": 51_000_000, "small.png": 2000}
    if way == "chosen":
        for name, size in sizes.items():
            with (tmp_path / name).open("wb") as file:
                file.truncate(size)
        page.set_input_files("#images input[type=file]", tmp_path / "large.png")
        page.locator("#batch-how [role=alert]").wait_for()
        assert page.locator("#images tbody tr").count() == 0
        page.set_input_files("#images input[type=file]", [tmp_path / name for name in sizes])
    else:
        page.evaluate(DROP, list(sizes.items()))
    page.wait_for_selector("#images tbody tr")
    assert "small" in page.locator("#images tbody tr").inner_text()
    told = page.locator("#batch-how [role=alert]").inner_text()
    assert told == "Left out, as larger than 50 MB: large.png"


def test_more_images_than_the_most_are_told_of(predictor, tmp_path):
    """The first are answered, and a sentence says that the others were not."""
    (tmp_path / "empty.png").touch()
    *_, (status, table, text, _) = several_images._answerer(predictor)(
        [str(tmp_path / "empty.png")] * (limits.MAX_LISTED + 1), "nih"
    )
    assert table.count("<tr>") == limits.MAX_LISTED + 1  # with the head
    assert len(text.splitlines()) == limits.MAX_LISTED + 1
    assert f"the first {limits.MAX_LISTED} of {limits.MAX_LISTED + 1}" in status


def test_highest_score_of_an_image_without_flags_is_that_of_a_finding(predictor, monkeypatch):
    """ "No Finding" is no finding, however likely it is."""
    scores = dict.fromkeys(LABELS, 0.02) | {"No Finding": 0.9, "Mass": 0.05}
    found = results.of_file(predictor, IMAGE, IMAGE.name) | {"probabilities": scores, "flagged": []}
    monkeypatch.setattr(results, "of_files", lambda *_: iter([found]))
    *_, (_, table, _, _) = several_images._answerer(predictor)([str(IMAGE)], "nih")
    assert "the highest score: Mass 5.0 %" in Parsed(table).text


def test_hostile_name_is_shown_not_obeyed(predictor, tmp_path):
    """A file's name that is HTML stays text in the table."""
    name = HOSTILE.replace("/", "_")
    (tmp_path / name).touch()
    *_, (_, table, _, _) = several_images._answerer(predictor)([str(tmp_path / name)], "nih")
    parsed = Parsed(table)
    assert {"script", "img"}.isdisjoint({tag for tag, _ in parsed.tags})
    assert parsed.misnested == []
    assert name in parsed.text


def test_images_are_not_kept_once_their_rows_are_made(predictor, monkeypatch):
    """However long the list is, only the images in work are in memory: one or two for each core."""

    def in_memory() -> int:
        return sum(isinstance(thing, GreyImage) for thing in gc.get_objects())

    monkeypatch.setattr(several_images, "_PAUSE", 0.0)
    gc.collect()
    before, looks = in_memory(), 0
    for _ in several_images._answerer(predictor)([str(IMAGE), str(CALM)] * 8, "nih"):
        looks += 1
        assert in_memory() - before <= 2 * machine.cores()
    assert looks == 16
