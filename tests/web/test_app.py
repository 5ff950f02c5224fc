"""The API, as a running app, through gradio_client; the page's header; and a browser for others.

What visitors see and do is tested in `test_one_image`.
"""

import html
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from support import IMAGE, KEYS, ROOT, STARTER
from support.bad_images import bad_files
from support.served import app

from cxr import imaging
from cxr.datasets import splits
from cxr.inference import prevalence
from cxr.inference.predictor import Predictor
from cxr.model.metrics import Estimate, Headline
from cxr.web import interface
from cxr_labels import LABELS


@pytest.fixture(scope="module")
def client(address) -> Client:
    return Client(address, verbose=False)


@pytest.mark.slow
def test_page_serves_the_folder_that_was_trained(run):
    """A fresh model folder gives through gradio_client what `predict` gives (1e-4)."""
    image = run.data / "images" / run.images_of(splits.TEST)[0]
    expected = Predictor(run.folder).predict([imaging.read_image(image)])[0].probabilities
    with app("--model", str(run.folder)) as at:
        answer = Client(at, verbose=False).predict(handle_file(image), api_name="/predict")
    served = {c["label"]: c["confidence"] for c in answer["confidences"]}
    assert served == pytest.approx(expected, abs=1e-4)


def test_predict_gives_all_labels_most_likely_first(client):
    """/predict answers with 15 confidences in NIH spelling, in falling order."""
    answer = client.predict(handle_file(IMAGE), api_name="/predict")
    confidences = [c["confidence"] for c in answer["confidences"]]
    assert {c["label"] for c in answer["confidences"]} == set(LABELS)
    assert confidences == sorted(confidences, reverse=True)


def test_analyze_gives_the_object_of_the_command_line(client):
    """/analyze answers with what `predict --json` prints."""
    found = client.predict(handle_file(IMAGE), api_name="/analyze")
    command = [sys.executable, "-m", "cxr", "predict", "models/starter", str(IMAGE), "--json"]
    printed = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout)
    assert list(found) == KEYS
    assert found == {**printed, "file": IMAGE.name}


@pytest.mark.parametrize("stated", ["training", "Effusion=0.3"])
def test_prevalence_is_a_callers_to_state(client, stated):
    """/predict and /analyze state scores at a given prevalence, as the predictor does (1e-4)."""
    expected = _scores(stated)
    answer = client.predict(handle_file(IMAGE), prevalence=stated, api_name="/predict")
    served = {c["label"]: c["confidence"] for c in answer["confidences"]}
    found = client.predict(handle_file(IMAGE), prevalence=stated, api_name="/analyze")
    assert served == pytest.approx(expected, abs=1e-4)
    assert found["probabilities"] == pytest.approx(expected, abs=1e-4)
    assert found["prevalence"] == stated


def test_without_a_prevalence_scores_are_stated_at_nihs(client):
    """Scripts that name none are answered at NIH's, which is not that of the training images."""
    expected = _scores("nih")
    answer = client.predict(handle_file(IMAGE), api_name="/predict")
    served = {c["label"]: c["confidence"] for c in answer["confidences"]}
    found = client.predict(handle_file(IMAGE), api_name="/analyze")
    assert served == pytest.approx(expected, abs=1e-4)
    assert found["probabilities"] == pytest.approx(expected, abs=1e-4)
    assert found["prevalence"] == "nih"
    assert expected != pytest.approx(_scores("training"), abs=0.01)


@pytest.mark.parametrize("endpoint", ["/predict", "/analyze"])
@pytest.mark.parametrize(
    ("stated", "words"),
    [("full", "'full' is not understood"), ("Effusion=30", "a number between 0 and 1")],
)
def test_bad_prevalence_reaches_a_caller_as_a_sentence(client, endpoint, stated, words):
    """What is no prevalence is an error that says so in one line."""
    with pytest.raises(AppError, match=words) as raised:
        client.predict(handle_file(IMAGE), prevalence=stated, api_name=endpoint)
    assert "\n" not in str(raised.value)


def test_explain_gives_a_picture_of_the_image(client):
    """/explain answers with a PNG of the image's shape that is coloured where the heatmap lies."""
    path = client.predict(handle_file(IMAGE), "Mass", api_name="/explain")
    with Image.open(path) as picture, Image.open(IMAGE) as image:
        assert picture.format == "PNG"
        assert picture.size == image.size
        channels = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(channels[..., 0] - channels[..., 2]).max() > 40


def test_explain_differs_between_findings(client):
    """The overlay depends on the finding that was asked for."""
    pictures = [
        Image.open(client.predict(handle_file(IMAGE), finding, api_name="/explain")).tobytes()
        for finding in ("Mass", "Cardiomegaly")
    ]
    assert pictures[0] != pictures[1]


@pytest.mark.parametrize(
    ("written", "label"),
    [("pneumonia", "Pneumonia"), ("Pleural thickening", "Pleural_Thickening")],
)
def test_explain_takes_every_spelling_that_the_prevalence_takes(client, written, label):
    """In any case, with spaces or underscores."""
    pictures = [
        Image.open(client.predict(handle_file(IMAGE), finding, api_name="/explain")).tobytes()
        for finding in (written, label)
    ]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("name", bad_files())
def test_bad_image_reaches_a_caller_as_a_sentence(client, tmp_path, name):
    """Each kind of bad input: an error with its own message from /predict, rejected in /analyze."""
    content, words = bad_files()[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AppError, match=words):
        client.predict(handle_file(tmp_path / name), api_name="/predict")
    assert words in client.predict(handle_file(tmp_path / name), api_name="/analyze")["rejected"]


def test_16_bit_image_is_not_saturated(client, tmp_path):
    """A 16-bit PNG reaches the model untouched: it is answered as its 8-bit twin."""
    grey = np.asarray(Image.open(IMAGE).convert("L"))
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    deep, flat = (
        client.predict(handle_file(path), api_name="/analyze")["probabilities"]
        for path in (tmp_path / "deep.png", IMAGE)
    )
    assert deep == pytest.approx(flat, abs=1e-6)


def test_only_the_agreed_endpoints_are_public(client):
    """Nothing but what scripts are promised can be called by name."""
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {"/predict", "/analyze", "/predict_many", "/explain"}


@pytest.mark.parametrize(
    ("metrics", "split", "said"),
    [
        ({"mean_auroc": Estimate(value=0.8)}, "patient", "mean AUROC 0.80 on held-out images)."),
        (
            {
                "mean_auroc": Estimate(value=0.8, ci95=(0.7, 0.9)),
                "metadata_only_mean_auroc": 0.6,
            },
            "random",
            "mean AUROC 0.80 (0.70 to 0.90) on held-out images of patients that training saw too; "
            "0.60 from sex, age and view alone).",
        ),
        ({}, "patient", "px)."),
    ],
)
def test_header_says_what_the_figure_rests_on(predictor, metrics, split, said):
    """The AUROC stands beside its interval, what no image gives, and a leak, where known."""
    config = predictor.config.replace(metrics=Headline(**metrics), training={"split": split})
    shown = interface.introduction(Predictor(STARTER, config))
    english = re.sub(r"<[^>]*>", "", re.sub(r'<span lang="zh-CN">.*?</span>', "", shown))
    assert html.unescape(english).strip().endswith(said)


def _scores(stated: str) -> dict[str, float]:
    """What the starter says of the image at a prevalence, without a page."""
    image = imaging.read_image(IMAGE)
    return Predictor(STARTER).predict([image], prevalence.parse(stated))[0].probabilities
