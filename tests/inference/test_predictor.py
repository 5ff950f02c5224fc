"""The serving half: the model folder's checks, predictions, boxes, and what it may not import."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from support import ROOT, STARTER

from cxr import imaging
from cxr.inference import probability
from cxr.inference.input_check import NOT_A_CHEST_XRAY, InputCheck
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import probabilities_at
from cxr.model import examples, model_folder
from cxr.model.errors import ModelFolderError
from cxr_labels import FINDINGS, LABELS, NIH_PREVALENCE, NO_FINDING


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(STARTER)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of the starter, to be broken."""
    for name in (model_folder.CONFIG, model_folder.ONNX):
        shutil.copyfile(STARTER / name, tmp_path / name)
    return tmp_path


def test_serving_half_runs_without_torch():
    """In the environment of requirements.txt, which has no torch, an image is answered."""
    python = ROOT / ".venv" / "bin" / "python"
    if not python.is_file():
        pytest.skip("there is no .venv; `make test` makes it")
    image = "examples/chest_rg1.png"
    script = f"""
import importlib.util, sys
assert not any(importlib.util.find_spec(name) for name in ("torch", "fastai", "timm"))
from cxr.inference.predictor import Predictor
from cxr import imaging
answer = Predictor("models/starter").predict([imaging.read_image({image!r})])[0]
assert len(answer.probabilities) == 15
import app
assert not any(name.startswith("cxr.training") for name in sys.modules)
print("answered")
"""
    done = subprocess.run(
        [python, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "answered", done.stderr


def test_nothing_computes_once_an_image_is_answered():
    """Threads that stay awake for more work would take the cores from the next image's network."""
    image = "examples/chest_rg1.png"
    script = f"""
import time
from cxr.inference.predictor import Predictor
predictor = Predictor("models/starter")
for _ in range(3):
    predictor.analyze({image!r})
before = time.process_time()
time.sleep(0.05)
print(time.process_time() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert float(done.stdout) < 0.01, done.stderr


def test_batch_answers_as_single_images(predictor):
    """An image's probabilities do not depend on the images beside it."""
    images = [imaging.read_image(path) for path in sorted((ROOT / "examples").glob("*.png"))]
    together = predictor.predict(images)
    for image, answer in zip(images, together, strict=True):
        alone = predictor.predict([image])[0]
        assert list(alone.probabilities.values()) == pytest.approx(
            list(answer.probabilities.values()), abs=1e-5
        )


def test_probabilities_stand_in_label_order(predictor):
    """The answer has all 15 labels, in the order of the vocabulary, within 0..1."""
    answer = predictor.predict([imaging.read_image(ROOT / "examples" / "chest_rg1.png")])[0]
    assert tuple(answer.probabilities) == LABELS
    assert all(0 < p < 1 for p in answer.probabilities.values())


def test_prevalence_moves_scores_but_not_flags(predictor):
    """What is flagged is the same at the training prevalence and at NIH's."""
    image = imaging.read_image(ROOT / "examples" / "chest_rg1.png")
    nih, training = (predictor.predict([image], at)[0] for at in ("nih", "training"))
    assert nih.flagged == training.flagged
    assert nih.probabilities != training.probabilities


@pytest.mark.parametrize("stated", ["nih", "training", {"Mass": 1e-6, "Hernia": 0.999}])
def test_score_at_its_threshold_is_flagged_at_every_prevalence(predictor, stated):
    """An image whose scores are the thresholds to the last bit has every finding flagged.

    One bit higher, and none is: no rounding of a restated score comes between.
    """
    image = imaging.read_image(ROOT / "examples" / "chest_rg1.png")
    logits = predictor.run(imaging.resize(image, predictor.config.image_size)[None, None]).logits
    reached = probabilities_at(predictor.config, logits, "training")[0]
    for thresholds, flagged in ((reached, FINDINGS), (np.nextafter(reached, 1), ())):
        config = predictor.config.replace(thresholds=dict(zip(LABELS, thresholds, strict=True)))
        (answer,) = Predictor(STARTER, config).predict([image], stated)
        assert answer.flagged == tuple(flagged)


def test_embedding_of_another_rank_is_rejected(folder, monkeypatch):
    """A network whose embedding is no vector an image is rejected with a sentence."""
    run = onnxruntime.InferenceSession.run

    def flat(self, *given):
        logits, heatmap, embedding = run(self, *given)
        return [logits, heatmap, embedding[0]]

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", flat)
    with pytest.raises(ModelFolderError, match="one embedding per image"):
        Predictor(folder)


def test_no_finding_is_never_flagged(predictor):
    """Whatever an image looks like, "No Finding" is not among the flagged."""
    rng = np.random.default_rng(0)
    images = [imaging.GreyImage(rng.random((90, 80), np.float32)) for _ in range(8)]
    assert all(NO_FINDING not in answer.flagged for answer in predictor.predict(images))


def test_shift_follows_bayes():
    """Scores of a simulated test, restated at another prevalence, are right there."""
    rng = np.random.default_rng(0)
    here, there = 0.3, 0.04
    truth = rng.random(400_000) < there
    logit = rng.normal(np.where(truth, 1.0, -1.0), 1.0)  # so the likelihood ratio is exp(2 logit)
    at_here = probability.sigmoid(2 * logit + probability.log_odds(here))
    at_there = probability.shift(at_here, here, there)
    for low in (0.0, 0.05, 0.2, 0.5):
        chosen = (at_there >= low) & (at_there < low + 0.1)
        assert truth[chosen].mean() == pytest.approx(at_there[chosen].mean(), abs=0.02)


def test_shift_there_and_back_is_nothing():
    """Moving to another prevalence and back gives the probabilities one began with."""
    p = np.linspace(0.01, 0.99, 15)
    here, there = np.linspace(0.1, 0.5, 15), np.array(list(NIH_PREVALENCE.values()))
    assert probability.shift(probability.shift(p, here, there), there, here) == pytest.approx(p)


def test_other_onnx_file_is_rejected(folder):
    """A network that the config was not written for is rejected with a sentence."""
    path = folder / model_folder.CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": "0" * 64}))
    with pytest.raises(ModelFolderError, match="not the file"):
        Predictor(folder)


@pytest.mark.parametrize("broken", [b"", b"not an onnx file", b"\x08\x07\x12\x04evil"])
def test_broken_onnx_is_rejected(folder, broken):
    """A file that is no network is rejected with a sentence, even when its hash fits."""
    (folder / model_folder.ONNX).write_bytes(broken)
    path = folder / model_folder.CONFIG
    sha256 = model_folder.sha256(folder / model_folder.ONNX)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": sha256}))
    with pytest.raises(ModelFolderError, match="not an ONNX file"):
        Predictor(folder)


def test_onnx_of_another_size_is_rejected(folder):
    """A network that takes another image size than the config says is rejected."""
    path = folder / model_folder.CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | {"image_size": 64}))
    with pytest.raises(ModelFolderError, match="64x64"):
        Predictor(folder)


def test_importing_the_serving_half_needs_no_gradio():
    """The command line starts without the page's imports."""
    script = "import sys, cxr.cli.main; assert 'gradio' not in sys.modules; print('ok')"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "ok", done.stderr


def test_hostile_table_of_examples_offers_nothing(tmp_path):
    """Rows that point out of the folder, name no image or lack a column are passed over."""
    folder = tmp_path / "examples"
    folder.mkdir()
    shutil.copyfile(ROOT / "examples" / "chest_rg1.png", folder / "image.png")
    shutil.copyfile(ROOT / "examples" / "chest_rg1.png", tmp_path / "secret.png")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    rows = ["file,labels", "../secret.png,", "link.png,", "examples.csv,", ",", "image.png,Mass"]
    (folder / "examples.csv").write_text("\ufeff" + "\n".join(rows), encoding="utf-8")
    offered = [image.path.name for image in examples.find(tmp_path)]
    assert offered == ["image.png", *(image.path.name for image in examples.find(STARTER))]


def test_distance_that_is_no_number_is_rejected(monkeypatch):
    """Where the OOD score of an image cannot be told, it is not answered."""
    screen = InputCheck({}, 1.0, 2.0)
    monkeypatch.setattr(screen, "measure", lambda *_: (float("nan"), False, 0))
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    assert screen.judge(ramp, np.zeros(3, np.float32)).rejected == NOT_A_CHEST_XRAY


def test_starter_names_no_place_of_a_machine():
    """The exporter's notes on its own source are gone from the committed network."""
    assert b'File "' not in (STARTER / model_folder.ONNX).read_bytes()
