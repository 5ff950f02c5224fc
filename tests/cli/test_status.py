"""Exit status of all commands alike: 2 for wrong usage, 1 for whatever fails at run time."""

import pytest
from support import IMAGE, STARTER
from support.command import cxr

import train
from cxr.cli import main

NOWHERE = "nowhere"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nonsense"],
        ["predict"],
        ["predict", "models/starter"],
        ["predict", "", "image.png"],
        ["predict", "models/starter", "image.png", "--json", "--csv"],
        ["predict", "models/starter", "image.png", "--resume"],
        ["predict", "models/starter", "image.png", "--output", "examples"],
        ["predict", "models/starter", "image.png", "--prevalence", "Effusion=30"],
        ["evaluate", "models/starter", "nih"],
        ["evaluate", "models/starter", "nih", "--output", "README.md"],
        ["publish", "models/starter", "name"],
        ["publish", "models/starter", "owner/name@main"],
        ["deploy", "owner/space"],
        ["deploy", "owner/space", "--model", "owner/name", "--hardware", "cpu"],
    ],
    ids=" ".join,
)
def test_wrong_usage_has_status_2(words, capsys):
    """Nothing is begun, and the last line says what is wrong."""
    with pytest.raises(SystemExit) as stopped:
        main.main(words)
    assert stopped.value.code == 2
    assert "error: " in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", NOWHERE, str(IMAGE)], "There is no model folder"),
        (["evaluate", NOWHERE, "nih", "--output", "report"], "There is no model folder"),
        (["evaluate", str(STARTER), "nowhere", "--output", "report"], "There is no folder or zip"),
        (["publish", NOWHERE, "owner/name"], "There is no model folder"),
        (["predict", str(STARTER), str(IMAGE), "--output", "/proc/no/a"], "('/proc/no': No such"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_fails_at_run_time_has_status_1(words, message, tmp_path, monkeypatch, capsys):
    """One sentence, which names no option that the command does not have."""
    monkeypatch.chdir(tmp_path)
    assert main.main(words) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert "--data" not in error


@pytest.mark.slow  # imports torch
@pytest.mark.parametrize(
    ("options", "message"),
    [([], "There is no folder or zip file"), (["--arch", "no_such_net"], "'no_such_net'")],
    ids=["missing data", "unknown --arch"],
)
def test_training_that_fails_has_status_1(options, message, tmp_path, capsys):
    """train.py follows the same rule."""
    data, output = str(tmp_path / "nowhere"), str(tmp_path / "run")
    assert train.main(["--data", data, "--output", output, *options]) == 1
    assert message in capsys.readouterr().err


def test_process_ends_with_the_status():
    """`python -m cxr` hands it on."""
    done = cxr("predict", NOWHERE, IMAGE)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
