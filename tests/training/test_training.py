"""A whole training on images with planted marks, and what it leaves behind.

One short run of train.py on a CPU serves most tests; a very short one follows the article's recipe.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import planted, trainings

from cxr import imaging
from cxr.datasets import boxes, splits
from cxr.evaluation import localisation
from cxr.inference.predictor import Predictor
from cxr.model import model_folder
from cxr_labels import LABELS

pytestmark = pytest.mark.slow


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


def test_thresholds_of_the_default_recipe_differ(run):
    """By the default rule each finding has a threshold of its own."""
    thresholds = model_folder.load(run.folder).thresholds
    assert set(thresholds) == set(planted.MARKS)
    assert len(set(thresholds.values())) == len(thresholds)


def test_config_tells_of_this_training(run):
    """Record and prevalences are of the options and the training images of this run."""
    config, train = model_folder.load(run.folder), run.images_of(splits.TRAIN)
    told = config.training
    assert (told["epochs"], told["freeze_epochs"], told["learning_rate"]) == (8, 1, 5e-3)
    assert told["train_images"] == len(train)
    assert told["images_per_second"] > 0
    labels = pd.read_csv(run.data / "sample_labels.csv").set_index("Image Index")["Finding Labels"]
    masses = labels[train].str.contains("Mass").sum()
    assert config.prevalence["training"]["Mass"] == pytest.approx((masses + 0.5) / (len(train) + 1))


def test_history_has_every_epoch_and_ends_well(run):
    """The head's epoch comes first; the losses fall."""
    history = pd.read_csv(run.folder / "history.csv")
    assert history.phase.to_list() == ["frozen", *["unfrozen"] * 8]
    assert history.valid_loss.iloc[-1] < history.valid_loss.iloc[0]
    assert history.mean_auroc.iloc[-1] > 0.9


def test_input_check_knows_the_training_images(run):
    """The embedding's distance is measured from the mean of the training images."""
    predictor, embeddings = Predictor(run.folder), []
    for name in run.images_of(splits.TRAIN):
        pixels = imaging.resize(imaging.read_image(run.data / "images" / name), planted.SIDE)
        embeddings.extend(predictor.run(pixels[None, None]).embedding)
    with np.load(run.folder / "input_check.npz") as arrays:
        found = arrays["embedding_mean"]
    np.testing.assert_allclose(found, np.mean(embeddings, 0), atol=1e-4)


@pytest.fixture(scope="module")
def article(tmp_path_factory) -> Path:
    """The folder of a very short run of the article's recipe."""
    data = planted.make_folder(tmp_path_factory.mktemp("article") / "data", patients=40)
    folder = data.parent / "model"
    size = ("--image-size", "64")
    short = ("--epochs", "1", "--freeze-epochs", "0", "--lr", "1e-3")
    trainings.train(data, folder, "--recipe", "article", *short, *size)
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
