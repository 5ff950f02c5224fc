"""The Python API: `import cxr`."""

import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from support import IMAGE, ROOT, STARTER

import cxr
from cxr.inference.predictor import Predictor
from cxr.model import resolve
from cxr_labels import LABELS


@pytest.fixture(scope="module")
def model() -> cxr.Model:
    return cxr.load(STARTER)


@pytest.fixture(scope="module")
def result(model) -> cxr.Prediction:
    return model.predict(IMAGE)


@pytest.mark.parametrize(("chosen", "kept"), [({}, "1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0")])
def test_import_is_light(chosen, kept):
    """Nothing but the standard library is loaded until a name is used.

    ONNX Runtime will report no usage, unless the user wants it to.
    """
    script = (
        "import sys, cxr; heavy = {'numpy', 'PIL', 'onnxruntime', 'pydantic', 'gradio'};"
        "assert not heavy & set(sys.modules); import os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    inherited = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=inherited | chosen,
        check=False,
    )
    assert done.stdout == f"{kept}\n", done.stderr


def test_every_public_name_is_there():
    """And only those: a typo is an AttributeError."""
    assert all(getattr(cxr, name) for name in cxr.__all__)
    assert set(cxr.__all__) < set(dir(cxr))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        cxr.nothing  # noqa: B018


def test_result_is_that_of_the_command_line(model, result):
    """Probabilities, flags and warnings, of the same model."""
    command = [sys.executable, "-m", "cxr", "predict", str(STARTER), str(IMAGE), "--json"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    told = json.loads(printed)
    assert result.probabilities == pytest.approx(told["probabilities"], abs=1e-6)
    assert list(result.flagged) == told["flagged"]
    assert list(result.warnings) == told["warnings"]
    assert (model.name, model.revision, model.labels) == ("starter", None, LABELS)


def test_heatmap_and_overlay(result):
    """A small map of floats, and an image to look at."""
    heatmap = result.heatmap("Effusion")
    assert (heatmap.dtype, heatmap.ndim) == (np.float32, 2)
    overlay = result.overlay("Effusion")
    assert isinstance(overlay, Image.Image)
    assert (overlay.mode, overlay.size) == ("RGB", Image.open(IMAGE).size)


def test_source_may_be_of_any_kind(model, result):
    """A path as text, bytes, a file, a Pillow image, an array: the same image, the same result."""
    grey = Image.open(IMAGE).convert("L")
    pixels = np.asarray(grey)
    sources = [str(IMAGE), IMAGE.read_bytes(), io.BytesIO(IMAGE.read_bytes()), grey, pixels]
    for source in [*sources, pixels.astype(np.uint16) * 257, np.dstack([pixels] * 3)]:
        assert model.predict(source).probabilities == pytest.approx(result.probabilities, abs=1e-6)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((64, 64)),
        np.zeros((64, 64), np.int16),
        np.zeros((64, 64), bool),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3), np.uint16),
        np.zeros((0, 64), np.uint8),
        np.zeros(64, np.uint8),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_array_that_is_no_image_is_an_error(model, array):
    """Floats have no agreed black and white; an ImageError says what is taken."""
    words = f"An array of {array.dtype} {list(array.shape)} is not an image; use uint8 or uint16"
    with pytest.raises(cxr.ImageError, match=re.escape(words)) as raised:
        model.predict(array)
    assert raised.value.code == "not_an_image"


def test_array_that_is_too_small_is_an_error(model):
    """The limits on the size hold for arrays too."""
    with pytest.raises(cxr.ImageError, match="80x63 pixels"):
        model.predict(np.zeros((63, 80), np.uint8))


def test_pillow_image_is_not_changed(model):
    """Not even one whose orientation is applied for the prediction."""
    image = Image.open(IMAGE).convert("L")
    image.getexif()[0x0112] = 3  # turned by half
    before = image.tobytes()
    assert "upside down" in " ".join(model.predict(image).warnings)
    assert image.tobytes() == before
    assert image.getexif()[0x0112] == 3


@pytest.mark.parametrize("stated", ["Effusion=0.3", {"Effusion": 0.3}, {"effusion": 0.3}])
def test_prevalence_may_be_text_or_shares(model, result, stated):
    """Stated at once or later: the same probabilities; the flags stay."""
    own = model.predict(IMAGE, prevalence=stated)
    assert own.probabilities == result.at({"Effusion": 0.3}).probabilities
    assert own.probabilities["Effusion"] > result.probabilities["Effusion"]
    assert own.flagged == result.flagged
    (one_of_many,) = model.predict_many([IMAGE], prevalence=stated)
    assert one_of_many.probabilities == pytest.approx(own.probabilities)


@pytest.mark.parametrize("stated", ["full", {"Cough": 0.1}, {"Mass": 30}])
def test_wrong_prevalence_is_an_error(model, stated):
    """Before any image is read."""
    for predict in (model.predict, model.predict_many):
        with pytest.raises(cxr.PrevalenceError):
            predict(["no image"], prevalence=stated)


def test_many_images_come_in_order_with_their_errors(model, result, tmp_path):
    """A file that cannot be read does not end the work."""
    sources = [IMAGE, tmp_path / "missing.png", IMAGE]
    first, error, last = model.predict_many(sources)
    assert first.probabilities == last.probabilities == pytest.approx(result.probabilities)
    assert isinstance(error, cxr.ImageError)
    assert error.code == "missing"


def test_what_is_no_chest_xray_is_an_error(model):
    """With a code of its own."""
    with pytest.raises(cxr.ImageError) as raised:
        model.predict(ROOT / "examples" / "not_chest_rg3.png")
    assert raised.value.code == "not_a_chest_xray"


def test_model_of_the_hub_tells_its_commit():
    """Its name is OWNER/NAME without the commit, and its text has both."""
    commit = "a" * 40
    model = cxr.Model(Predictor(resolve.Model(STARTER, "owner/name", commit)))
    assert (model.name, model.revision) == ("owner/name", commit)
    assert repr(model) == f"<cxr.Model owner/name@{commit}>"


def test_missing_model_is_an_error(tmp_path):
    """Of a folder; those of the Hub are HubErrors."""
    with pytest.raises(cxr.ModelFolderError):
        cxr.load(tmp_path)


def test_image_is_read_as_the_model_reads_it():
    """`read_image` gives the pixels and warnings."""
    image = cxr.read_image(IMAGE)
    assert np.array_equal(image.grey, np.asarray(Image.open(IMAGE).convert("L")))
