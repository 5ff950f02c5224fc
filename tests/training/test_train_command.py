"""The command line of train.py: what it rejects, and with which words."""

import re
from pathlib import Path

import pytest
from support import planted, trainings

import train
from cxr.model import hub
from cxr.training import net, run
from cxr.training.settings import Settings


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([*trainings.UNTRAINED], "both 0: there is nothing to train"),
        (["--thresholds", "sensitivity=2"], "needs a share above 0 and up to 1"),
        (["--thresholds", "best"], "is none of youden, f1"),
        (["--recipe", "other"], "invalid choice"),
        (["--image-size", "63"], "a whole number from 64 to 2048"),
        (["--image-size", "2049"], "a whole number from 64 to 2048"),
        (["--epochs", "-1"], "a whole number from 0 to 1000"),
        (["--freeze-epochs", "1001"], "a whole number from 0 to 1000"),
        (["--seed", str(2**32)], "a whole number from 0 to 4294967295"),
        (["--lr", "0"], "'auto' or a number between 0 and 10"),
        (["--mirror", "--recipe", "article"], "that of the article mirrors images anyway"),
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


def test_defaults_are_those_of_the_settings():
    """Without options a run has the defaults of Settings, and a folder named by date and time."""
    found = train.parse(["--data", "sample"])
    assert re.fullmatch(r"runs/\d{8}-\d{6}", str(found.output))
    assert found == Settings(Path("sample"), found.output)
    assert (found.epochs, found.freeze_epochs, found.image_size) == (8, 1, 320)
    assert (found.lr, found.seed, found.mirror, found.start) == (None, 42, False, ())


def test_options_reach_their_settings():
    """Each option sets the setting of its name."""
    words = "--data d --output o --arch a --image-size 64 --epochs 0 --freeze-epochs 2 --lr 0.5"
    words += " --split official --recipe article --thresholds f1 --boxes b --start s t --seed 0"
    words += " --resume --overwrite --push-to-hub owner/name --private"
    assert train.parse(words.split()) == Settings(
        data=Path("d"),
        output=Path("o"),
        arch="a",
        image_size=64,
        epochs=0,
        freeze_epochs=2,
        lr=0.5,
        split="official",
        recipe="article",
        thresholds="f1",
        boxes=Path("b"),
        start=(Path("s"), Path("t")),
        seed=0,
        resume=True,
        overwrite=True,
        push_to_hub=hub.parse_repository("owner/name"),
        private=True,
    )
    assert train.parse(["--data", "d", "--mirror"]).mirror
    assert train.parse(["--data", "d", "--lr", "auto"]).lr is None
    measured = train.parse(["--data", "d", "--start", "s", *trainings.UNTRAINED])
    assert not measured.trains


def test_interrupted_run_says_how_to_resume(monkeypatch, capsys):
    """Ctrl-C ends with status 130 and the options that continue the run."""

    def interrupted(_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "train", interrupted)
    assert train.main(["--data", "d", "--output", "mine"]) == 130
    assert "Resume with --output mine --resume." in capsys.readouterr().err


def test_export_that_differs_stops_with_a_sentence(monkeypatch, capsys):
    """The user reads where the weights are kept, not a traceback, and the status is 1."""

    def differs(_settings):
        raise run.ExportError("The weights are kept in model.safetensors.")

    monkeypatch.setattr(run, "train", differs)
    assert train.main(["--data", "d", "--output", "mine"]) == 1
    assert capsys.readouterr().err == "Stopped: The weights are kept in model.safetensors.\n"


def test_processes_on_several_machines_are_rejected(monkeypatch, capsys):
    """They would not share the decoded images; the message names accelerate's option."""
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert train.main(["--data", "d", "--output", "mine"]) == 1
    assert "launch it with --num_machines 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data", "nowhere"], "no folder or zip"),
        (["--data", "EMPTY"], "No label table"),
        (["--data", "DATA", "--boxes", "DATA/sample_labels.csv"], "not the release's list"),
        (["--data", "DATA", "--arch", "no_such_net"], "no backbone 'no_such_net'"),
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


def test_finished_model_is_not_replaced_unasked(tmp_path, capsys):
    """Without --overwrite a finished folder stays as it is, and the message names the option."""
    planted.make_folder(tmp_path / "data", patients=6)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    options = ["--data", str(tmp_path / "data"), "--output", str(tmp_path / "model")]
    assert train.main(options) == 1
    assert "replace it by --overwrite" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["config.json"]


def test_run_that_fails_leaves_the_finished_model(tmp_path, capsys):
    """With --overwrite the old model stays until the new one is complete."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    options = ["--data", str(tmp_path / "none"), "--output", str(tmp_path / "model")]
    assert train.main([*options, "--overwrite"]) == 1
    assert "no folder or zip" in capsys.readouterr().err
    assert (tmp_path / "model" / "config.json").read_text() == "{}"


def test_weights_that_cannot_be_fetched_are_said_so(monkeypatch):
    """Without the hub, a backbone whose weights lie there is rejected with a sentence."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="'resnet18' could not be downloaded"):
        net.HeatmapNet("resnet18")
