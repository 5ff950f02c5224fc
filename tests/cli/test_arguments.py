"""What the types of arguments accept and return, and what the commands hand on."""

import argparse
import runpy
import sys

import pytest
from support import IMAGE, ROOT, STARTER

from cxr.cli import arguments, environment, image_files, main
from cxr.evaluation import evaluate, summary
from cxr.model import metrics, publish
from cxr.model.hub import HubName


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (arguments.learning_rate, "auto", None),
        (arguments.learning_rate, "1e-3", 0.001),
        (arguments.learning_rate, "9.99", 9.99),
        (arguments.whole_number(1, 5), "1", 1),
        (arguments.whole_number(1, 5), "5", 5),
        (arguments.whole_number(0, 5), "0", 0),
        (arguments.threshold_rule, "sensitivity=0.9", "sensitivity=0.9"),
        (arguments.prevalence, "mass=0.2", {"Mass": 0.2}),
        (arguments.hub_repository, "owner/name", HubName("owner/name")),
        (arguments.hub_name, f"owner/name@{'a' * 40}", HubName("owner/name", "a" * 40)),
        (arguments.name, "folder", "folder"),
    ],
)
def test_argument_is_read(read, text, value):
    """The value that the commands get."""
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "texts"),
    [
        (arguments.learning_rate, ["0", "10", "-1", "nan", "fast", ""]),
        (arguments.whole_number(1, 5), ["0", "6", "-1", "1.5", "", "²"]),
        (arguments.whole_number(0, 5), ["-1", "x"]),
        (arguments.threshold_rule, ["best", "sensitivity=2"]),
        (arguments.hub_repository, [f"owner/name@{'a' * 40}", "name"]),
        (arguments.name, [""]),
    ],
)
def test_wrong_argument_is_rejected(read, texts):
    """With a message for argparse."""
    for text in texts:
        with pytest.raises(argparse.ArgumentTypeError):
            read(text)


def test_evaluate_hands_its_options_on(tmp_path, monkeypatch, capsys):
    """MODEL, DATA, --output and --include-training; an error of the data is one sentence."""
    given = []

    def noted(model, data, output, include_training):
        given.append((model.name, str(data), output, include_training))
        raise ValueError("no images")

    monkeypatch.setattr(evaluate, "evaluate", noted)
    for more in ([], ["--include-training"]):
        words = ["evaluate", str(STARTER), "nih", "--output", str(tmp_path), *more]
        assert main.main(words) == 1
    assert given == [("starter", "nih", tmp_path, False), ("starter", "nih", tmp_path, True)]
    assert capsys.readouterr().err == "Stopped: no images\n" * 2


def test_evaluate_prints_a_summary_and_where_the_report_is(tmp_path, monkeypatch, capsys):
    """And that it is not for clinical use."""
    measured = metrics.read(STARTER)
    monkeypatch.setattr(evaluate, "evaluate", lambda *_: measured)
    assert main.main(["evaluate", str(STARTER), "nih", "--output", str(tmp_path)]) == 0
    assert capsys.readouterr().out == (
        f"{summary.table(measured)}\n\nReport: {tmp_path / 'report.html'}\n"
        "A research demo, not for clinical use.\n"
    )


def test_publish_hands_its_options_on(tmp_path, monkeypatch):
    """FOLDER, OWNER/NAME and --private; status 1 if it was not published."""
    given = []
    monkeypatch.setattr(publish, "send", lambda *options: given.append(options) or len(given) == 1)
    words = ["publish", str(tmp_path), "owner/name"]
    assert [main.main(words), main.main([*words, "--private"])] == [0, 1]
    assert given == [(tmp_path, HubName("owner/name"), private) for private in (False, True)]


def test_images_are_found_in_the_order_of_the_arguments(tmp_path, capsys):
    """Files as they are named; a folder's in order; a folder without images is named."""
    for name in ("z.png", "a.JPG", "deep/c.dcm", "deep/no.txt", "empty/no.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    folder, missing, empty = str(tmp_path), "missing.txt", str(tmp_path / "empty")
    found, complete = image_files.find([missing, folder])
    names = ["a.JPG", "deep/c.dcm", "z.png"]
    assert list(map(str, found)) == [missing, *(str(tmp_path / name) for name in names)]
    assert complete
    found, complete = image_files.find([empty, missing])
    assert list(map(str, found)) == [missing]
    assert not complete
    assert capsys.readouterr().err == f"There are no images in the folder {empty!r}.\n"


def test_empty_folder_beside_an_image_has_status_1(tmp_path, capsys):
    """The image is answered all the same."""
    assert main.main(["predict", str(STARTER), str(tmp_path), str(IMAGE), "--csv"]) == 1
    assert capsys.readouterr().out.splitlines()[1].startswith(f"{IMAGE},starter,")


@pytest.mark.parametrize(
    ("file", "extra"),
    [
        ("requirements.txt", ""),
        ("requirements-train.txt", "[train]"),
        ("requirements-ray.txt", "[ray]"),
    ],
)
def test_installed_package_is_completed_by_an_extra(tmp_path, file, extra):
    """Outside a checkout there are no requirements files to name."""
    installed = tmp_path / "site-packages" / "cxr" / "cli" / "environment.py"
    installed.parent.mkdir(parents=True)
    installed.write_bytes((ROOT / "cxr" / "cli" / "environment.py").read_bytes())
    requires = runpy.run_path(str(installed))["requires"]
    with pytest.raises(SystemExit, match="not_there") as stopped, requires(file):
        import not_there.module  # noqa: F401
    assert str(stopped.value).endswith(f'pip install "chest-xray-findings{extra}"`.')


def test_other_errors_are_not_taken_for_a_missing_package():
    """Of the block they pass."""
    with pytest.raises(ZeroDivisionError), environment.requires("requirements.txt"):
        print(1 / 0)


@pytest.mark.parametrize(("started_as", "shown"), [("/bin/cxr", "cxr"), ("x.py", "python -m cxr")])
def test_help_names_the_program_as_it_was_started(started_as, shown, monkeypatch):
    """As the installed command or as a module."""
    monkeypatch.setattr(sys, "argv", [started_as])
    assert main.make_parser().format_usage().startswith(f"usage: {shown} [-h] COMMAND")


def test_ray_is_needed_for_its_option_alone(monkeypatch):
    """Where it is not installed, --ray names the file that lists it."""
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "cxr.inference.ray_cluster", raising=False)
    words = ["predict", str(STARTER), str(IMAGE)]
    with pytest.raises(SystemExit, match=r"The package 'ray' of requirements-ray\.txt is not"):
        main.main([*words, "--ray"])
    assert main.main(words) == 0
