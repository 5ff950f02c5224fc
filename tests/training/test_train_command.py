"""The command line of train.py: what it rejects, and with which words."""

import pytest
from support import planted, trainings

import train
from cxr.training import net


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([*trainings.UNTRAINED], "both 0: there is nothing to train"),
        (["--thresholds", "sensitivity=2"], "needs a share above 0 and up to 1"),
        (["--thresholds", "best"], "is none of youden, f1"),
        (["--recipe", "other"], "invalid choice"),
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
