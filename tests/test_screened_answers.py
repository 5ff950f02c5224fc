"""What the reader gets of the screening: on the command line, through the API and on the page."""

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
from served import app
from test_app import chromium

from cxr import model_folder
from cxr.serving import analysis
from cxr.serving.predictor import Predictor
from cxr.serving.screening import INVERTED, NOT_A_CHEST_FILM

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "models" / "starter"
FILM = ROOT / "examples" / "chest_rg1.png"
ANKLE = ROOT / "examples" / "not_chest_rg3.png"


@pytest.fixture(scope="module")
def address():
    """The app on the committed starter, which has a screening."""
    assert model_folder.load(MODEL).screening
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
        opened.wait_for_selector("#film input[type=file]", state="attached")
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def inverted(tmp_path_factory) -> Path:
    """A chest film with black and white swapped."""
    path = tmp_path_factory.mktemp("films") / "inverted.png"
    with Image.open(FILM) as film:
        Image.fromarray(255 - np.asarray(film.convert("L"))).save(path)
    return path


def test_command_line_refuses_what_is_no_chest_film():
    """Status 1, no scores, and the sentence in the answer and on stderr."""
    done = _predict(ANKLE, "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert found["probabilities"] is None
    assert found["flagged"] == []
    assert found["boxes"] == {}
    assert found["refused"] == NOT_A_CHEST_FILM
    assert NOT_A_CHEST_FILM in done.stderr


def test_refused_picture_does_not_stop_the_others():
    """In a table the refused picture has its sentence and no score; the film beside it has."""
    done = _predict(ANKLE, FILM, "--csv")
    refused, answered = csv.DictReader(done.stdout.splitlines())
    assert done.returncode == 1
    assert (refused["Mass"], refused["refused"]) == ("", NOT_A_CHEST_FILM)
    assert 0 < float(answered["Mass"]) < 1
    assert answered["refused"] == ""


def test_analyze_refuses_what_is_no_chest_film(client):
    """/analyze answers with null for the probabilities and the sentence."""
    found = client.predict(handle_file(ANKLE), api_name="/analyze")
    assert found["probabilities"] is None
    assert found["refused"] == NOT_A_CHEST_FILM


def test_predict_refuses_what_is_no_chest_film(client):
    """/predict, which has scores alone to give, gives the sentence as an error."""
    with pytest.raises(AppError, match=NOT_A_CHEST_FILM):
        client.predict(handle_file(ANKLE), api_name="/predict")


def test_explain_refuses_what_is_no_chest_film(client):
    """No evidence is drawn over a picture that is not scored."""
    with pytest.raises(AppError, match=NOT_A_CHEST_FILM):
        client.predict(handle_file(ANKLE), "Mass", api_name="/explain")


def test_page_refuses_what_is_no_chest_film(page):
    """The sentence stands where the answer would, also where an answer stood before."""
    page.set_input_files("#film input[type=file]", FILM)
    page.wait_for_selector("#label [data-finding]")
    page.locator("#film button[aria-label='Clear']").click()
    page.set_input_files("#film input[type=file]", ANKLE)
    page.locator("#problem").get_by_text(NOT_A_CHEST_FILM).wait_for()
    assert NOT_A_CHEST_FILM in page.locator("#problem").inner_text()
    for place in ("#label", "#table", "#evidence-picture", "#meaning"):
        assert not page.locator(place).is_visible()
    page.locator("#film button[aria-label='Clear']").click()


def test_inverted_film_is_answered_with_a_warning(inverted):
    """The JSON object has the scores and the warning; the film as it was has no such warning."""
    done = _predict(inverted, FILM, "--json")
    found, plain = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 0
    assert found["probabilities"]
    assert found["refused"] is None
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
    page.set_input_files("#film input[type=file]", inverted)
    page.wait_for_selector("#label [data-finding]")
    assert INVERTED in page.locator("#problem").inner_text()
    assert page.locator("#label").is_visible()
    page.locator("#prevalence input[type=text]").fill("Effusion=0.3")
    page.locator("#prevalence input[type=text]").press("Enter")
    page.get_by_text("but with Effusion=0.3").wait_for()
    assert INVERTED in page.locator("#problem").inner_text()


def test_folder_without_screening_answers_everything(tmp_path, inverted):
    """Without those numbers no picture is refused, and none is warned of."""
    config = json.loads((MODEL / model_folder.CONFIG).read_text(encoding="utf-8"))
    assert config.pop("screening")
    (tmp_path / model_folder.CONFIG).write_text(json.dumps(config))
    (tmp_path / model_folder.ONNX).symlink_to(MODEL / model_folder.ONNX)
    blank = tmp_path / "blank.png"
    Image.new("L", (200, 200), 128).save(blank)
    predictor = Predictor(tmp_path)
    for picture in (ANKLE, inverted, blank):
        found = analysis.answer_file(predictor, picture, picture.name)
        assert found["refused"] is None
        assert found["probabilities"]
        assert not {INVERTED, NOT_A_CHEST_FILM} & set(found["warnings"])


def _predict(*arguments: Path | str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "cxr", "predict", str(MODEL), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
