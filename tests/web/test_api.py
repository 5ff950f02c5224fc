"""The public API: what it says of itself, many images in one call, and every failure's sentence."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from support import IMAGE, ROOT
from support.bad_images import bad_files

from cxr.inference import results
from cxr.inference.predictor import Predictor
from cxr.web import limits
from cxr_labels import LABELS

OTHER = ROOT / "examples" / "not_chest_rg3.png"


@pytest.fixture(scope="module")
def client(address) -> Client:
    return Client(address, verbose=False)


@pytest.fixture(scope="module")
def endpoints(client) -> dict[str, Any]:
    """What the page says of its API."""
    return client.view_api(return_format="dict", print_info=False)["named_endpoints"]


@pytest.fixture(scope="module")
def asks(address) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{address}/gradio_api", timeout=60) as opened:
        yield opened


@pytest.fixture(scope="module")
def sent(asks) -> dict[str, Any]:
    """An uploaded image, as a request names it."""
    path = asks.post("/upload", files={"files": (IMAGE.name, IMAGE.read_bytes())}).json()[0]
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def called(asks: httpx.Client, endpoint: str, *data: Any) -> str:
    """The stream of events that answers a call."""
    event = asks.post(f"/call/{endpoint}", json={"data": data}).json()["event_id"]
    return asks.get(f"/call/{endpoint}/{event}").text


def test_parameters_are_named_and_typed(endpoints):
    """Names, types and defaults of all parameters, as clients and the API page are told."""
    told = {
        name: {
            p["parameter_name"]: (
                p["python_type"]["type"].partition("[")[0],
                p["parameter_default"] if p["parameter_has_default"] else "required",
            )
            for p in endpoint["parameters"]
        }
        for name, endpoint in endpoints.items()
    }
    one, stated = ("filepath", "required"), ("str", "nih")
    assert told == {
        "/predict": {"image": one, "prevalence": stated},
        "/analyze": {"image": one, "prevalence": stated},
        "/predict_many": {"images": ("list", "required"), "prevalence": stated},
        "/explain": {"image": one, "finding": ("Literal", "required")},
    }


def test_descriptions_speak_of_images(endpoints):
    """Each endpoint says what it gives, and none explains Gradio's classes."""
    for endpoint in endpoints.values():
        assert endpoint["description"]
        for parameter in endpoint["parameters"]:
            assert "Gradio" not in parameter["python_type"]["description"]


def test_snippets_of_the_page_send_files(address):
    """Gradio's own snippets for the API, which the page offers to copy, name no address."""
    told = httpx.get(f"{address}/gradio_api/info").json()["named_endpoints"]
    assert "handle_file('chest_xray.png')" in told["/predict"]["code_snippets"]["python"]
    assert not [name for name, endpoint in told.items() if "sample_file" in str(endpoint)]


def test_finding_may_be_any_label(endpoints):
    """/explain lists the labels."""
    (finding,) = [p for p in endpoints["/explain"]["parameters"] if p["component"] == "Dropdown"]
    assert finding["type"]["enum"] == list(LABELS)


def test_many_images_are_answered_in_their_places(client, tmp_path):
    """/predict_many gives what /analyze gives for each, bad ones rejected in between."""
    content, words = bad_files()["cut.png"]
    (tmp_path / "cut.png").write_bytes(content)
    paths = [OTHER, IMAGE, tmp_path / "cut.png", IMAGE]
    images = [handle_file(path) for path in paths]
    found = client.predict(images, "Mass=0.2", api_name="/predict_many")
    single = [client.predict(image, "Mass=0.2", api_name="/analyze") for image in images]
    assert found == single
    assert found[0]["rejected"]
    assert words in found[2]["rejected"]
    own = results.of_file(Predictor(ROOT / "models" / "starter"), IMAGE, IMAGE.name)
    assert found[1]["flagged"] == own["flagged"]


def test_too_many_images_are_rejected_with_the_limit(asks, sent):
    """One over the limit is a sentence that names both numbers."""
    stream = called(asks, "predict_many", [sent] * (limits.MAX_IMAGES + 1), "nih")
    assert (
        f"These are {limits.MAX_IMAGES + 1} images; send at most {limits.MAX_IMAGES} at" in stream
    )


def test_as_many_images_are_taken_as_the_docs_promise(asks):
    """The number in docs/api.md is answered in full, each image in its place."""
    docs = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    promised = int(re.search(r"\| images of one `/predict_many` \| (\d+) \|", docs)[1])
    path = asks.post("/upload", files={"files": ("bad.png", b"no image")}).json()[0]
    bad = {"path": path, "meta": {"_type": "gradio.FileData"}}  # rejected at once
    stream = called(asks, "predict_many", [bad] * promised, "nih")
    assert stream.startswith("event: complete")
    assert stream.count("not an image that can be read") == promised


@pytest.mark.parametrize(
    ("endpoint", "data", "words"),
    [
        ("predict", [None, "nih"], "No image was given"),
        ("analyze", [None, "nih"], "No image was given"),
        ("explain", [None, "Mass"], "No image was given"),
        ("predict_many", [["IMAGE"], "half"], "'half' is not understood"),
        ("predict_many", [[], "nih"], "No images were given"),
        ("predict_many", [None, "nih"], "No images were given"),
        ("predict_many", ["IMAGE", "nih"], "This request does not fit"),
        ("predict", [["IMAGE", "IMAGE"], "nih"], "This request does not fit"),
        ("predict", ["IMAGE"], "This request does not fit"),
        ("predict", ["chest.png", "nih"], "This request does not fit"),
        ("predict", ["/etc/passwd", "nih"], "This request does not fit"),
        ("analyze", [{"path": "/etc/passwd"}, "nih"], "was not uploaded to this page"),
        ("analyze", [{"path": "/etc/no_such_file"}, "nih"], "was not uploaded to this page"),
        ("analyze", [{"path": "https://example.org/a.png"}, "nih"], "An address was given"),
        ("analyze", ["IMAGE", "Effusion"], "is not understood"),
        ("analyze", ["IMAGE", ["nih"]], "is not understood"),
        ("explain", ["IMAGE", None], "No finding was given"),
        ("explain", ["IMAGE", "Fracture"], "There is no such finding; name one of Atelectasis"),
        ("explain", ["IMAGE", ["Mass"]], "There is no such finding"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(asks, sent, endpoint, data, words):
    """Nothing that a program may send is answered with an error that says nothing."""
    meta = {"meta": {"_type": "gradio.FileData"}}

    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(part) for part in value]
        if isinstance(value, dict):
            return value | meta
        return sent if value == "IMAGE" else value

    stream = called(asks, endpoint, *filled(data))
    assert stream.startswith("event: error")
    assert words in stream
    assert "Traceback" not in stream


@pytest.mark.parametrize("stated", ["", None])
def test_empty_prevalence_is_nihs(asks, sent, stated):
    """As a form sends it in which nobody wrote anything."""
    stream = called(asks, "analyze", sent, stated)
    assert stream.startswith("event: complete")
    assert '"prevalence": "nih"' in stream


def test_client_is_told_the_sentence(client):
    """gradio_client raises with it, and not with a remark on Gradio's settings."""
    with pytest.raises(AppError, match="This request does not fit: a value is missing or has"):
        client.predict("chest.png", api_name="/predict")


def test_nothing_goes_round_the_queue(asks, sent):
    """The way past the limits on how many are answered at once is closed."""
    answer = asks.post("/run/predict", json={"data": [sent, "nih"]})
    assert answer.status_code == 404
