"""The predictor: what it loads, what it rejects, and its numbers."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from support import IMAGE, ROOT, STARTER

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


def test_app_runs_without_torch():
    """The environment of requirements.txt, which has no torch, is enough for app.py."""
    python = ROOT / ".venv" / "bin" / "python"
    if not python.is_file():
        pytest.skip("there is no .venv; `make test` makes it")
    image = "examples/chest_rg1.png"
    script = f"""
import importlib.util, sys
assert not any(importlib.util.find_spec(name) for name in ("torch", "fastai", "timm"))
from cxr.inference.predictor import Predictor
prediction = Predictor("models/starter").analyze({image!r})
assert len(prediction.probabilities) == 15
sys.argv = ["gradio", "app.py", "--of-gradio"]  # not for this program, which is imported
import app
assert not any(name.startswith("cxr.training") for name in sys.modules)
print("done")
"""
    done = subprocess.run(
        [python, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "done", done.stderr


def test_no_thread_spins_after_a_prediction():
    """Threads that wait awake would take the cores from the network of the next image."""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("the states of threads are read from /proc")
    script = f"""
import os, time
from pathlib import Path
from cxr.inference.predictor import Predictor
predictor = Predictor("models/starter", cores=2)
for _ in range(3):
    predictor.analyze({str(IMAGE)!r})
time.sleep(0.05)
tasks = [task for task in Path("/proc/self/task").iterdir() if task.name != str(os.getpid())]
states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks]
print(*sorted(set(states)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "S", done.stderr  # S: all sleep; R would be running


def test_batch_gives_the_same_as_single_images(predictor):
    """What is said of an image does not depend on the images beside it."""
    images = [imaging.read_image(path) for path in sorted((ROOT / "examples").glob("*.png"))]
    together = predictor.predict(images)
    for image, prediction in zip(images, together, strict=True):
        alone = predictor.predict([image])[0]
        assert list(alone.probabilities.values()) == pytest.approx(
            list(prediction.probabilities.values()), abs=1e-5
        )
        assert alone.verdict == prediction.verdict
        assert np.allclose(alone.heatmaps, prediction.heatmaps, atol=1e-4)
        assert prediction.image.grey.shape == image.grey.shape
    assert len({prediction.verdict.rejected for prediction in together}) == 2


def test_deep_image_is_seen_in_eight_bits(predictor):
    """By the network, as by the reader of the overlay; what is odd about the file is kept."""
    pixels = imaging.read_image(IMAGE).pixels * np.float32(0.999)
    deep = imaging.GreyImage(pixels, ("A warning.",))
    shallow = imaging.GreyImage(imaging.eight_bits(deep))
    found, wanted = (predictor.predict([image])[0] for image in (deep, shallow))
    assert found.image.grey.dtype == np.uint8
    assert np.array_equal(found.image.grey, wanted.image.grey)
    assert np.array_equal(found.logits, wanted.logits)
    assert found.image.warnings == ("A warning.",)


def test_image_is_not_decoded_before_a_core_is_free():
    """So there are at most as many images in memory as cores."""
    one_core = Predictor(STARTER, cores=1)
    with ThreadPoolExecutor(1) as pool:
        with one_core.slot():
            waiting = pool.submit(one_core.analyze, IMAGE)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        assert waiting.result().probabilities


def test_probabilities_stand_in_label_order(predictor):
    """All 15 labels, in the order of LABELS, within 0..1."""
    prediction = predictor.analyze(IMAGE)
    assert tuple(prediction.probabilities) == LABELS
    assert all(0 < p < 1 for p in prediction.probabilities.values())


def test_prevalence_moves_scores_but_not_flags(predictor):
    """The same findings are flagged at the training prevalence and at NIH's."""
    image = imaging.read_image(IMAGE)
    nih, training = (predictor.predict([image], at)[0] for at in ("nih", "training"))
    assert nih.flagged == training.flagged
    assert nih.probabilities != training.probabilities


@pytest.mark.parametrize("stated", ["nih", "training", {"Mass": 1e-6, "Hernia": 0.999}])
def test_score_at_its_threshold_is_flagged_at_every_prevalence(predictor, stated):
    """If the thresholds equal the probabilities of an image, every finding is flagged.

    If they are one bit higher, none is: flags do not depend on rounding.
    """
    image = imaging.read_image(IMAGE)
    logits = predictor.run(imaging.resize(image, predictor.config.image_size)[None, None]).logits
    reached = probabilities_at(predictor.config, logits, "training")[0]
    for thresholds, flagged in ((reached, FINDINGS), (np.nextafter(reached, 1), ())):
        config = predictor.config.replace(thresholds=dict(zip(LABELS, thresholds, strict=True)))
        (prediction,) = Predictor(STARTER, config).predict([image], stated)
        assert prediction.flagged == tuple(flagged)


def test_embedding_of_another_rank_is_rejected(folder, monkeypatch):
    """A network must give one vector per image."""
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
    assert all(NO_FINDING not in found.flagged for found in predictor.predict(images))


def test_shift_follows_bayes():
    """Probabilities of a simulated test stay calibrated when moved to another prevalence."""
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
    """Moving to another prevalence and back changes nothing."""
    p = np.linspace(0.01, 0.99, 15)
    here, there = np.linspace(0.1, 0.5, 15), np.array(list(NIH_PREVALENCE.values()))
    assert probability.shift(probability.shift(p, here, there), there, here) == pytest.approx(p)


def test_other_onnx_file_is_rejected(folder):
    """The config names the hash of its ONNX file."""
    path = folder / model_folder.CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": "0" * 64}))
    with pytest.raises(ModelFolderError, match="not the file"):
        Predictor(folder)


@pytest.mark.parametrize("broken", [b"", b"not an onnx file", b"\x08\x07\x12\x04evil"])
def test_broken_onnx_is_rejected(folder, broken):
    """A file that is no network is rejected even if its hash is right."""
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


def test_predictor_needs_no_gradio():
    """Neither the command line nor a prediction imports the page."""
    script = "import sys, cxr.cli.main, cxr.inference.api; print('gradio' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "False", done.stderr


def test_hostile_table_of_examples_offers_nothing(tmp_path):
    """Rows that leave the folder, name no image or lack a column are skipped."""
    folder = tmp_path / "examples"
    folder.mkdir()
    shutil.copyfile(ROOT / "examples" / "chest_rg1.png", folder / "image.png")
    shutil.copyfile(ROOT / "examples" / "chest_rg1.png", tmp_path / "secret.png")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    rows = ["file,labels", "../secret.png,", "link.png,", "examples.csv,", ",", "image.png,Mass"]
    (folder / "examples.csv").write_text("\ufeff" + "\n".join(rows), encoding="utf-8")
    offered = [image.path.name for image in examples.find(tmp_path)]
    assert offered == ["image.png", *(image.path.name for image in examples.find(STARTER))]


def test_image_without_an_ood_score_is_rejected(monkeypatch):
    """An image without an OOD score is rejected."""
    check = InputCheck({}, 1.0, 2.0)
    monkeypatch.setattr(check, "measure", lambda *_: (float("nan"), False, 0))
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    assert check.judge(ramp, np.zeros(3, np.float32)).rejected == NOT_A_CHEST_XRAY


def test_starter_contains_no_paths():
    """The committed network does not contain the paths that the exporter notes."""
    assert b'File "' not in (STARTER / model_folder.ONNX).read_bytes()
