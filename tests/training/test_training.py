"""A whole training on images with planted marks, and what it leaves behind.

One short CPU run of train.py serves most tests of this file; it is also gone on from, and a very
short one follows the article's recipe.
"""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from support import ROOT, planted

import train
from cxr import imaging
from cxr.datasets import boxes, splits
from cxr.evaluation import localisation
from cxr.inference.predictor import Predictor
from cxr.model import model_folder
from cxr.training import export, learner, net
from cxr.training import run as train_run
from cxr.training.images import Images
from cxr.training.settings import Settings
from cxr_labels import LABELS

UNTRAINED = ("--epochs", "0", "--freeze-epochs", "0")


def test_planted_marks_are_told_from_images_without(run):
    """On unseen patients each planted finding has an AUROC above 0.9."""
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert {k: metrics["findings"][k]["auroc"]["value"] > 0.9 for k in planted.MARKS} == {
        "Mass": True,
        "Effusion": True,
    }


def test_heatmap_maps_peak_on_the_marks(run):
    """On unseen images that carry a mark, its heatmap peaks inside its box."""
    found = boxes.read(run.data / "BBox_List_2017.csv")
    predictor = Predictor(run.folder)
    hits = []
    for name in run.images_of(splits.TEST):
        image = imaging.read_image(run.data / "images" / name)
        answer = predictor.predict([image])[0]
        for label, x, y, w, h in found.of_image.get(name, ()):
            px, py = localisation.peak(answer.heatmaps[label])
            hits.append(x <= px <= x + w and y <= py <= y + h)
    assert len(hits) > 20
    assert np.mean(hits) > 0.8


def test_folder_is_complete(run):
    """Every file of the design's model folder is there, and every figure of a run."""
    files = {str(p.relative_to(run.folder)) for p in run.folder.rglob("*") if p.is_file()}
    images = {name for name in files if name.startswith("examples/")}
    assert "examples/examples.csv" in images
    assert files - images == {
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
        "input_check.npz",
        "report.html",
        *(f"figures/{n}.png" for n in ("batch", "history")),
        *(f"figures/{n}.png" for n in ("accuracy", "auroc", "precision_recall", "reliability")),
        *(f"figures/{n}.png" for n in ("roc", "subgroups", "thresholds")),
    }


def test_forms_of_the_network_agree(run, monkeypatch):
    """ONNX, safetensors and the fastai export give the same logits of an image file (1e-4)."""
    from fastai.basics import noop

    image = run.data / "images" / run.images_of(splits.TEST)[0]
    pixels = imaging.resize(imaging.read_image(image), planted.SIDE)[None, None]
    onnx = Predictor(run.folder).run(pixels).logits
    with torch.no_grad():
        safetensors = net.load(run.folder)(torch.from_numpy(pixels)).numpy()
    learn = load_fastai(run.folder, monkeypatch)
    fastai, _ = learn.get_preds(dl=learn.dls.test_dl([image], num_workers=0), act=noop)
    assert np.abs(safetensors - onnx).max() < 1e-4
    assert np.abs(fastai.numpy() - onnx).max() < 1e-4


@pytest.mark.parametrize("kind", [str, Path])
def test_fastai_export_predicts_an_image_file(kind, run, monkeypatch):
    """`learn.predict("image.png")`, as the card has it, answers with 15 probabilities."""
    image = kind(run.data / "images" / run.images_of(splits.TEST)[0])
    probabilities = load_fastai(run.folder, monkeypatch).predict(image)[2]
    assert probabilities.shape == (len(LABELS),)
    assert ((probabilities > 0) & (probabilities < 1)).all()


def test_export_names_no_place_of_this_machine(run):
    """No file of the folder says where data and output lay; but the pickle, nor where the code."""
    with zipfile.ZipFile(run.folder / "model.pkl") as archive:
        pickles = [archive.read(n) for n in archive.namelist() if n.endswith("data.pkl")]
    paths = [path for path in run.folder.rglob("*") if path.is_file() and path.suffix != ".pkl"]
    assert run.folder / "report.html" in paths
    files = [path.read_bytes() for path in paths]
    for place in (run.data.parent.name, str(run.folder.parent)):
        assert place.encode() not in b"".join([*pickles, *files])
    assert str(ROOT).encode() not in b"".join(files)


def test_test_patients_were_not_trained_on(run):
    """splits.csv keeps every patient in one set."""
    table = splits.read(run.folder / "splits.csv")
    assert table.groupby("patient").split.nunique().max() == 1
    assert set(table.split) == set(splits.NAMES)


def test_metrics_agree_with_the_served_model(run):
    """predictions.csv, which the metrics were made of, holds what the served model answers."""
    predictions = pd.read_csv(run.folder / "predictions.csv").set_index("image_index")
    predictor = Predictor(run.folder)
    for name in run.images_of(splits.TEST)[:5]:
        image = imaging.read_image(run.data / "images" / name)
        served = predictor.predict([image], "training")[0].probabilities
        # The cache rounds pixels to 8 bits, which these images have anyway.
        assert predictions.loc[name, list(LABELS)].to_numpy(float) == pytest.approx(
            list(served.values()), abs=1e-4
        )


def test_baselines_stand_beside_the_figures(run):
    """metrics.json holds the constant answers, computed on the same test images."""
    metrics = json.loads((run.folder / "metrics.json").read_text())
    table = pd.read_csv(run.data / "sample_labels.csv").set_index("Image Index")
    test = table.loc[run.images_of(splits.TEST), "Finding Labels"]
    per_image = test.str.split("|").map(len)
    assert metrics["n_images"] == len(test)
    assert metrics["baselines"]["predict_nothing"] == pytest.approx(1 - per_image.mean() / 15)
    assert metrics["baselines"]["metadata_only_mean_auroc"] < 0.7


def test_undefined_figures_are_null_with_a_reason(run):
    """A finding that no test image carries has no AUROC, and says why."""
    hernia = json.loads((run.folder / "metrics.json").read_text())["findings"]["Hernia"]
    assert hernia["auroc"] is None
    assert "no test image" in hernia["why"]


def test_result_is_printed_on_one_screen(run):
    """The run ends with a table of findings, the floor, the folder and how to try it."""
    screen = run.printed[run.printed.index("patients measured") :]
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


@pytest.fixture(scope="module")
def twice(tmp_path_factory) -> Path:
    """A folder with two runs of one seed: "a" of the folder "data", "b" of the zip of it."""
    place = tmp_path_factory.mktemp("twice")
    data = planted.make_folder(place / "data", patients=24)
    with zipfile.ZipFile(place / "sample.zip", "w") as file:
        for path in sorted(data.rglob("*")):
            file.write(path, path.relative_to(place))
    short = ("--epochs", "1", "--freeze-epochs", "0", "--lr", "1e-3")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "2")  # whose shares must not depend on which is faster
        _train(data, place / "a", *short)
        _train(place / "sample.zip", place / "b", *short)
    return place


def test_same_seed_gives_the_same_weights(twice):
    """Two runs with one seed, one of them on a zip, end with equal safetensors on a CPU."""
    one, other = ((twice / name / "model.safetensors").read_bytes() for name in "ab")
    assert one == other


def test_zip_is_trained_on_in_place(twice):
    """--data takes a zip, and nothing is unpacked beside it."""
    assert (twice / "b" / "config.json").is_file()
    assert sorted(p.name for p in twice.iterdir()) == ["a", "b", "data", "sample.zip"]


@pytest.fixture(scope="module")
def measured_again(run, tmp_path_factory) -> Path:
    """The run's folder measured once more, without a training, on the same data and split."""
    folder = tmp_path_factory.mktemp("again") / "model"
    _train(run.data, folder, *_start(run.folder), *UNTRAINED)
    return folder


def test_start_without_epochs_is_the_network_it_starts_from(run, measured_again):
    """Exported again, the network answers as before, to 1e-4 in a logit."""
    images = np.random.default_rng(2).random((4, 1, planted.SIDE, planted.SIDE), np.float32)
    before, after = (
        Predictor(folder).run(images).logits for folder in (run.folder, measured_again)
    )
    assert np.abs(after - before).max() < 1e-4


def test_start_without_epochs_measures_the_same(run, measured_again):
    """On the same test images every finding has the AUROC that it had."""
    before, after = (
        json.loads((folder / "metrics.json").read_text()) for folder in (run.folder, measured_again)
    )
    assert after["n_images"] == before["n_images"]
    for label in ("Mass", "Effusion", "No Finding"):
        expected = before["findings"][label]["auroc"]["value"]
        found = after["findings"][label]["auroc"]["value"]
        assert found == pytest.approx(expected, abs=1e-6)


def test_start_without_epochs_tells_how_the_network_was_trained(run, measured_again):
    """Rate, epochs and boxes are those of the training, not of the run that only measures."""
    before, after = (model_folder.load(f).training for f in (run.folder, measured_again))
    told = ("recipe", "seed", "freeze_epochs", "epochs", "image_size", "learning_rate", "boxes")
    assert {name: after[name] for name in told} == {name: before[name] for name in told}
    assert after["epochs"] == 8
    assert "taught with the boxes" in after["boxes"]
    assert "8 epochs of head and backbone" in (measured_again / "README.md").read_text()


def test_averaged_starts_say_what_taught_them(run):
    """The average of two networks, not trained itself, names both and what boxes they had."""
    told = train_run._schedule(
        Settings(run.data, run.folder, epochs=0, freeze_epochs=0, start=(run.folder, run.folder))
    )
    assert [one["epochs"] for one in told["start"]] == [8, 8]
    assert told["epochs"] == told["freeze_epochs"] == 0
    assert told["boxes"] == model_folder.load(run.folder).training["boxes"]


def test_average_has_the_mean_of_the_weights(run, tmp_path):
    """Each number of the averaged network is the mean of the two; counters are not averaged."""
    first = load_file(run.folder / "model.safetensors")
    random = torch.Generator().manual_seed(0)
    second = {
        name: value + torch.randn(value.shape, generator=random)
        if value.is_floating_point()
        else value
        for name, value in first.items()
    }
    _copy_of(run.folder, tmp_path / "other", second)
    found = net.average([run.folder, tmp_path / "other"]).state_dict()
    assert found.keys() == first.keys()
    for name, value in found.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (first[name] + second[name]) / 2)
        else:
            assert torch.equal(value, first[name])


def test_other_architectures_cannot_be_averaged(run, tmp_path):
    """Networks with other bodies are rejected with a sentence that names the option."""
    other = net.HeatmapNet("resnet18", pretrained=False)
    _copy_of(run.folder, tmp_path / "other", other.state_dict(), architecture="resnet18")
    with pytest.raises(ValueError, match="one architecture can be averaged; check --start"):
        net.average([run.folder, tmp_path / "other"])


def test_start_that_saw_the_held_out_is_rejected(run, tmp_path, capsys):
    """Another split would test on patients that were trained on: the network's own is named."""
    output = tmp_path / "out"
    options = ("--start", str(run.folder), "--seed", "1", "--image-size", str(planted.SIDE))
    assert train.main(["--data", str(run.data), "--output", str(output), *options]) == 1
    sentence = capsys.readouterr().err.splitlines()[-1]
    assert f"--split {run.folder / 'splits.csv'}" in sentence
    assert "was trained on" in sentence
    assert not output.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([*UNTRAINED], "both 0: there is nothing to train"),
        (["--thresholds", "sensitivity=2"], "needs a share above 0 and up to 1"),
        (["--thresholds", "best"], "is none of youden, f1"),
        (["--recipe", "other"], "invalid choice"),
        (["--mirror", "--recipe", "article"], "the article's mirrors images anyway"),
    ],
)
def test_wrong_usage_is_one_sentence(capsys, options, words):
    """What cannot be meant has status 2, and its last line says why."""
    with pytest.raises(SystemExit) as stopped:
        train.main(["--data", "nowhere", *options])
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "split", "thresholds"),
    [
        ([], "patient", "youden"),
        (["--recipe", "article"], "random", "accuracy"),
        (["--recipe", "article", "--split", "patient"], "patient", "accuracy"),
        (["--recipe", "article", "--thresholds", "f1"], "random", "f1"),
        (["--split", "official"], "official", "youden"),
    ],
)
def test_recipe_gives_way_to_what_is_named(options, split, thresholds):
    """A recipe sets split and thresholds; an option of its own name overrides it."""
    settings = train.parse(["--data", "sample", *options])
    assert (settings.split, settings.thresholds) == (split, thresholds)


@pytest.fixture(scope="module")
def article(tmp_path_factory) -> Path:
    """The folder of a very short run of the article's recipe."""
    data = planted.make_folder(tmp_path_factory.mktemp("article") / "data", patients=40)
    folder = data.parent / "model"
    size = ("--image-size", "64")
    short = ("--epochs", "1", "--freeze-epochs", "0", "--lr", "1e-3")
    _train(data, folder, "--recipe", "article", *short, *size)
    return folder


def test_articles_recipe_counts_the_images_of_trained_patients(article):
    """Image by image, test images are of patients that were trained on: metrics and card say so."""
    table = splits.read(article / "splits.csv")
    trained = table.patient[table.split == splits.TRAIN]
    leaked = (table.split == splits.TEST) & table.patient.isin(trained)
    metrics = json.loads((article / "metrics.json").read_text())
    assert metrics["images_of_trained_patients"] == leaked.sum() > 0
    assert (
        f"{leaked.sum()} of the test images are of patients" in (article / "README.md").read_text()
    )


def test_articles_recipe_has_one_threshold(article):
    """All findings that were trained on are flagged from one probability on."""
    config = model_folder.load(article)
    assert config.thresholds == dict.fromkeys(planted.MARKS, config.accuracy_threshold)
    assert config.threshold_rule == "accuracy"


def test_thresholds_of_the_default_recipe_differ(run):
    """By the default rule each finding has a threshold of its own."""
    thresholds = model_folder.load(run.folder).thresholds
    assert set(thresholds) == set(planted.MARKS)
    assert len(set(thresholds.values())) == len(thresholds)


@pytest.mark.parametrize(("recipe", "mirrors"), [("default", False), ("article", True)])
def test_only_the_articles_recipe_flips_images(recipe, mirrors):
    """Of images that are bright on the left, fastai's flips turn about half; the default's none."""
    torch.manual_seed(0)
    left = np.zeros((64, 64), np.uint8)
    left[:, :32] = 255
    images = Images(
        SimpleNamespace(image=lambda row: left),
        np.eye(len(LABELS), dtype=np.uint8)[np.arange(68) % len(LABELS)],
        [f"{row}.png" for row in range(68)],
        boxes.Boxes(),
    )
    dls = learner.make_dls(images, np.arange(64), np.arange(64, 68), 64, recipe)
    middle = dls.one_batch()[0].as_subclass(torch.Tensor)[:, 0, 16:48]
    mirrored = (middle[..., 32:].mean((1, 2)) > middle[..., :32].mean((1, 2))).float().mean()
    assert 0.25 < mirrored < 0.75 if mirrors else mirrored == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data", "nowhere"], "no folder or zip"),
        (["--data", "EMPTY"], "No label table"),
        (["--data", "DATA", "--boxes", "DATA/sample_labels.csv"], "not the release's list"),
        (["--data", "DATA", "--arch", "no_such_net"], "no body 'no_such_net'"),
        (["--data", "DATA", "--split", "nowhere.csv"], "neither one of"),
        (["--data", "DATA", "--start", "nowhere"], "no model folder 'nowhere'"),
    ],
)
def test_wrong_input_stops_with_a_sentence(tmp_path, monkeypatch, capsys, options, words):
    """What cannot be trained on stops with status 1 and one sentence, never a traceback."""
    monkeypatch.chdir(tmp_path)
    planted.make_folder(tmp_path / "data", patients=6)
    (tmp_path / "empty").mkdir()
    places = {"DATA": str(tmp_path / "data"), "EMPTY": str(tmp_path / "empty")}
    for word, place in places.items():
        options = [option.replace(word, place) for option in options]
    assert train.main([*options, "--output", "out"]) == 1
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_folder_with_other_files_is_not_written_into(tmp_path, capsys):
    """--output with files that are no run's stops before anything is decoded or written."""
    planted.make_folder(tmp_path / "data", patients=6)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    options = ["--data", str(tmp_path / "data"), "--output", str(tmp_path / "mine")]
    assert train.main(options) == 1
    assert "holds other files" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["README.md"]


def test_weights_that_cannot_be_fetched_are_said_so(monkeypatch):
    """Without the hub, a body whose weights lie there is rejected with a sentence."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="'resnet18' could not be fetched"):
        net.HeatmapNet("resnet18")


def test_export_that_differs_is_rejected(tmp_path, monkeypatch):
    """An ONNX file that does not answer as the network does stops the export."""
    network = net.HeatmapNet(pretrained=False).eval()
    images = np.random.default_rng(0).random((2, 1, 64, 64), np.float32)
    export.export(network, 64, tmp_path, images)
    with torch.no_grad():
        network.fine.bias += 1e-3
    with pytest.raises(export.ExportError, match="differs"):
        export._check_parity(network, tmp_path / "model.onnx", images)


def test_logits_are_pooled_from_the_maps_alone(run):
    """The ONNX file's logits follow from its heatmaps and the stored sharpness."""
    predictor = Predictor(run.folder)
    images = np.random.default_rng(0).random((3, 1, planted.SIDE, planted.SIDE), np.float32)
    outputs = predictor.run(images)
    sharpness = net.load(run.folder).log_sharpness
    pooled = net.pool(torch.from_numpy(outputs.heatmaps), sharpness).detach().numpy()
    assert np.abs(pooled - outputs.logits).max() < 1e-4


def test_onnx_takes_any_batch(run):
    """The exported file answers for 1, 2 and 5 images at once, each as if alone."""
    session = onnxruntime.InferenceSession(str(run.folder / model_folder.ONNX))
    images = np.random.default_rng(1).random((5, 1, planted.SIDE, planted.SIDE), np.float32)
    together = session.run(["logits"], {"image": images})[0]
    alone = np.concatenate([session.run(["logits"], {"image": f[None]})[0] for f in images])
    assert np.abs(together - alone).max() < 1e-4


def load_fastai(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """The export as the Hub's client reads it; it takes a folder only by a name like OWNER/NAME."""
    from huggingface_hub import from_pretrained_fastai

    monkeypatch.chdir(folder.parents[1])
    return from_pretrained_fastai(f"{folder.parent.name}/{folder.name}")


def _start(folder: Path) -> tuple[str, ...]:
    return ("--start", str(folder), "--split", str(folder / "splits.csv"))


def _copy_of(folder: Path, copy: Path, weights: dict[str, torch.Tensor], **changes: str) -> None:
    """What `net.load` reads of a model folder, with other weights and a changed config."""
    copy.mkdir()
    config = json.loads((folder / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, **changes}))
    save_file(weights, copy / "model.safetensors")


def _train(data: Path, output: Path, *options: str) -> None:
    command = [sys.executable, "train.py", "--data", str(data), "--output", str(output)]
    command += ["--image-size", str(planted.SIDE), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
