"""`python -m cxr evaluate`: on the planted images of the run that all tests share, and on less."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from support import ROOT, STARTER, planted

from cxr.datasets import splits
from cxr.datasets.files import DataError
from cxr.evaluation import baselines, evaluate, html_report, predictions
from cxr.inference import prevalence
from cxr.inference.input_check import Verdict
from cxr.inference.predictor import Predictor
from cxr.model.config import read_config
from cxr.model.metrics import InputCheck, read
from cxr_labels import LABELS


@pytest.fixture(scope="module")
def evaluated(run, tmp_path_factory):
    """The folder that `evaluate` wrote for the trained model on its own data."""
    output = tmp_path_factory.mktemp("evaluated") / "report"
    evaluate.evaluate(run.folder, run.data, output)
    return output


def test_evaluating_anew_gives_the_training_runs_own_metrics(run, evaluated):
    """On the data it was split from, a model gets the metrics that training wrote."""
    ours, theirs = read(evaluated), read(run.folder)
    for name in ("n_images", "mean_auroc", "mean_ece", "localisation", "findings"):
        assert getattr(ours, name) == getattr(theirs, name)


def test_patients_of_training_are_left_out_and_counted(run, evaluated):
    """Only test images are measured, and a note says how many others were left out."""
    metrics = read(evaluated)
    unseen = len(run.images_of(splits.TEST))
    assert metrics.n_images == unseen
    assert f"{400 - unseen} images of patients that the model was trained on" in metrics.notes[0]
    assert metrics.images_of_trained_patients == 0


def test_patients_of_training_are_counted_in_when_asked_for(run, tmp_path):
    """--include-training measures all images and says that the figures are too good."""
    metrics = evaluate.evaluate(run.folder, run.data, tmp_path / "report", include_training=True)
    assert metrics.n_images == 400
    assert metrics.images_of_trained_patients == len(run.images_of(splits.TRAIN))
    assert "too good" in metrics.notes[0]


def test_everything_is_written(evaluated):
    """Metrics, predictions, report and figures lie in the folder, and nothing else."""
    assert {p.name for p in evaluated.iterdir()} == {
        "metrics.json",
        "predictions.csv",
        "report.html",
        "figures",
    }
    assert len(list((evaluated / "figures").glob("*.png"))) >= 6


def test_predictions_are_of_the_images_measured(run, evaluated):
    """predictions.csv has one row for each test image."""
    with (evaluated / "predictions.csv").open(newline="") as file:
        images = [row["image_index"] for row in csv.DictReader(file)]
    assert sorted(images) == sorted(run.images_of(splits.TEST))


def test_figures_do_not_compare_with_the_literature(evaluated):
    """Images that are not the official test images get no published figure beside them."""
    assert "do not compare" in read(evaluated).literature


def small(folder: Path, **changes) -> Path:
    """Twelve planted images of six patients; changes: {column: new cells, None to drop it}."""
    planted.make_folder(folder, patients=6, seed=5)
    table = folder / "sample_labels.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for column, cells in changes.items():
        for row, cell in zip(rows, cells or [None] * len(rows), strict=True):
            if cells is None:
                del row[column]
            else:
                row[column] = cell
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture
def foreign(run, tmp_path):
    """The trained model as another hospital would have it: it knows none of the patients."""
    folder = tmp_path / "model"
    shutil.copytree(run.folder, folder)
    path = folder / "splits.csv"
    path.write_text("image_index,patient,split\nelsewhere.png,999999,train\n")
    return folder


def test_missing_columns_leave_out_what_needs_them(foreign, tmp_path):
    """Without sex, age and view there are no groups, a sentence says so, and AUROCs stand."""
    dropped = {"Patient Gender": None, "Patient Age": None, "View Position": None}
    metrics = evaluate.evaluate(foreign, small(tmp_path / "data", **dropped), tmp_path / "report")
    assert metrics.findings["Mass"].auroc is not None
    assert metrics.subgroups.sex == {}
    assert any("sex of no image is known" in note for note in metrics.notes)


def test_a_single_patient_gives_figures_without_intervals(foreign, tmp_path):
    """Images of one patient have an AUROC but no interval over patients."""
    data = small(tmp_path / "data", **{"Patient ID": ["7"] * 12})
    metrics = evaluate.evaluate(foreign, data, tmp_path / "report")
    assert metrics.n_patients == 1
    assert metrics.mean_auroc is None or metrics.mean_auroc.ci95 is None
    assert metrics.notes


def test_a_data_set_without_findings_is_measured_as_far_as_it_goes(foreign, tmp_path):
    """Where no image carries a finding there is no AUROC, and the reason stands beside it."""
    data = small(tmp_path / "data", **{"Finding Labels": ["No Finding"] * 12})
    metrics = evaluate.evaluate(foreign, data, tmp_path / "report")
    mass = metrics.findings["Mass"]
    assert mass.auroc is None
    assert "carries it" in mass.why
    assert metrics.mean_auroc is None
    assert mass.specificity is not None


def test_boxes_of_unknown_images_are_counted_and_left_out(foreign, tmp_path):
    """Boxes on images that are not there are named in a sentence; the others are measured."""
    data = small(tmp_path / "data")
    with (data / "BBox_List_2017.csv").open("a") as file:
        file.write("elsewhere.png,Mass,10,10,100,100\n")
    metrics = evaluate.evaluate(foreign, data, tmp_path / "report")
    assert metrics.localisation.heatmaps.boxes > 0
    assert any("box" in note and "1 " in note for note in metrics.notes)


def test_no_report_holds_nan(foreign, tmp_path):
    """metrics.json is strict JSON even of the poorest data."""
    data = small(
        tmp_path / "data", **{"Finding Labels": ["No Finding"] * 12, "Patient ID": ["7"] * 12}
    )
    evaluate.evaluate(foreign, data, tmp_path / "report")
    text = (tmp_path / "report" / "metrics.json").read_text()
    json.loads(text, parse_constant=lambda constant: pytest.fail(constant))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Finding Labels": ["Cough"] * 12}, "Cough"),
        ({"Patient ID": None}, "Patient ID"),
        ({"Image Index": ["x.png"] * 12}, "None of the"),
    ],
)
def test_unusable_data_is_one_sentence(foreign, tmp_path, changes, words):
    """What cannot be measured at all ends with exit status 1 and a sentence, no traceback."""
    data = small(tmp_path / "data", **changes)
    done = command(foreign, data, tmp_path / "report")
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "report" / "metrics.json").exists()


def test_a_folder_of_other_files_is_not_written_into(foreign, tmp_path):
    """--output is never mixed with files that are not a report's."""
    output = tmp_path / "mine"
    output.mkdir()
    (output / "thesis.txt").write_text("mine")
    done = command(foreign, small(tmp_path / "data"), output)
    assert done.returncode == 1
    assert "holds other files" in done.stderr
    assert [p.name for p in output.iterdir()] == ["thesis.txt"]


def test_only_patients_of_training_is_a_sentence(run, tmp_path):
    """Where every image was trained on, the user learns what to add."""
    data = tmp_path / "data"
    shutil.copytree(run.data, data)
    for image in run.images_of(splits.TEST):
        (data / "images" / image).unlink()
    done = command(run.folder, data, tmp_path / "report")
    assert done.returncode == 1
    assert "--include-training" in done.stderr


def test_screen_shows_the_figures_and_where_the_report_lies(foreign, tmp_path):
    """The command ends with a table, the report's place and the disclaimer, and status 0."""
    done = command(foreign, small(tmp_path / "data"), tmp_path / "report")
    assert done.returncode == 0, done.stderr
    assert "mean AUROC of 2 findings" in done.stdout
    assert "report.html" in done.stdout
    assert "not for clinical use" in done.stdout


def test_notes_are_printed_once(starter, tmp_path):
    """Whatever the notes are about, each is a line of its own."""
    data = small(tmp_path / "data", **{"Finding Labels": ["Cough", *["Mass"] * 5, *["Edema"] * 6]})
    done = command(starter, data, tmp_path / "report")
    assert done.returncode == 0, done.stderr
    notes = json.loads((tmp_path / "report" / "metrics.json").read_text())["notes"]
    assert any("Cough" in note for note in notes)
    for note in notes:
        assert (done.stdout + done.stderr).count(note) == 1


@pytest.fixture
def starter(tmp_path):
    """The starter model with a splits.csv that names none of the planted images."""
    folder = tmp_path / "starter"
    folder.mkdir()
    for name in ("config.json", "model.onnx", "input_check.npz"):
        shutil.copy(STARTER / name, folder / name)
    write_splits(folder, "elsewhere.png,999999,train")
    return folder


def write_splits(model: Path, *rows: str) -> None:
    (model / "splits.csv").write_text("\n".join(["image_index,patient,split", *rows, ""]))


def test_a_model_folder_is_never_written_into(starter, tmp_path):
    """Not even one that holds a report, as every trained one does."""
    (starter / "report.html").write_text("of training")
    with pytest.raises(DataError, match="is a model folder"):
        evaluate.evaluate(starter, small(tmp_path / "data"), starter)
    assert (starter / "report.html").read_text() == "of training"
    assert not (starter / "metrics.json").exists()


def test_an_output_that_cannot_be_made_is_found_before_measuring(starter, tmp_path, monkeypatch):
    """The sentence comes before any image is looked at, and in plain words."""
    monkeypatch.setattr(predictions, "collect", lambda *_: pytest.fail("images were measured"))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match=r"cannot be written to \(Not a directory\)"):
        evaluate.evaluate(starter, small(tmp_path / "data"), tmp_path / "file" / "report")


@pytest.mark.parametrize("older", [{}, {"report.html": "older", "metrics.json": "older"}])
def test_a_run_that_stops_leaves_the_output_as_it_was(starter, tmp_path, monkeypatch, older):
    """Stopped at its last step, it leaves nothing of its own and all of an older report."""

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(html_report, "render", stop)
    output = tmp_path / "report"
    for name, text in older.items():
        output.mkdir(exist_ok=True)
        (output / name).write_text(text)
    with pytest.raises(KeyboardInterrupt):
        evaluate.evaluate(starter, small(tmp_path / "data"), output)
    assert output.exists() == bool(older)
    left = {p.name: p.read_text() for p in output.iterdir()} if older else {}
    assert left == older


def test_an_older_report_is_replaced(starter, tmp_path):
    """A folder with an older report is accepted, and holds the new one alone afterwards."""
    output = tmp_path / "report"
    output.mkdir()
    for name in ("report.html", "metrics.json"):
        (output / name).write_text("older")
    metrics = evaluate.evaluate(starter, small(tmp_path / "data"), output)
    assert read(output) == metrics
    assert (output / "report.html").read_text() != "older"
    names = {"metrics.json", "predictions.csv", "report.html", "figures"}
    assert {p.name for p in output.iterdir()} == names


def test_images_of_unknown_labels_are_left_out_and_counted(starter, tmp_path):
    """A label that is not NIH's costs its images, not the others."""
    cells = ["Cough|Mass", "Mass"] + ["No Finding"] * 10
    data = small(tmp_path / "data", **{"Finding Labels": cells})
    metrics = evaluate.evaluate(starter, data, tmp_path / "report")
    assert metrics.n_images == 11
    note = "1 image has labels that are not of the 15 known ones ('Cough') and was left out."
    assert note in metrics.notes


def test_a_broken_box_list_costs_localisation_alone(starter, tmp_path):
    """All else is measured, and a note says what is wrong with the list."""
    data = small(tmp_path / "data")
    (data / "BBox_List_2017.csv").write_text("Image Index,Finding Label\na.png,Mass,1\n")
    metrics = evaluate.evaluate(starter, data, tmp_path / "report")
    assert metrics.findings["Mass"].auroc is not None
    assert metrics.localisation is None
    assert any("Row 2 of 'BBox_List_2017.csv'" in note for note in metrics.notes)


def test_without_a_split_nothing_is_compared_with_the_literature(starter, tmp_path):
    """Where nobody knows whom training saw, no published figure stands beside the model's."""
    (starter / "splits.csv").unlink()
    metrics = evaluate.evaluate(starter, small(tmp_path / "data"), tmp_path / "report")
    assert "it is not known which patients training saw" in metrics.literature
    assert "it is not known which patients training saw" in metrics.notes[0]


def test_patients_go_by_their_numbers_and_the_report_says_so(starter, tmp_path):
    """Images of trained patients under unknown names are left out, and the doubt is said."""
    write_splits(starter, *(f"elsewhere_{i}.png,{i},train" for i in range(1, 4)))
    metrics = evaluate.evaluate(starter, small(tmp_path / "data"), tmp_path / "report")
    assert metrics.n_images == 6
    assert metrics.notes[0].startswith("6 images of patients that the model was trained on")
    assert "other people with the same identifiers" in metrics.notes[0]
    assert "--include-training" in metrics.notes[0]


def test_metadata_alone_never_learns_from_the_images_measured(starter, tmp_path, monkeypatch):
    """With --include-training the baseline of sex, age and view is learned on other patients."""
    monkeypatch.setattr(baselines, "ENOUGH", 1)
    write_splits(starter, *(f"{i:08d}_000.png,{i},train" for i in range(1, 7)))
    report = tmp_path / "report"
    metrics = evaluate.evaluate(starter, small(tmp_path / "data"), report, include_training=True)
    assert any("learned on the other patients of these images" in note for note in metrics.notes)


def test_one_image_is_counted_in_words_that_fit(starter, tmp_path):
    """A patient of training with a single image is left out: "1 image of a patient"."""
    data = small(tmp_path / "data", **{"Patient ID": [99, *[7] * 11]})
    write_splits(starter, "00000001_000.png,99,train")
    metrics = evaluate.evaluate(starter, data, tmp_path / "report")
    assert metrics.n_images == 11
    assert metrics.notes[0] == (
        "1 image of a patient that the model was trained on or chosen by was left out."
    )


def test_images_that_none_can_read_are_a_sentence(starter, tmp_path):
    """The user learns that no image could be read and what to check; nothing is left behind."""
    data = small(tmp_path / "data")
    for image in (data / "images").iterdir():
        image.write_bytes(b"")
    with pytest.raises(DataError, match=r"None of the images can be read \(12 images .* check"):
        evaluate.evaluate(starter, data, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_images_of_the_report_have_their_scores_at_nihs_prevalence(starter, tmp_path, monkeypatch):
    """As the report says; predictions.csv has them at the training prevalence."""
    shown = {}
    monkeypatch.setattr(html_report, "render", lambda _, cases, __: shown.update(cases) or "")
    evaluate.evaluate(starter, small(tmp_path / "data"), tmp_path / "report")
    table = pd.read_csv(tmp_path / "report" / "predictions.csv", index_col="image_index")
    config = read_config(starter / "config.json")
    stated = prevalence.restate(config, table[list(LABELS)].to_numpy(), "nih")
    expected = pd.DataFrame(stated, table.index, LABELS)
    cases = [(label, case) for label in shown for kind in shown[label].values() for case in kind]
    assert cases
    for label, case in cases:
        assert case.probability == pytest.approx(expected.loc[case.image, label], abs=1e-4)


def test_images_that_input_check_rejects_are_counted_and_said(starter, tmp_path, monkeypatch):
    """They are in the figures although a user would get no answer for them."""

    limits = {"file": "input_check.npz", "sha256": "", "warn_above": 1.0, "reject_above": 2.0}

    no_image = Verdict("no image")
    verdicts = iter([no_image, no_image, Verdict(None, ("odd",))])

    class Rejecting(Predictor):
        def __init__(self, folder):
            super().__init__(folder)
            self.config = self.config.replace(input_check=limits)

        def check(self, pixels, outputs):
            return [next(verdicts, Verdict())]

    monkeypatch.setattr(evaluate, "Predictor", Rejecting)
    metrics = evaluate.evaluate(starter, small(tmp_path / "data"), tmp_path / "report")
    assert metrics.n_images == 12
    assert metrics.input_check == InputCheck(images=12, rejected=2, warned=1)
    note = "2 images that the input check would have rejected are included in the metrics."
    assert note in metrics.notes


def command(model: Path, data: Path, output: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "cxr", "evaluate", str(model), str(data), "--output", str(output)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
