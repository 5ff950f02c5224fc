"""The answer as files to keep: the same as from the command line and the API, by a click."""

import base64
import csv
import io
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image, ImageDraw
from support import IMAGE, ROOT
from support.page import OTHER
from support.served import app

from cxr.inference.prediction import Prediction
from cxr.web import downloads, interface, limits
from cxr.web.page import downloads as buttons

SHOWN = "Nodule"  # what the starter scores highest on the image: the page opens with it
FORMS = {
    "json": "chest_rg1.json",
    "csv": "chest_rg1.csv",
    "overlay": f"chest_rg1-{SHOWN}.png",
    "report": "chest_rg1-report.html",
}


@pytest.fixture(scope="module")
def analyzed(predictor) -> Prediction:
    return predictor.analyze(IMAGE)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """Gradio's temporary folder of the app."""
    return tmp_path_factory.mktemp("written")


@pytest.fixture(scope="module")
def address(written):
    with app(GRADIO_TEMP_DIR=str(written)) as found:
        yield found


@pytest.fixture
def page(browser, address):
    """The page with an answer on it."""
    opened = browser.new_page(viewport={"width": 1280, "height": 1000})
    opened.goto(address)
    opened.set_input_files("#image input[type=file]", IMAGE)
    opened.wait_for_selector("#download-json")
    yield opened
    opened.close()


@pytest.mark.parametrize("form", ["json", "csv"])
def test_data_are_those_of_the_command_line(predictor, analyzed, form):
    """Byte for byte what `predict` writes for the image, named without its folder."""
    command = [sys.executable, "-m", "cxr", "predict", "models/starter", str(IMAGE), f"--{form}"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    make = {"json": downloads.as_json, "csv": downloads.as_csv}[form]
    made = make(predictor, IMAGE.name, analyzed)
    assert made.content == printed.replace(str(IMAGE).encode(), IMAGE.name.encode())


@pytest.mark.parametrize(
    ("file", "stem"),
    [
        ("chest_rg1.png", "chest_rg1"),
        ("CHEST.PNG", "CHEST"),
        ("胸片 1.jpg", "胸片-1"),
        ("1.2.840.10008.1", "1.2.840.10008.1"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.png", "boot"),
        ("..", "image"),
        (".png", "png"),
        ("", "image"),
        ("<img src=x onerror=alert(1)>.png", "img-src-x-onerror-alert-1"),
        ("a\r\nSet-Cookie: b.png", "a-Set-Cookie-b"),
        ("\u202egnp.exe", "gnp.exe"),
        ("x" * 300 + ".png", "x" * 80),
    ],
)
def test_files_are_named_after_the_image_whatever_its_name(predictor, analyzed, file, stem):
    """A name that any system takes, without a folder, and with the file's own suffix."""
    assert downloads.as_json(predictor, file, analyzed).name == f"{stem}.json"
    assert downloads.as_overlay(file, analyzed, "Pleural_Thickening").name == (
        f"{stem}-Pleural_Thickening.png"
    )


def test_overlay_is_what_explain_gives_with_a_caption_below(address, analyzed):
    """Pixel for pixel; the caption is a strip of its own."""
    made = _pixels(downloads.as_overlay(IMAGE.name, analyzed, "Mass").content)
    client = Client(address, verbose=False)
    explained = client.predict(handle_file(IMAGE), "Mass", api_name="/explain")
    with Image.open(explained) as image:
        wanted = np.asarray(image.convert("RGB"))
    assert np.array_equal(made[: len(wanted)], wanted)
    assert 20 < len(made) - len(wanted) < 100


def test_overlay_of_an_image_shown_alone_is_of_the_likeliest_finding(predictor):
    """Even if "No Finding" is likelier: its heatmap would show nothing."""
    calm = predictor.analyze(OTHER)
    likeliest, second = list(calm.ranked())[:2]
    assert likeliest == "No Finding"
    made = buttons._make(predictor, "overlay", OTHER.name, calm, "", "en")
    assert made.name == f"{OTHER.stem}-{second}.png"


def test_overlay_names_the_finding_and_the_use_it_is_not_for(analyzed, monkeypatch):
    """In its caption and in its metadata."""
    written: list[str] = []
    draw = ImageDraw.ImageDraw.multiline_text
    monkeypatch.setattr(
        ImageDraw.ImageDraw,
        "multiline_text",
        lambda self, at, text, *rest: written.append(text) or draw(self, at, text, *rest),
    )
    made = downloads.as_overlay(IMAGE.name, analyzed, "Pleural_Thickening")
    caption = "Heatmap for: Pleural thickening. A research demo, not for clinical use."
    assert [" ".join(text.split()) for text in written] == [caption]
    with Image.open(io.BytesIO(made.content)) as image:
        assert image.text["Title"] == "Heatmap for: Pleural thickening"
        assert "not for clinical use" in image.text["Comment"]


@pytest.mark.parametrize(("side", "width"), [(64, 200), (300, 300), (1024, 1024)])
def test_caption_fits_the_image(side, width):
    """However narrow the image is, there is a margin all around the words."""
    words = "Heatmap for: Pleural thickening. A research demo, not for clinical use."
    captioned = np.asarray(downloads._captioned(Image.new("RGB", (side, side)), words))
    strip = captioned[side:]
    written = (strip != strip[0, 0]).any(axis=2)
    assert captioned.shape[1] == width
    assert written[4:-4, 4:-4].any()
    assert written.sum() == written[4:-4, 4:-4].sum()


def test_csv_says_that_it_is_not_for_clinical_use(predictor, analyzed):
    """In a column of each row, beside model, revision, prevalence and operating point."""
    text = downloads.as_csv(predictor, IMAGE.name, analyzed).content.decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert "not for clinical use" in row["disclaimer"]
    assert row["model"] == predictor.model.name
    assert row["prevalence"] == "nih"
    assert {"revision", "operating_point"} <= row.keys()


@pytest.mark.parametrize("form", ["json", "csv", "overlay"])
def test_click_saves_the_file(page, predictor, analyzed, form, tmp_path):
    """The browser saves, under the image's name, what the program makes of it."""
    name, content = _saved(page, form, tmp_path)
    made = {
        "json": downloads.as_json(predictor, IMAGE.name, analyzed),
        "csv": downloads.as_csv(predictor, IMAGE.name, analyzed),
        "overlay": downloads.as_overlay(IMAGE.name, analyzed, SHOWN),
    }[form]
    assert name == FORMS[form] == made.name
    assert content == made.content


def test_click_saves_the_report(page, predictor, analyzed, tmp_path):
    """In the language of the page, with today's date."""
    name, content = _saved(page, "report", tmp_path)
    assert name == FORMS["report"]
    made = downloads.as_report(predictor, IMAGE.name, analyzed, "en").content
    assert _undated(content) == _undated(made)
    assert f"{datetime.now(UTC):%Y-%m-%d}" in content.decode()
    page.get_by_role("button", name="中文").click()
    page.wait_for_function("document.documentElement.lang.startsWith('zh')")
    _, content = _saved(page, "report", tmp_path)
    assert '<html lang="zh-CN">' in content.decode()


def test_files_follow_the_stated_prevalence_and_the_chosen_finding(page, tmp_path):
    """What the reader set on the page is what is saved."""
    page.locator("#prevalence input[value=training]").click()
    page.locator("#meaning").get_by_text("trained on").first.wait_for()
    page.locator("#choice input[value=Cardiomegaly]").click(force=True)
    _, content = _saved(page, "json", tmp_path)
    assert json.loads(content)["prevalence"] == "training"
    assert _saved(page, "overlay", tmp_path)[0] == "chest_rg1-Cardiomegaly.png"


def test_no_file_that_is_saved_lies_on_the_server(page, written, tmp_path):
    """After all four, the temporary folder holds nothing that was not there before."""
    before = _files(written)
    for form in FORMS:
        _saved(page, form, tmp_path)
    assert _files(written) == before
    assert IMAGE.name in {file.name for file in before}


@pytest.fixture(scope="module")
def hasty(tmp_path_factory, predictor):
    """The page in this process, which keeps images for 10 seconds: it, its address, its folder."""
    folder = tmp_path_factory.mktemp("hasty")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "KEEP_SECONDS", 10)
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        demo = interface.build(predictor)
        _, at, _ = demo.launch(prevent_thread_lock=True, quiet=True, **interface.LAUNCH)
        yield demo, at, folder
        demo.close()


def test_what_was_saved_does_not_stay_in_memory(hasty, browser, tmp_path):
    """Gradio remembers what it last gave each visitor; of a report it remembers nothing."""
    demo, at, _ = hasty
    page = browser.new_page()
    page.goto(at)
    page.set_input_files("#image input[type=file]", IMAGE)
    page.wait_for_selector("#download-json")
    _, content = _saved(page, "report", tmp_path)
    packed = base64.b64encode(content).decode()
    for _ in range(20):
        page.wait_for_timeout(100)
        sessions = demo.app.state_holder.session_data.values()
        kept = [str(block) for session in sessions for block in session.config_values.values()]
        if not any(packed in block for block in kept):
            break
    page.close()
    assert kept
    assert not any(packed in block for block in kept)


def test_uploads_are_gone_when_that_is_due(hasty, browser):
    """After both tabs have answered, no upload, no image and no prediction is left."""
    demo, at, folder = hasty
    page = browser.new_page()
    page.goto(at)
    page.set_input_files("#image input[type=file]", IMAGE)
    page.wait_for_selector("#download-json")
    page.get_by_role("tab", name="Several images").click()
    page.set_input_files("#images input[type=file]", [IMAGE, ROOT / "examples" / "chest_drr.png"])
    page.locator("#images tbody tr").get_by_text("chest_drr").wait_for()
    assert IMAGE.name in {file.name for file in _files(folder)}
    page.click("#batch-start")
    page.locator("#batch-status").get_by_text("Done").wait_for()
    for _ in range(60):
        page.wait_for_timeout(500)
        if not _files(folder) and not demo.recent:
            break
    page.close()
    assert len(demo.recent) == 0
    assert _files(folder) == set()


def _saved(page, form: str, folder: Path) -> tuple[str, bytes]:
    """Name and content of what a click on a button saves."""
    with page.expect_download() as download:
        page.click(f"#download-{form}")
    place = folder / "download"
    download.value.save_as(place)
    return download.value.suggested_filename, place.read_bytes()


def _pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture)


def _undated(report: bytes) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "", report.decode())


def _files(folder: Path) -> set[Path]:
    """Files that hold anything; Gradio leaves empty ones."""
    return {path for path in folder.rglob("*") if path.is_file() and path.stat().st_size}
