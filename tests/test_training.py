"""A whole training on films with planted marks, and what it leaves behind.

One short CPU run of train.py serves all tests of this file.
"""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import planted
import pytest
import torch

from cxr import model_folder, radiograph
from cxr.serving.predictor import Predictor
from cxr.training import boxes, export, net, splits
from cxr.training.evaluation import localisation
from cxr_labels import LABELS

ROOT = Path(__file__).parents[1]


def test_planted_marks_are_told_from_films_without(run):
    """On unseen patients each planted finding has an AUROC above 0.9."""
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert {k: metrics["findings"][k]["auroc"] > 0.9 for k in planted.MARKS} == {
        "Mass": True,
        "Effusion": True,
    }


def test_evidence_maps_peak_on_the_marks(run):
    """On unseen films that carry a mark, its evidence map peaks inside its box."""
    found = boxes.read(run.data / "BBox_List_2017.csv")
    predictor = Predictor(run.folder)
    hits = []
    for name in run.films_of(splits.TEST):
        film = radiograph.read(run.data / "images" / name)
        answer = predictor.predict([film])[0]
        for label, x, y, w, h in found.of_film.get(name, ()):
            px, py = localisation.peak(answer.evidence[label])
            hits.append(x <= px <= x + w and y <= py <= y + h)
    assert len(hits) > 20
    assert np.mean(hits) > 0.8


def test_folder_is_complete(run):
    """Every file of the design's model folder is there, and every figure of a run."""
    files = {str(p.relative_to(run.folder)) for p in run.folder.rglob("*") if p.is_file()}
    assert files == {
        "config.json",
        "model.onnx",
        "model.safetensors",
        "model.pkl",
        "pyproject.toml",
        "splits.csv",
        "metrics.json",
        "predictions.csv",
        "README.md",
        "history.csv",
        *(f"figures/{n}.png" for n in ("accuracy", "auroc", "batch", "history")),
    }


def test_forms_of_the_network_agree(run, monkeypatch):
    """ONNX, safetensors and the fastai export give the same logits of a film file (1e-4)."""
    from fastai.basics import noop

    film = run.data / "images" / run.films_of(splits.TEST)[0]
    pixels = radiograph.squeeze(radiograph.read(film), planted.SIDE)[None, None]
    onnx = Predictor(run.folder).run(pixels).logits
    with torch.no_grad():
        safetensors = net.load(run.folder)(torch.from_numpy(pixels)).numpy()
    learn = load_fastai(run.folder, monkeypatch)
    fastai, _ = learn.get_preds(dl=learn.dls.test_dl([film], num_workers=0), act=noop)
    assert np.abs(safetensors - onnx).max() < 1e-4
    assert np.abs(fastai.numpy() - onnx).max() < 1e-4


def test_fastai_export_predicts_a_film_file(run, monkeypatch):
    """`learn.predict(path)` of the exported learner answers with 15 probabilities."""
    film = run.data / "images" / run.films_of(splits.TEST)[0]
    probabilities = load_fastai(run.folder, monkeypatch).predict(film)[2]
    assert probabilities.shape == (len(LABELS),)
    assert ((probabilities > 0) & (probabilities < 1)).all()


def test_export_names_no_place_of_this_machine(run):
    """Neither the pickle nor any text of the folder says where data and output lay."""
    with zipfile.ZipFile(run.folder / "model.pkl") as archive:
        pickles = b"".join(archive.read(n) for n in archive.namelist() if n.endswith("data.pkl"))
    texts = [p.read_bytes() for p in run.folder.iterdir() if p.suffix in {".json", ".md", ".csv"}]
    for place in (run.data.parent.name, str(run.folder.parent)):
        assert place.encode() not in b"".join([pickles, *texts])


def test_test_patients_were_not_trained_on(run):
    """splits.csv keeps every patient in one set."""
    table = splits.read(run.folder / "splits.csv")
    assert table.groupby("patient").split.nunique().max() == 1
    assert set(table.split) == set(splits.NAMES)


def test_metrics_agree_with_the_served_model(run):
    """predictions.csv, which the metrics were made of, holds what the served model answers."""
    predictions = pd.read_csv(run.folder / "predictions.csv").set_index("image_index")
    predictor = Predictor(run.folder)
    for name in run.films_of(splits.TEST)[:5]:
        film = radiograph.read(run.data / "images" / name)
        served = predictor.predict([film], "training")[0].probabilities
        # The cache rounds pixels to 8 bits, which these films have anyway.
        assert predictions.loc[name, list(LABELS)].to_numpy(float) == pytest.approx(
            list(served.values()), abs=1e-4
        )


def test_baselines_stand_beside_the_figures(run):
    """metrics.json holds the constant answers, computed on the same test films."""
    metrics = json.loads((run.folder / "metrics.json").read_text())
    table = pd.read_csv(run.data / "sample_labels.csv").set_index("Image Index")
    test = table.loc[run.films_of(splits.TEST), "Finding Labels"]
    per_film = test.str.split("|").map(len)
    assert metrics["n_images"] == len(test)
    assert metrics["baselines"]["predict_nothing"] == pytest.approx(1 - per_film.mean() / 15)
    assert metrics["baselines"]["metadata_only_mean_auroc"] < 0.7


def test_undefined_figures_are_null_with_a_reason(run):
    """A finding that no test film carries has no AUROC, and says why."""
    hernia = json.loads((run.folder / "metrics.json").read_text())["findings"]["Hernia"]
    assert hernia["auroc"] is None
    assert "no test film" in hernia["why"]


def test_result_is_printed_on_one_screen(run):
    """The run ends with a table of findings, the floor, the folder and how to try it."""
    screen = run.printed[run.printed.rindex("Test: ") :]
    assert len(screen.splitlines()) < 40
    for words in ("mean AUROC", "always", "app.py --model", "not for clinical use"):
        assert words in screen


def test_card_says_what_it_must(run):
    """The card gives its figures, their floor, and that it is not for clinical use."""
    card = (run.folder / "README.md").read_text()
    for words in ("Not for clinical use", "sex, age and view", "Mass"):
        assert words in card
    for never in ("normal", "healthy", "diagnos"):
        assert never not in card.lower()


def test_same_seed_gives_the_same_weights(tmp_path):
    """Two runs with one seed end with equal safetensors on a CPU."""
    data = planted.make_folder(tmp_path / "data", patients=24)
    weights = []
    for name in ("a", "b"):
        _train(data, tmp_path / name, "--epochs", "1", "--freeze-epochs", "0", "--lr", "1e-3")
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_zip_is_trained_on_in_place(tmp_path):
    """--data takes a zip, and nothing is unpacked beside it."""
    data = planted.make_folder(tmp_path / "data", patients=24)
    archive = tmp_path / "sample.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(data.rglob("*")):
            file.write(path, path.relative_to(tmp_path))
    _train(archive, tmp_path / "out", "--epochs", "0", "--freeze-epochs", "1", "--lr", "1e-3")
    assert (tmp_path / "out" / "config.json").is_file()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "out", "sample.zip"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data", "nowhere"], "no folder or zip"),
        (["--data", "EMPTY"], "No label table"),
        (["--data", "DATA", "--boxes", "DATA/sample_labels.csv"], "not the release's list"),
        (["--data", "DATA", "--arch", "no_such_net"], "no body 'no_such_net'"),
        (["--data", "DATA", "--split", "nowhere.csv"], "neither one of"),
    ],
)
def test_wrong_input_stops_with_a_sentence(tmp_path, options, words):
    """What cannot be trained on stops with status 1 and one sentence, never a traceback."""
    planted.make_folder(tmp_path / "data", patients=6)
    (tmp_path / "empty").mkdir()
    places = {"DATA": str(tmp_path / "data"), "EMPTY": str(tmp_path / "empty")}
    for word, place in places.items():
        options = [option.replace(word, place) for option in options]
    done = _run(*options, "--output", str(tmp_path / "out"), cwd=tmp_path)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_folder_with_other_files_is_not_written_into(tmp_path):
    """--output with files that are no run's stops before anything is decoded or written."""
    planted.make_folder(tmp_path / "data", patients=6)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    done = _run("--data", str(tmp_path / "data"), "--output", str(tmp_path / "mine"), cwd=tmp_path)
    assert done.returncode == 1
    assert "holds other files" in done.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["README.md"]


def test_weights_that_cannot_be_fetched_are_said_so(monkeypatch):
    """Without the hub, a body whose weights lie there is refused with a sentence."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="'resnet18' could not be fetched"):
        net.EvidenceNet("resnet18")


def test_export_that_differs_is_refused(tmp_path, monkeypatch):
    """An ONNX file that does not answer as the network does stops the export."""
    network = net.EvidenceNet(pretrained=False).eval()
    films = np.random.default_rng(0).random((2, 1, 64, 64), np.float32)
    export.export(network, 64, tmp_path, films)
    with torch.no_grad():
        network.fine.bias += 1e-3
    with pytest.raises(export.ExportError, match="differs"):
        export._check_parity(network, tmp_path / "model.onnx", films)


def test_logits_are_pooled_from_the_maps_alone(run):
    """The ONNX file's logits follow from its evidence maps and the stored sharpness."""
    predictor = Predictor(run.folder)
    films = np.random.default_rng(0).random((3, 1, planted.SIDE, planted.SIDE), np.float32)
    outputs = predictor.run(films)
    sharpness = net.load(run.folder).log_sharpness
    pooled = net.pool(torch.from_numpy(outputs.evidence), sharpness).detach().numpy()
    assert np.abs(pooled - outputs.logits).max() < 1e-4


def test_onnx_takes_any_batch(run):
    """The exported file answers for 1, 2 and 5 films at once, each as if alone."""
    session = onnxruntime.InferenceSession(str(run.folder / model_folder.ONNX))
    films = np.random.default_rng(1).random((5, 1, planted.SIDE, planted.SIDE), np.float32)
    together = session.run(["logits"], {"image": films})[0]
    alone = np.concatenate([session.run(["logits"], {"image": f[None]})[0] for f in films])
    assert np.abs(together - alone).max() < 1e-4


def load_fastai(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """The export as the Hub's client reads it; it takes a folder only by a name like OWNER/NAME."""
    from huggingface_hub import from_pretrained_fastai

    monkeypatch.chdir(folder.parents[1])
    return from_pretrained_fastai(f"{folder.parent.name}/{folder.name}")


def _train(data: Path, output: Path, *options: str) -> subprocess.CompletedProcess:
    size = ("--image-size", str(planted.SIDE))
    done = _run("--data", str(data), "--output", str(output), *size, *options, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done


def _run(*options: str, cwd: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "train.py"), *options]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
