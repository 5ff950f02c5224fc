"""Publishing what train.py wrote: by train.py itself, and in every form that can be loaded."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support import ROOT, hub_standin, planted, publishing
from support.hub_standin import Hub
from support.publishing import AGAIN, NAME, command, newest, snapshot

import train
from cxr import imaging
from cxr.inference.predictor import Predictor
from cxr.model import publish


@pytest.fixture
def hub(monkeypatch, tmp_path) -> Iterator[Hub]:
    """A stand-in Hub for the client in this process, which has a token."""
    with publishing.hub_of_this_process(monkeypatch, tmp_path / "hub") as running:
        yield running


def test_training_with_a_wrong_name_does_not_start(tmp_path, capsys):
    """A typo in --push-to-hub is found before the data is read."""
    for options in (["--push-to-hub", "name"], ["--private"]):
        with pytest.raises(SystemExit) as stopped:
            train.main(["--data", str(tmp_path), "--output", str(tmp_path / "out"), *options])
        assert stopped.value.code == 2
    assert "--private belongs to --push-to-hub" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_failed_push_loses_no_training(run, tmp_path):
    """Without a token: a warning at the start, then a whole folder, status 3 and the command that
    publishes it, which does."""
    before = snapshot(run.folder)
    given = ("--data", str(run.data), "--output", str(run.folder), "--resume")
    push = ("--push-to-hub", "owner/name", "--private")
    with hub_standin.running() as hub:
        environment = {**os.environ, **hub.environment(tmp_path / "home", token=None)}
        environment.pop("HF_TOKEN", None)
        done = subprocess.run(
            [sys.executable, str(ROOT / "train.py"), *given, *push],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert done.returncode == train.PUSH_FAILED == 3
        assert done.stderr.startswith("Warning: The push to owner/name will need a token.")
        assert "Not published: You are not signed in" in done.stderr
        assert snapshot(run.folder) == before
        words = shlex.split(done.stderr.splitlines()[-1])
        assert words[:4] == AGAIN.split()
        assert command(hub, tmp_path, Path(words[4]), *words[5:]).returncode == 0
        assert newest(hub) == {
            path: file.read_bytes() for path, file in publish.files(run.folder).items()
        }
        assert hub.repositories["owner/name"].private


def test_all_of_a_run_is_published_but_what_shows_images(run):
    """All files of a finished run are published but the report and the figure of a batch."""
    there = {p.relative_to(run.folder).as_posix() for p in run.folder.rglob("*") if p.is_file()}
    published = set(publish.files(run.folder))
    assert there - published == {"report.html", "figures/batch.png"}
    assert published <= there


def test_published_model_loads_in_every_form(hub, run):
    """`from_pretrained_fastai`, safetensors and ONNX from the Hub give the same logits (1e-4)."""
    import torch
    from fastai.basics import noop
    from huggingface_hub import from_pretrained_fastai, snapshot_download

    from cxr.training import net

    publish.publish(run.folder, NAME, private=True)
    image = run.data / "images" / run.images_of("test")[0]
    pixels = imaging.resize(imaging.read_image(image), planted.SIDE)[None, None]
    fetched = Path(snapshot_download("owner/name"))
    assert fetched != run.folder
    onnx = Predictor(fetched).run(pixels).logits
    with torch.no_grad():
        safetensors = net.load(fetched)(torch.from_numpy(pixels)).numpy()
    learn = from_pretrained_fastai("owner/name")
    fastai, _ = learn.get_preds(dl=learn.dls.test_dl([image], num_workers=0), act=noop)
    assert np.abs(safetensors - onnx).max() < 1e-4
    assert np.abs(fastai.numpy() - onnx).max() < 1e-4
