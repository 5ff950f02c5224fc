"""What the reader gets of the input check: on the command line, through the API and on the page."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from support import IMAGE, ROOT
from support.browser import chromium
from support.served import app

from cxr.inference import results
from cxr.inference.input_check import INVERTED, NOT_A_CHEST_XRAY
from cxr.inference.predictor import Predictor
from cxr.model import model_folder

MODEL = ROOT / "models" / "starter"
ANKLE = ROOT / "examples" / "not_chest_rg3.png"


@pytest.fixture(scope="module")
def address():
    """The app on the committed starter, which has a input check."""
    assert model_folder.load(MODEL).input_check
    with app("--model", str(MODEL)) as found:
        yield found


@pytest.fixture(scope="module")
def client(address) -> Client:
    return Client(address, verbose=False)


@pytest.fixture(scope="module")
def page(address):
    """The app's page in a browser."""
    with chromium() as browser:
        opened = browser.new_page(viewport={"width": 1280, "height": 1000})
        opened.goto(address)
        opened.wait_for_selector("#image input[type=file]", state="attached")
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def inverted(tmp_path_factory) -> Path:
    """A chest X-ray with black and white swapped."""
    path = tmp_path_factory.mktemp("images") / "inverted.png"
    with Image.open(IMAGE) as image:
        Image.fromarray(255 - np.asarray(image.convert("L"))).save(path)
    return path


def test_command_line_rejects_what_is_no_chest_xray():
    """Status 1, no scores, and the sentence in the answer and on stderr."""
    done = _predict(ANKLE, "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert found["probabilities"] is None
    assert found["flagged"] == []
    assert found["boxes"] == {}
    assert found["rejected"] == NOT_A_CHEST_XRAY
    assert NOT_A_CHEST_XRAY in done.stderr


def test_rejected_picture_does_not_stop_the_others():
    """In a table the rejected image has its sentence and no score; the image beside it has."""
    done = _predict(ANKLE, IMAGE, "--csv")
    rejected, answered = csv.DictReader(done.stdout.splitlines())
    assert done.returncode == 1
    assert (rejected["Mass"], rejected["rejected"]) == ("", NOT_A_CHEST_XRAY)
    assert 0 < float(answered["Mass"]) < 1
    assert answered["rejected"] == ""


def test_analyze_rejects_what_is_no_chest_xray(client):
    """/analyze answers with null for the probabilities and the sentence."""
    found = client.predict(handle_file(ANKLE), api_name="/analyze")
    assert found["probabilities"] is None
    assert found["rejected"] == NOT_A_CHEST_XRAY


def test_predict_rejects_what_is_no_chest_xray(client):
    """/predict, which has scores alone to give, gives the sentence as an error."""
    with pytest.raises(AppError, match=NOT_A_CHEST_XRAY):
        client.predict(handle_file(ANKLE), api_name="/predict")


def test_explain_rejects_what_is_no_chest_xray(client):
    """No heatmap is drawn over an image that is not scored."""
    with pytest.raises(AppError, match=NOT_A_CHEST_XRAY):
        client.predict(handle_file(ANKLE), "Mass", api_name="/explain")


def test_page_rejects_what_is_no_chest_xray(page):
    """The sentence stands where the answer would, also where an answer stood before."""
    page.set_input_files("#image input[type=file]", IMAGE)
    page.wait_for_selector("#label [data-finding]")
    page.locator("#image button[aria-label='Clear']").click()
    page.set_input_files("#image input[type=file]", ANKLE)
    page.locator("#problem").get_by_text(NOT_A_CHEST_XRAY).wait_for()
    assert NOT_A_CHEST_XRAY in page.locator("#problem").inner_text()
    for place in ("#label", "#table", "#heatmap-picture", "#meaning"):
        assert not page.locator(place).is_visible()
    page.locator("#image button[aria-label='Clear']").click()


def test_inverted_image_is_answered_with_a_warning(inverted):
    """The JSON object has the scores and the warning; the image as it was has no such warning."""
    done = _predict(inverted, IMAGE, "--json")
    found, plain = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 0
    assert found["probabilities"]
    assert found["rejected"] is None
    assert INVERTED in found["warnings"]
    assert INVERTED not in plain["warnings"]


def test_warning_stands_in_the_table(inverted):
    """The CSV form has the warning in its column, beside the scores."""
    done = _predict(inverted, "--csv")
    (row,) = csv.DictReader(done.stdout.splitlines())
    assert INVERTED in row["warnings"]
    assert 0 < float(row["Mass"]) < 1


def test_page_shows_the_warning_with_the_scores(page, inverted):
    """On the page the warning stands over the scores, and stays when they are restated."""
    page.set_input_files("#image input[type=file]", inverted)
    page.wait_for_selector("#label [data-finding]")
    assert INVERTED in page.locator("#problem").inner_text()
    assert page.locator("#label").is_visible()
    page.locator("#prevalence input[type=text]").fill("Effusion=0.3")
    page.locator("#prevalence input[type=text]").press("Enter")
    page.get_by_text("but with Effusion=0.3").wait_for()
    assert INVERTED in page.locator("#problem").inner_text()


def test_folder_without_input_check_answers_everything(tmp_path, inverted):
    """Without those numbers no image is rejected, and none is warned of."""
    config = json.loads((MODEL / model_folder.CONFIG).read_text(encoding="utf-8"))
    assert config.pop("input_check")
    (tmp_path / model_folder.CONFIG).write_text(json.dumps(config))
    (tmp_path / model_folder.ONNX).symlink_to(MODEL / model_folder.ONNX)
    blank = tmp_path / "blank.png"
    Image.new("L", (200, 200), 128).save(blank)
    predictor = Predictor(tmp_path)
    for picture in (ANKLE, inverted, blank):
        found = results.of_file(predictor, picture, picture.name)
        assert found["rejected"] is None
        assert found["probabilities"]
        assert not {INVERTED, NOT_A_CHEST_XRAY} & set(found["warnings"])


def _predict(*arguments: Path | str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "cxr", "predict", str(MODEL), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
