"""`predict --output`: interrupted runs can be resumed."""

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import IMAGE, ROOT, STARTER
from support.command import predict

from cxr.cli import main
from cxr.cli.part_file import PartFile, ResumeError
from cxr.model.resolve import Model


@pytest.fixture(scope="module")
def unbroken(hundred_images, tmp_path_factory) -> str:
    """The CSV of a run that is not interrupted."""
    target = tmp_path_factory.mktemp("unbroken") / "results.csv"
    assert (
        predict(hundred_images, "--csv", "--output", target).returncode == 1
    )  # two are unreadable
    return target.read_text()


def test_rows_come_in_the_order_of_the_images(hundred_images, unbroken):
    """Whichever image is done first."""
    rows = unbroken.splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == [
        str(path) for path in sorted(hundred_images.iterdir())
    ]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_run_is_resumed(hundred_images, unbroken, tmp_path, how):
    """Killed or stopped by the user, it ends with the file of a run that was not interrupted."""
    target = tmp_path / "results.csv"
    _interrupt(hundred_images, target, how)
    assert not target.exists()
    done = predict(hundred_images, "--csv", "--output", target, "--resume")
    assert done.returncode == 1
    assert target.read_text() == unbroken
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]


def test_images_with_a_result_are_not_read_again(hundred_images, unbroken, tmp_path):
    """Complete lines of the part file are used as they are; a half-written line is replaced."""
    target = tmp_path / "results.csv"
    _interrupt(hundred_images, target, signal.SIGKILL)
    part = Path(f"{target}.part")
    first, *_ = part.read_text().splitlines()
    marked = json.loads(first) | {"warnings": ["From the first run."]}
    part.write_text(json.dumps(marked) + '\n{"file": "half of a res')
    predict(hundred_images, "--csv", "--output", target, "--resume")
    changed = target.read_text().splitlines()
    assert "From the first run." in changed[1]
    assert changed[2:] == unbroken.splitlines()[2:]


def test_results_of_another_prevalence_are_not_continued(hundred_images, tmp_path):
    """They do not belong into one table; a message says so and nothing is lost."""
    target = tmp_path / "results.csv"
    _interrupt(hundred_images, target, signal.SIGKILL)
    before = Path(f"{target}.part").read_bytes()
    done = predict(
        hundred_images, "--csv", "--output", target, "--resume", "--prevalence", "training"
    )
    assert done.returncode == 1
    assert "are of another model or prevalence" in done.stderr
    assert Path(f"{target}.part").read_bytes() == before


def test_results_of_another_commit_are_not_continued(tmp_path):
    """A model on the Hub has one name and many commits."""
    old, new = (Model(tmp_path, "owner/name", digit * 40) for digit in "ab")
    part = PartFile(tmp_path / "results.csv")
    result = {"file": "a.png", "model": old.name, "revision": old.revision, "prevalence": "nih"}
    assert list(part.append([result])) == [result]
    assert part.resume(old, "nih") == {"a.png"}
    with pytest.raises(ResumeError, match="of another model"):
        part.resume(new, "nih")


def test_full_disk_leaves_the_old_file_and_the_results(tmp_path):
    """If the table cannot be written, an older one stays whole and the run can be resumed."""
    target = tmp_path / "results.csv"
    target.write_text("an older table")
    part = PartFile(target)
    assert list(part.append([json.loads(predict(IMAGE, "--json").stdout)]))
    before = part.path.read_bytes()
    command = [sys.executable, "-m", "cxr", "predict", "models/starter", str(IMAGE), "--csv"]
    done = subprocess.run(
        [*command, "--output", str(target), "--resume"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        # A file of more than 100 bytes is an error, as on a full disk.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
        check=False,
    )
    assert done.returncode == 1
    assert "Stopped: a file cannot be read or written" in done.stderr
    assert target.read_text() == "an older table"
    assert part.path.read_bytes() == before


@pytest.mark.parametrize("resume", [True, False])
def test_results_of_an_earlier_run_are_used_only_on_request(resume, tmp_path):
    """Without --resume they are deleted; with it, those of images that are not named are left out.

    The results are in the order in which they were made.
    """
    result = {"model": "starter", "revision": None, "prevalence": "nih", "rejected": "From before."}
    table, missing = tmp_path / "table.jsonl", str(tmp_path / "missing.png")
    part = PartFile(table)
    assert list(part.append([result | {"file": file} for file in ("other.png", str(IMAGE))]))
    words = ["predict", str(STARTER), missing, str(IMAGE), "--json", "--output", str(table)]
    assert main.main([*words, *(["--resume"] if resume else [])]) == 1
    told = {line["file"]: line["rejected"] for line in map(json.loads, table.open())}
    if resume:
        assert list(told) == [str(IMAGE), missing]
        assert told[str(IMAGE)] == "From before."
    else:
        assert list(told) == [missing, str(IMAGE)]
        assert told[str(IMAGE)] is None
    assert not part.path.exists()


@pytest.mark.parametrize("line", ['{"file": "b', '{"file": 3}\n', "[]\n", '{"a": 1}\n', "\n"])
def test_line_that_is_no_result_is_cut_off(tmp_path, line):
    """With everything after it, so that the next result is written in its place."""
    part, model = PartFile(tmp_path / "deep" / "table.csv"), Model(tmp_path, "starter")
    assert part.resume(model, "nih") == set()
    result = {"file": "a.png", "model": "starter", "revision": None, "prevalence": "nih"}
    assert list(part.append([result]))
    whole = part.path.read_text()
    part.path.write_text(whole + line)
    assert part.resume(model, "nih") == {"a.png"}
    assert part.path.read_text() == whole
    assert list(part.read()) == [result]


def test_resuming_needs_a_file():
    """Results on the screen cannot be continued."""
    done = predict(IMAGE, "--resume")
    assert done.returncode == 2
    assert "--resume continues an earlier --output" in done.stderr


def _interrupt(images: Path, target: Path, how: signal.Signals) -> None:
    """Ends a run once a few results are written."""
    command = [sys.executable, "-m", "cxr", "predict", "models/starter", str(images), "--csv"]
    process = subprocess.Popen(
        [*command, "--output", str(target)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Tests in the background of a script ignore SIGINT, and so do the processes they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    part = Path(f"{target}.part")
    end = time.monotonic() + 60
    while not (part.is_file() and part.read_bytes().count(b"\n") >= 3):
        assert process.poll() is None, "it ended before it was interrupted"
        assert time.monotonic() < end, "no result was written"
        time.sleep(0.005)
    process.send_signal(how)
    process.wait()
    assert part.is_file(), "it was done before it was interrupted"
