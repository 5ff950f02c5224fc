"""What a report is made of: which images, whose predictions, in which order."""

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from support import STARTER, planted

from cxr import imaging
from cxr.datasets import boxes
from cxr.datasets.files import DataError, ImageSource
from cxr.evaluation import evaluate, html_report, localisation, measuring, predictions
from cxr.inference.boxes import find_boxes
from cxr.inference.predictor import Predictor
from cxr.model import metrics
from cxr_labels import LABELS

# Patients 1 to 6 have two images each. The first was trained on, the second chose the thresholds.
SEEN = ["00000001_000.png,1,train", "00000002_000.png,2,valid", "00000003_000.png,3,test"]
BROKEN = "00000004_000.png"


def model_of(folder: Path, *rows: str) -> Path:
    """The starter with a splits.csv of these rows."""
    folder.mkdir()
    for name in ("config.json", "model.onnx", "input_check.npz"):
        shutil.copy(STARTER / name, folder / name)
    (folder / "splits.csv").write_text("\n".join(["image_index,patient,split", *rows, ""]))
    return folder


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A finished report on the images of patients 3 to 6, one of which cannot be read."""
    folder = tmp_path_factory.mktemp("measured")
    data = planted.make_folder(folder / "my-images", patients=6, seed=5)
    (data / "images" / BROKEN).write_bytes(b"no image")
    with (data / "BBox_List_2017.csv").open("a", newline="") as file:
        csv.writer(file).writerow(["00000001_000.png", "Mass", 100, 200, 300, 400])
        csv.writer(file).writerow(["00000002_000.png", "Mass", 500, 600, 200, 100])
    model = model_of(folder / "model", *SEEN)
    shown = {"moved": []}
    replace = os.replace

    def note(source, place):
        shown["moved"].append(Path(place))
        replace(source, place)

    def render(found, cases, context):
        shown.update(cases=cases, context=context)
        return original(found, cases, context)

    with pytest.MonkeyPatch.context() as patch:
        original = html_report.render
        patch.setattr(html_report, "render", render)
        patch.setattr(os, "replace", note)
        evaluate.evaluate(model, data, folder / "report")
    return folder, shown


@pytest.fixture(scope="module")
def alone(measured):
    """{image: labels, probabilities at the training prevalence, pixels, heatmaps} of each image."""
    folder, _ = measured
    predictor = Predictor(folder / "model")
    with (folder / "my-images" / "sample_labels.csv").open(newline="") as file:
        table = {row["Image Index"]: row for row in csv.DictReader(file)}
    found = {}
    for name, row in table.items():
        if int(row["Patient ID"]) < 3 or name == BROKEN:
            continue
        image = imaging.read_image(folder / "my-images" / "images" / name)
        [answer] = predictor.predict([image], prevalence="training")
        pixels = imaging.resize(image, predictor.config.image_size)[None, None]
        maps = predictor.run(pixels).heatmaps[0]
        labels = set(row["Finding Labels"].split("|"))
        found[name] = labels, answer.probabilities, np.rint(255 * pixels[0, 0]), maps
    return found


def test_predictions_are_those_of_each_image_in_the_order_of_the_table(measured, alone):
    """predictions.csv: image, patient and the 15 probabilities at the training prevalence."""
    table = pd.read_csv(measured[0] / "report" / "predictions.csv")
    assert list(table.columns) == ["image_index", "patient", *LABELS]
    assert list(table.image_index) == list(alone)
    assert list(table.patient) == [int(name.split("_")[0]) for name in alone]
    for row, (_, probabilities, *_) in zip(
        table[list(LABELS)].to_numpy(), alone.values(), strict=True
    ):
        assert row == pytest.approx([probabilities[label] for label in LABELS], abs=2e-5)


def test_images_of_the_report_show_their_own_labels_flags_and_heatmaps(measured, alone):
    """A row that cannot be read shifts nothing; every kind holds images of its own kind."""
    config = Predictor(measured[0] / "model").config
    cases = measured[1]["cases"]
    assert list(cases) == list(LABELS)
    for label, kinds in cases.items():
        for kind, case in ((kind, case) for kind, of in kinds.items() for case in of):
            labels, probabilities, pixels, maps = alone[case.image]
            assert set(case.labels) == labels
            assert (label in labels) == (kind != "false_alarm")
            limit = config.thresholds.get(label, 2.0)
            assert case.flagged == (probabilities[label] >= limit)
            heatmap = maps[LABELS.index(label)]
            frames = find_boxes(heatmap, config.box_rule, label)
            expected = html_report.thumbnail(pixels.astype(np.uint8), heatmap, frames)
            assert case.jpeg == expected
    assert sum(case.flagged for kinds in cases.values() for of in kinds.values() for case in of) > 3


def test_highest_probability_is_shown_first(measured, alone):
    """Of the images with and without a label, by their own probabilities."""
    for label in ("Mass", "No Finding"):
        kinds = measured[1]["cases"][label]
        order = sorted(alone, key=lambda name: -alone[name][1][label])
        with_label = [name for name in order if label in alone[name][0]]
        without = [name for name in order if label not in alone[name][0]]
        assert kinds["found"][0].image == with_label[0]
        assert kinds["false_alarm"][0].image == without[0]


def test_localisation_is_of_the_measured_boxes_taught_by_the_training_images(measured, alone):
    """The heatmaps of the images measured; the constant box knows the training image's alone."""
    folder, _ = measured
    located = metrics.read(folder / "report").localisation
    known = boxes.parse((folder / "my-images" / "BBox_List_2017.csv").read_bytes()).of_image
    cases = [(alone[name][3], box) for name in alone for box in known.get(name, ())]
    hits = [localisation.inside(localisation.peak(maps[box[0]]), box) for maps, box in cases]
    assert located.heatmaps.boxes == len(cases) > 2
    assert located.heatmaps.pointing.value == pytest.approx(np.mean(hits))
    expected, _ = localisation.compute(
        {name: maps for name, (*_, maps) in alone.items()},
        dict.fromkeys(known, "other") | {name: name.split("_")[0] for name in alone},
        boxes.Boxes(known),
        ["00000001_000.png"],
        Predictor(folder / "model").config.box_rule,
    )
    assert located.constant_box == expected.constant_box
    assert located.random_map == expected.random_map


def test_report_names_the_model_the_data_and_the_day(measured):
    """As its header shows them, with each plot under its own name."""
    folder, shown = measured
    context = shown["context"]
    assert context.model.endswith("model")
    assert context.data == "my-images"
    assert pd.Timestamp(context.date) in pd.date_range(end="today", periods=2, normalize=True)
    names = {path.stem for path in (folder / "report" / "figures").iterdir()}
    assert {name: path.name for name, path in context.plots.items()} == {
        n: f"{n}.png" for n in names
    }


def test_notes_say_what_was_left_out_in_the_order_of_the_work(measured):
    """Patients that were seen, then unreadable images, then what could not be measured."""
    found = metrics.read(measured[0] / "report")
    assert (found.n_images, found.n_patients) == (7, 4)
    assert found.images_of_trained_patients == 0
    assert found.notes[:2] == [
        "4 images of patients that the model was trained on or chosen by were left out.",
        "1 image cannot be read and was left out.",
    ]
    assert not any("No training image has a box" in note for note in found.notes)
    check = found.input_check
    assert check.images == 7
    rejected = [note for note in found.notes if "input check would have rejected" in note]
    assert len(rejected) == (check.rejected > 0)
    assert "0 of the 25,596 official" not in found.literature


@pytest.mark.parametrize(
    ("seen", "include", "measured_rows", "trained", "note"),
    [
        (
            SEEN,
            False,
            range(4, 12),
            [0, 1],
            "4 images of patients that the model was trained on or chosen by were left out.",
        ),
        (
            SEEN,
            True,
            range(12),
            [],
            "4 images of patients that the model was trained on or chosen by are included, as "
            "requested: the metrics are too good.",
        ),
        (["00000003_000.png,3,test"], False, range(12), [], None),
        (["elsewhere.png,99,train"], False, range(12), [], None),
    ],
)
def test_images_that_are_measured_and_learned_from(
    tmp_path, monkeypatch, seen, include, measured_rows, trained, note
):
    """Images of patients in the training or validation set are left out unless asked for."""
    monkeypatch.setattr(measuring, "measure", lambda _, request, __: request)
    data = planted.make_folder(tmp_path / "data", patients=6, seed=5)
    request = evaluate.evaluate(model_of(tmp_path / "m", *seen), data, tmp_path / "out", include)
    assert list(request.rows) == list(measured_rows)
    assert list(request.train) == trained
    assert request.notes == ([note] if note else [])
    assert request.name == "data"
    assert len(request.seen) == len(seen)
    assert len(request.boxes.of_image) > 2


def test_single_image_of_a_seen_patient_is_included_in_the_singular(tmp_path, monkeypatch):
    """One image, of a patient whose other image is not there."""
    monkeypatch.setattr(measuring, "measure", lambda _, request, __: request)
    data = planted.make_folder(tmp_path / "data", patients=3, seed=5)
    (data / "images" / "00000002_001.png").unlink()
    model = model_of(tmp_path / "m", "00000002_000.png,2,valid")
    request = evaluate.evaluate(model, data, tmp_path / "out", True)
    assert request.notes[0] == (
        "1 image of a patient that the model was trained on or chosen by is included, as "
        "requested: the metrics are too good."
    )


def test_images_of_seen_patients_alone_are_counted_in_the_error(tmp_path):
    """The error says how many images there are and how to measure them."""
    data = planted.make_folder(tmp_path / "data", patients=2, seed=5)
    model = model_of(tmp_path / "m", *SEEN)
    with pytest.raises(DataError, match=r"^All images \(4 images\) are of patients .*--include-tr"):
        evaluate.evaluate(model, data, tmp_path / "out")


@pytest.mark.parametrize(
    ("names", "accepted"),
    [
        ([], True),
        ([".unfinished-report-abc"], True),
        (["report.html", "figures"], True),
        (["metrics.json"], False),
        ([".unfinished-report-abc", "thesis.txt"], False),
        (["config.json", "report.html"], False),
    ],
)
def test_output_folder_is_accepted_if_only_a_report_is_in_it(
    tmp_path, monkeypatch, names, accepted
):
    """What an interrupted run left counts as nothing."""
    monkeypatch.setattr(measuring, "measure", lambda *_: None)
    data = planted.make_folder(tmp_path / "data", patients=2, seed=5)
    output = tmp_path / "out"
    output.mkdir()
    for name in names:
        (output / name).touch()
    model = model_of(tmp_path / "m", "elsewhere.png,99,train")
    if accepted:
        evaluate.evaluate(model, data, output)
    else:
        with pytest.raises(DataError, match=r"(is a model folder|holds other files).*--output"):
            evaluate.evaluate(model, data, output)


def test_report_is_moved_into_its_place_last(measured):
    """Whoever finds report.html finds all other files of the same run beside it."""
    folder, shown = measured
    files = [path for path in (folder / "report").rglob("*") if path.is_file()]
    moved = [place for place in shown["moved"] if place in files]
    assert sorted(moved) == sorted(files)
    assert moved[-1] == folder / "report" / "report.html"


def test_collected_heatmaps_are_of_the_rows_that_are_kept():
    """In the order of the rows; what cannot be read takes no place among the predictions."""
    predictor = Predictor(STARTER)
    rng = np.random.default_rng(0)
    images = {row: rng.integers(0, 256, (40 + row, 50), np.uint8) for row in (3, 5, 9)}
    read = {row: imaging.GreyImage(pixels) for row, pixels in images.items()}.get
    found = predictions.collect(predictor, read, [9, 4, 3, 5], keep={3, 4, 7})
    assert found.readable.tolist() == [True, False, True, True]
    assert list(found.heatmaps) == [3]
    assert len(found.verdicts) == 3
    for logits, row in zip(found.logits, (9, 3, 5), strict=True):
        outputs = predictor.run(imaging.resize(read(row), 320)[None, None])
        assert logits == pytest.approx(outputs.logits[0], abs=1e-4)
        if row == 3:
            assert found.heatmaps[3] == pytest.approx(outputs.heatmaps[0], abs=1e-4)
    nothing = predictions.collect(predictor, read, [1, 2])
    assert nothing.logits.shape == (0, 15)


def test_image_that_is_missing_or_broken_reads_as_none(tmp_path):
    """Names are by row; the others are read."""
    grey = np.random.default_rng(0).integers(0, 256, (70, 80), np.uint8)
    Image.fromarray(grey).save(tmp_path / "whole.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    names = ["gone.png", "whole.png", "broken.png"]
    source = ImageSource({name: str(tmp_path / name) for name in names})
    read = predictions.reader(source.reader(), names)
    assert read(0) is None
    assert np.array_equal(read(1).grey, grey)
    assert read(2) is None
