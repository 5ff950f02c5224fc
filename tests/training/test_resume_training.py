"""A killed training resumes where it stopped, and ends as if nothing had happened."""

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from support import ROOT, planted

import train
from cxr.training import checkpoint, output

pytestmark = pytest.mark.slow

FROZEN, EPOCHS = 1, 2
BOXES = "BBox_List_2017.csv"


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    return planted.make_folder(tmp_path_factory.mktemp("planted") / "images", patients=30)


@pytest.fixture(scope="module")
def unbroken(images, tmp_path_factory) -> Path:
    """The folder of a training that nothing interrupted."""
    folder = tmp_path_factory.mktemp("unbroken") / "model"
    _run(images, folder)
    return folder


@pytest.fixture(scope="module")
def of_zip(images, tmp_path_factory) -> Path:
    """The folder of the same training on a zip of the images."""
    place = tmp_path_factory.mktemp("of_zip")
    archive = place / "sample.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(images.rglob("*")):
            file.write(path, path.relative_to(images.parent))
    _run(archive, place / "model", boxes=images / BOXES)
    return place / "model"


@pytest.fixture(scope="module")
def cut_off(images, tmp_path_factory) -> Path:
    """The folder of a training that was killed after its first epoch; it is not there yet."""
    folder = tmp_path_factory.mktemp("cut_off") / "model"
    _kill_after(images, folder, epochs=FROZEN)
    return folder


@pytest.fixture(scope="module")
def resumed(images, cut_off, tmp_path_factory) -> Path:
    """The folder of one that was killed again in its last epoch."""
    folder = tmp_path_factory.mktemp("resumed") / "model"
    shutil.copytree(output.partial(cut_off), output.partial(folder))
    _kill_after(images, folder, "--resume", epochs=FROZEN + EPOCHS - 1)
    printed = _run(images, folder, "--resume")
    assert f"Resuming after {FROZEN + EPOCHS - 1} of {FROZEN + EPOCHS} epochs." in printed
    return folder


def test_same_seed_gives_the_same_weights(unbroken, of_zip):
    """Two runs with one seed, one of them on a zip, end with equal safetensors on a CPU."""
    one, other = ((folder / "model.safetensors").read_bytes() for folder in (unbroken, of_zip))
    assert one == other


def test_zip_is_trained_on_in_place(of_zip):
    """--data takes a zip, and nothing is unpacked beside it."""
    assert sorted(path.name for path in of_zip.parent.iterdir()) == ["model", "sample.zip"]


def test_killed_training_ends_with_the_weights_of_an_unbroken_one(unbroken, resumed):
    """Every weight is the same, to the last bit."""
    wanted, got = (load_file(f / "model.safetensors") for f in (unbroken, resumed))
    assert wanted.keys() == got.keys()
    assert [name for name in wanted if not torch.equal(wanted[name], got[name])] == []


def test_killed_training_has_the_history_of_an_unbroken_one(unbroken, resumed):
    """Each epoch has its row once, with the same losses."""
    wanted, got = (pd.read_csv(f / "history.csv").drop(columns="time") for f in (unbroken, resumed))
    pd.testing.assert_frame_equal(wanted, got)


def test_finished_training_keeps_no_checkpoint(resumed):
    """Neither the file nor the folder in which the run worked is left."""
    assert [path.name for path in resumed.iterdir() if "checkpoint" in path.name] == []
    assert not output.partial(resumed).exists()


def test_resuming_a_finished_training_does_nothing(images, resumed, capsys):
    """So that a job that is started over and over ends well."""
    before = {path: path.stat().st_mtime_ns for path in resumed.rglob("*")}
    assert train.main(_options(images, resumed, "--resume")) == 0
    assert "complete already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in resumed.rglob("*")} == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "was interrupted; add --resume to continue it"),
        (("--resume", "--seed", "7"), "was started with another --seed (42, now 7)"),
    ],
)
def test_interrupted_training_is_not_resumed_otherwise(images, cut_off, capsys, options, words):
    """Other options, or none, end with a sentence and leave the folder as it was."""
    work = output.partial(cut_off)
    before = {path.name: path.read_bytes() for path in work.iterdir() if path.is_file()}
    assert train.main(_options(images, cut_off, *options)) == 1
    assert words in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in work.iterdir() if p.is_file()} == before
    assert not cut_off.exists()


@pytest.mark.parametrize("option", ["--epochs", "split or set of images", "list of boxes"])
def test_every_option_that_matters_is_compared(cut_off, option):
    """An option that differs is named."""
    file = output.partial(cut_off) / checkpoint.FILE
    fingerprint = torch.load(file, weights_only=True)["fingerprint"]
    assert checkpoint.read(file, fingerprint)
    with pytest.raises(checkpoint.CheckpointError, match=f"another {option}"):
        checkpoint.read(file, fingerprint | {option: "other"})


def test_damaged_checkpoint_is_said(images, cut_off, tmp_path, capsys):
    """A checkpoint that is cut off ends with a sentence that names it."""
    whole = (output.partial(cut_off) / checkpoint.FILE).read_bytes()
    output.begin(tmp_path / "model", resume=False)
    damaged = output.partial(tmp_path / "model") / checkpoint.FILE
    damaged.write_bytes(whole[: len(whole) // 2])
    assert train.main(_options(images, tmp_path / "model", "--resume")) == 1
    assert "is damaged; delete it" in capsys.readouterr().err


def test_checkpoint_that_would_run_code_is_rejected(tmp_path):
    """A pickle in a checkpoint's place is not executed."""

    class Planted:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "run"),))

    torch.save({"fingerprint": Planted()}, tmp_path / checkpoint.FILE)
    with pytest.raises(checkpoint.CheckpointError, match="is damaged"):
        checkpoint.read(tmp_path / checkpoint.FILE, {})
    assert not (tmp_path / "run").exists()


def test_resuming_needs_the_folder(images, capsys):
    """Without --output there is nothing to go on with."""
    with pytest.raises(SystemExit) as stopped:
        train.main(["--data", str(images), "--resume"])
    assert stopped.value.code == 2
    assert "--resume continues the run in --output, which is not given" in capsys.readouterr().err


def _options(data: Path, folder: Path, *options: str, boxes: Path | None = None) -> list[str]:
    size = ["--image-size", "64", "--freeze-epochs", str(FROZEN), "--epochs", str(EPOCHS)]
    place = ["--data", str(data), "--boxes", str(boxes or data / BOXES)]
    return [*place, "--output", str(folder), "--lr", "3e-3", *size, *options]


def _start(options: list[str], **streams: int) -> subprocess.Popen:
    """A training of two threads, whose shares must not depend on which is faster."""
    command = [sys.executable, "train.py", *options]
    threads = {"OMP_NUM_THREADS": "2"}
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **threads}, text=True, **streams)


def _run(data: Path, folder: Path, *options: str, boxes: Path | None = None) -> str:
    """What a training prints that comes to its end."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = _start(_options(data, folder, *options, boxes=boxes), **pipes)
    printed, said = process.communicate()
    assert process.returncode == 0, said
    return printed


def _kill_after(images: Path, folder: Path, *options: str, epochs: int) -> None:
    """Kills a training once so many epochs are finished, like a machine that is switched off."""
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = _start(_options(images, folder, *options), **silent)
    end = time.monotonic() + 300
    kept, file = _kept(folder), _written(folder)
    while kept < epochs:  # each is a file of its own: to read it takes longer than a GPU's epoch
        assert process.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < end, "no epoch was kept"
        time.sleep(0.002)
        if file != (file := _written(folder)):
            kept += 1
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert _kept(folder) < FROZEN + EPOCHS


def _written(folder: Path) -> tuple[int, int] | None:
    """Which file the checkpoint is."""
    try:
        found = (output.partial(folder) / checkpoint.FILE).stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _kept(folder: Path) -> int:
    path = output.partial(folder) / checkpoint.FILE
    if not path.is_file():
        return 0
    return len(torch.load(path, weights_only=True)["history"])
