"""The example images of a model folder: which are picked, and what is written of them."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from support import ROOT, planted

from cxr import imaging
from cxr.datasets import nih, splits
from cxr.inference.input_check import Verdict
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import TRAINING
from cxr.model import examples as offered
from cxr.model import model_folder
from cxr.training import examples
from cxr.training.examples import NONE, RIGHT, WRONG
from cxr_labels import FINDINGS, LABELS, NO_FINDING


def ranked(images: list[tuple[str, dict[str, float]]]) -> dict[tuple[str, str], list[int]]:
    """{(kind, label): images} for images given by label and by what stands how far above."""
    above = np.full((len(images), len(FINDINGS)), -1.0)
    targets = np.zeros((len(images), len(LABELS)), np.uint8)
    for k, (labels, high) in enumerate(images):
        for name in labels.split("|"):
            targets[k, LABELS.index(name)] = 1
        for name, value in high.items():
            above[k, FINDINGS.index(name)] = value
    return {(offer.kind, offer.label): offer.images for offer in examples.rank(above, targets)}


def test_right_images_lead_and_the_largest_lead_is_first():
    """A lead is counted from the threshold, or from the highest finding that is not named."""
    found = ranked(
        [
            ("Mass", {"Mass": 2.0, "Edema": 1.5}),  # leads by 0.5
            ("Mass", {"Mass": 1.0}),  # by 1.0
            ("Mass|Edema", {"Mass": 0.7, "Edema": 0.9}),  # by 0.7, and for Edema by 0.9
            ("Mass", {"Mass": 1.0, "Edema": 1.1}),  # something else leads
            ("Mass", {}),  # below its threshold
        ]
    )
    assert found[RIGHT, "Mass"] == [1, 2, 0]
    assert found[RIGHT, "Edema"] == [2]
    assert found[WRONG, ""] == [3]


def test_findings_come_by_their_largest_lead():
    """The finding that the model is surest of comes first, whatever the order of the labels."""
    found = ranked(
        [("Mass", {"Mass": 1.0}), ("Edema", {"Edema": 3.0}), ("Hernia", {"Hernia": 2.0})]
    )
    assert [label for kind, label in found if kind == RIGHT] == ["Edema", "Hernia", "Mass"]


def test_no_image_is_right_when_none_leads():
    """Where nothing is found rightly, only a wrong image is offered."""
    found = ranked([("Mass", {"Edema": 1.0}), ("Mass", {"Edema": 2.0, "Mass": 1.5})])
    assert found == {(WRONG, ""): [0, 1], (NONE, ""): []}


def test_missed_image_is_wrong_where_nothing_false_leads():
    """Without a false alarm, an image whose findings all stay low is the wrong one."""
    found = ranked([("Mass", {"Mass": 1.0}), ("Mass", {"Mass": -0.1}), (NO_FINDING, {})])
    assert found[WRONG, ""] == [1]


def test_image_without_finding_is_the_one_that_stays_lowest():
    """Of images labelled No Finding the one comes first whose highest finding is lowest."""
    found = ranked([(NO_FINDING, {"Mass": 0.5}), (NO_FINDING, {"Mass": -0.5}), (NO_FINDING, {})])
    assert found[NONE, ""] == [2, 1, 0]


def test_finding_at_its_threshold_is_right_where_log_odds_end():
    """A network sure of everything has thresholds of 1: what reaches one is flagged, so right."""
    config = model_folder.load(ROOT / "models" / "starter")
    config = config.replace(thresholds=dict.fromkeys(FINDINGS, 1.0))
    probabilities = np.full((1, len(LABELS)), 0.5)
    probabilities[0, LABELS.index("Mass")] = 1.0
    targets = np.array([[int(label == "Mass") for label in LABELS]])
    first, *_ = examples.rank(examples._above(config, probabilities), targets)
    assert (first.kind, first.label) == (RIGHT, "Mass")


def test_finding_without_a_threshold_is_never_right():
    """What was not trained on is not flagged, and no image is offered for it."""
    above = np.full((1, len(FINDINGS)), -np.inf)
    targets = np.zeros((1, len(LABELS)), np.uint8)
    targets[0, 0] = 1
    assert [offer.kind for offer in examples.rank(above, targets)] == [WRONG, NONE]


@pytest.fixture(scope="module")
def listed(run) -> list[dict[str, str]]:
    """examples.csv of the planted run."""
    with (run.folder / "examples" / "examples.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_examples_are_test_images_of_different_patients(run, listed):
    """None was trained on or chosen by, and no patient is shown twice."""
    names = [row["file"] for row in listed]
    assert set(names) <= set(run.images_of(splits.TEST))
    assert len({name.split("_")[0] for name in names}) == len(names)


def test_examples_are_as_in_the_data(run, listed):
    """Labels are the table's; the image has the pixels of the image it comes from."""
    table = pd.read_csv(run.data / "sample_labels.csv").set_index("Image Index")["Finding Labels"]
    for row in listed:
        order = [label for label in LABELS if label in table[row["file"]].split("|")]
        assert row["labels"] == "|".join(order)
        image, source = run.folder / "examples" / row["file"], run.data / "images" / row["file"]
        assert (imaging.read_image(image).grey == imaging.read_image(source).grey).all()
        assert Image.open(image).mode == "L"
        for words in ("NIH ChestX-ray14", "NIH Clinical Center", "held out"):
            assert words in row["source"]


def test_examples_are_what_they_say(run, listed):
    """The served model finds what the label names, an image for each; errs on one; one has none."""
    predictor = Predictor(run.folder)
    why: dict[str, list[tuple[set[str], set[str]]]] = {}
    for row in listed:
        image = imaging.read_image(run.folder / "examples" / row["file"])
        answer = predictor.predict([image], TRAINING)[0]
        assert answer.verdict.rejected is None
        named = set(row["labels"].split("|"))
        reason = row["source"].partition("chosen by it. ")[2]
        why.setdefault(reason, []).append((named, set(answer.flagged)))
    for label in planted.MARKS:
        ((named, flagged),) = why[f"The model is right about it: {label.lower()}."]
        assert label in named & flagged
    # On planted marks it may be right about every image.
    for named, flagged in why.get("The model is wrong about it.", []):
        assert named != (flagged or {NO_FINDING})
    ((named, _),) = why["Its label is No Finding, which does not rule out disease."]
    assert named == {NO_FINDING}


def test_page_lists_the_examples_first(run, listed):
    """The app offers each of them, before those of the project."""
    images = offered.find(run.folder)
    assert [image.path.name for image in images[: len(listed)]] == [row["file"] for row in listed]


def test_page_offers_no_half_written_examples(run):
    """Nothing but the images and their table lies in the folder, and no part beside it."""
    files = {path.name for path in (run.folder / "examples").iterdir()}
    with (run.folder / "examples" / "examples.csv").open(newline="") as file:
        assert files == {"examples.csv", *(row["file"] for row in csv.DictReader(file))}
    assert not [path for path in run.folder.iterdir() if path.name.startswith(".")]


@pytest.fixture
def again(run, tmp_path) -> tuple[Path, Predictor, nih.NihData, np.ndarray]:
    """What `examples.write` takes, for a copy of the planted run's folder."""
    folder = tmp_path / "model"
    shutil.copytree(run.folder, folder)
    data = nih.load(run.data)
    table = splits.read(folder / "splits.csv").set_index("image_index").split
    return folder, Predictor(folder), data, table[data.table.image].to_numpy()


def names(folder: Path) -> list[str]:
    """The images that examples.csv lists, in order."""
    with (folder / "examples" / "examples.csv").open(newline="") as file:
        return [row["file"] for row in csv.DictReader(file)]


def test_same_run_gives_the_same_examples(again):
    """Chosen again, the examples are the same, byte by byte."""
    folder = again[0]
    before = {path.name: path.read_bytes() for path in (folder / "examples").iterdir()}
    examples.write(*again)
    assert before == {path.name: path.read_bytes() for path in (folder / "examples").iterdir()}


def test_rejected_image_is_not_offered(again, monkeypatch):
    """What the input check rejects is passed over for the next best image."""
    folder, _, _, _ = again
    first, *others = names(folder)
    pixels = imaging.resize(imaging.read_image(folder / "examples" / first), planted.SIDE)
    judge = Predictor.check

    def reject_it(predictor, images, outputs):
        verdicts = judge(predictor, images, outputs)
        same = [np.array_equal(image[0], pixels) for image in images]
        return [Verdict("rejected") if s else v for s, v in zip(same, verdicts, strict=True)]

    monkeypatch.setattr(Predictor, "check", reject_it)
    examples.write(*again)
    assert first not in names(folder)
    assert len(names(folder)) == 1 + len(others)


@pytest.mark.parametrize("other", [splits.TRAIN, splits.VALID])
def test_image_of_a_patient_that_was_seen_is_not_offered(again, other):
    """Split image by image, test images whose patient is in another set are left out."""
    folder, predictor, data, split = again
    patients = data.table.patient.to_numpy()
    shown = data.table.set_index("image").patient[names(folder)].to_list()
    for patient in shown:  # one of the patient's two images is moved to the other set
        split[np.flatnonzero(patients == patient)[0]] = other
    examples.write(folder, predictor, data, split)
    now = data.table.set_index("image").patient[names(folder)]
    assert len(now)
    assert not set(now) & set(shown)


def test_older_examples_go(again):
    """A second run into the same folder leaves none of the first one's images there."""
    folder = again[0]
    (folder / "examples" / "old.png").write_bytes(b"old")
    examples.write(*again)
    assert not (folder / "examples" / "old.png").exists()


def test_at_most_eight_images_are_right(again, monkeypatch):
    """However many findings there are, MOST images are right, beside those of other kinds."""
    folder = again[0]
    others = len(names(folder)) - len(planted.MARKS)
    monkeypatch.setattr(examples, "MOST", 1)
    examples.write(*again)
    assert len(names(folder)) == 1 + others
