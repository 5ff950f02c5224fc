"""`python -m cxr predict`: its three forms, its exit status and its messages."""

import csv
import json
import os
import subprocess
import sys

import pytest
from PIL import Image
from support import IMAGE, KEYS, ROOT, STARTER
from support.bad_images import bad_files
from support.command import predict

from cxr.cli import main
from cxr.inference import results
from cxr.inference.input_check import TURNED
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import parse
from cxr.inference.results import DISCLAIMER
from cxr_labels import DISPLAY, LABELS


def test_json_has_the_keys_of_the_contract():
    """One object per image, on a line of its own, with the agreed keys."""
    done = predict(IMAGE, "--json")
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert done.returncode == 0
    assert list(found) == KEYS
    assert tuple(found["probabilities"]) == LABELS
    assert found["prevalence"] == "nih"
    assert "not for clinical use" in found["disclaimer"]


def test_boxes_lie_on_the_image():
    """Every flagged finding has boxes, within the image's pixels."""
    found = json.loads(predict(IMAGE, "--json").stdout)
    width, height = Image.open(IMAGE).size
    assert found["flagged"]
    assert list(found["boxes"]) == found["flagged"]
    for x, y, w, h in (box for boxes in found["boxes"].values() for box in boxes):
        assert 0 <= x < x + w <= width
        assert 0 <= y < y + h <= height


def test_csv_says_what_json_says():
    """What the results are of, the labels in order, and that they are not for clinical use."""
    (row,) = csv.DictReader(predict(IMAGE, "--csv").stdout.splitlines())
    found = json.loads(predict(IMAGE, "--json").stdout)
    source = ["file", "model", "revision", "prevalence", "operating_point"]
    assert list(row) == [*source, *LABELS, "flagged", "warnings", "rejected", "disclaimer"]
    assert [row[key] for key in source] == [str(IMAGE), "starter", "", "nih", "youden"]
    assert [found[key] for key in source] == [str(IMAGE), "starter", None, "nih", "youden"]
    assert "not for clinical use" in row["disclaimer"]
    assert {label: float(row[label]) for label in LABELS} == found["probabilities"]
    assert row["flagged"].split("|") == found["flagged"]


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ("nih", "NIH's prevalence"),
        ("training", "the training images' prevalence"),
        ("Mass=0.3", "Mass=0.3"),
    ],
)
def test_text_lists_the_most_likely_first(stated, words, capsys):
    """Without --json or --csv, findings are listed for people, with what they must know of them."""
    assert main.main(["predict", str(STARTER), str(IMAGE), "--prevalence", stated]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == f"{IMAGE} (probabilities at {words})"
    found = Predictor(STARTER).analyze(IMAGE, parse(stated))
    reached = {True: "  reaches its threshold", False: ""}
    assert found.flagged
    assert lines == [
        *(
            f"  {DISPLAY[label]:<20}{100 * p:5.1f} %{reached[label in found.flagged]}"
            for label, p in found.ranked().items()
        ),
        *found.warnings,
        DISCLAIMER,
        "",
    ]


def test_text_repeats_the_warnings(tmp_path, capsys):
    """Of an image that is upside down."""
    Image.open(IMAGE).rotate(180).save(tmp_path / "turned.png")
    assert main.main(["predict", str(STARTER), str(tmp_path / "turned.png")]) == 0
    assert TURNED[2] in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("output", [False, True])
def test_name_that_is_no_text_is_printed_with_escapes(tmp_path, capsys, output):
    """A file name may have any bytes."""
    missing = os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.png")
    table = tmp_path / "table.csv"
    more = ["--output", str(table)] if output else []
    assert main.main(["predict", str(STARTER), missing, "--csv", *more]) == 1
    written = table.read_text() if output else capsys.readouterr().out
    assert written.splitlines()[1].startswith(f"{tmp_path}/a\\udcff.png,starter,")


@pytest.mark.parametrize("output", [False, True])
def test_run_that_the_user_stops_has_status_130(tmp_path, capsys, monkeypatch, output):
    """With --output the message says how to continue."""

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(results, "of_files", stop)
    words = ["predict", str(STARTER), str(IMAGE)]
    if output:
        with pytest.raises(SystemExit) as stopped:
            main.main([*words, "--output", str(tmp_path / "table")])
        assert stopped.value.code == 130
        assert capsys.readouterr().err.endswith(
            f"the results so far are in {tmp_path / 'table'}.part: continue with --resume.\n"
        )
    else:
        assert main.main(words) == 130
        assert capsys.readouterr().err == "Stopped by you.\n"


def test_folder_is_searched_for_images(tmp_path):
    """A folder stands for the images below it, in order; other files are skipped."""
    (tmp_path / "deep").mkdir()
    for name in ("b.png", "deep/a.PNG"):
        (tmp_path / name).write_bytes(IMAGE.read_bytes())
    (tmp_path / "notes.txt").write_text("not an image")
    rows = predict(tmp_path, "--csv").stdout.splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == [
        str(tmp_path / "b.png"),
        str(tmp_path / "deep" / "a.PNG"),
    ]


def test_empty_folder_is_an_error(tmp_path):
    """A folder without images has status 1."""
    done = predict(tmp_path, "--json")
    assert done.returncode == 1
    assert "no images" in done.stderr


def test_output_file_appears_whole(tmp_path):
    """--output writes what would go to the screen."""
    target = tmp_path / "results.jsonl"
    predict(IMAGE, "--json", "--output", target)
    assert json.loads(target.read_text())["rejected"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]


@pytest.mark.parametrize("name", bad_files())
def test_bad_image_is_rejected(tmp_path, name):
    """Each kind of bad input: status 1, its own message, null probabilities, no traceback."""
    content, words = bad_files()[name]
    (tmp_path / name).write_bytes(content)
    done = predict(tmp_path / name, "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert words in found["rejected"]
    assert found["probabilities"] is None
    assert found["flagged"] == []
    assert "Traceback" not in done.stderr


def test_one_bad_image_does_not_stop_the_others(tmp_path):
    """The other images get results; the status is 1."""
    (tmp_path / "bad.png").write_bytes(b"nothing")
    done = predict(tmp_path / "bad.png", IMAGE, tmp_path / "missing.png", "--json")
    accepted = [json.loads(line)["rejected"] is None for line in done.stdout.splitlines()]
    assert accepted == [False, True, False]
    assert done.returncode == 1


@pytest.mark.parametrize("form", ["--json", "--csv", ""])
def test_rejection_is_printed_once(tmp_path, form):
    """Where results and errors share a terminal. Elsewhere each of the two tells of it."""
    missing = tmp_path / "missing.png"
    command = [sys.executable, "-m", "cxr", "predict", "models/starter", missing, form]
    command = [str(word) for word in command if word]
    shared = subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert shared.stdout.count("There is no file") == 1
    assert shared.returncode == 1
    apart = predict(*command[5:])
    for printed in (apart.stdout, apart.stderr):
        assert printed.count("There is no file") == 1


def test_results_are_those_of_the_predictor():
    """The command line does not change the probabilities."""
    from cxr import imaging

    image = imaging.read_image(IMAGE)
    expected = Predictor(ROOT / "models" / "starter").predict([image])[0].probabilities
    found = json.loads(predict(IMAGE, "--json").stdout)["probabilities"]
    assert found == pytest.approx(expected, abs=1e-5)


def test_closed_pipe_is_no_error():
    """`predict ... | head` ends quietly."""
    command = f"{sys.executable} -m cxr predict models/starter {IMAGE} {IMAGE} | head -c 1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
