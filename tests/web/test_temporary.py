"""The files that the page deletes while it is served, and those that it keeps."""

import asyncio
import gc
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from gradio.utils import get_upload_folder
from PIL import Image

from cxr.web import temporary


def test_age_counts_from_when_a_file_was_put_there(tmp_path):
    """A copy that kept the times of an old file, as Gradio makes it, is new; later it goes."""
    copied = tmp_path / "image.png"
    copied.write_bytes(b"image")
    os.utime(copied, (0, 0))
    temporary.sweep(tmp_path, age=60)
    assert copied.exists()
    time.sleep(0.05)
    temporary.sweep(tmp_path, age=0.01)
    assert not copied.exists()


@pytest.mark.parametrize(
    ("keep", "every", "age"), [(3600, 60, 3540), (600, 10, 590), (60, 1, 59), (2, 1, 1)]
)
def test_no_file_gets_older_than_it_may(keep, every, age):
    """What a look leaves because it is just young enough goes with the next look, in time."""
    assert temporary.schedule(keep) == (every, age)


def test_sweep_takes_old_files_with_their_folders_and_keeps_the_pages_own(tmp_path, monkeypatch):
    """A folder goes with its last file; one that was just made may be about to be filled."""
    own, old, made = (tmp_path / name for name in ("own/logo.png", "old/deep/a.png", "made"))
    for path in (own, old):
        path.parent.mkdir(parents=True)
        path.touch()
    (tmp_path / "old" / "link").symlink_to(own)
    made.mkdir()
    time.sleep(0.05)
    keep = {own.parent, own}
    temporary.sweep(tmp_path, age=60, keep=keep)
    assert old.exists()
    temporary.sweep(tmp_path, age=0.01, keep=keep)
    assert not old.exists()
    assert own.exists()
    assert made.exists()
    monkeypatch.setattr(temporary, "_BEING_FILLED", 0)
    temporary.sweep(tmp_path, age=0.01, keep=keep)
    assert set(tmp_path.rglob("*")) == keep


def test_own_folder_leaves_those_of_running_pages(tmp_path, monkeypatch):
    """Only the folder of a process that has ended is deleted, and nothing of other programs."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(temporary, "_own", None)
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    running, gone, odd, other = (
        tmp_path / name
        for name in (
            f"chest-xray-{os.getpid()}-a",
            f"chest-xray-{ended.pid}-b",
            "chest-xray-some-c",
            "other",
        )
    )
    for folder in (running, gone, odd, other):
        (folder / "gradio").mkdir(parents=True)
    temporary.use_own_folder()
    assert not gone.exists()
    (own,) = set(tmp_path.iterdir()) - {running, odd, other}
    assert running.exists()
    assert odd.exists()
    assert other.exists()
    assert tempfile.gettempdir() == str(own)
    assert own.name.startswith(f"chest-xray-{os.getpid()}-")
    assert Path(get_upload_folder()).parent == own
    assert Path(get_upload_folder()).is_dir()


def test_heatmaps_of_two_visitors_have_files_of_their_own(tmp_path, monkeypatch):
    """Written whole as PNG, in the folder that is served, which is made where it is missing."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    images = [np.full((5, 7, 3), grey, np.uint8) for grey in (10, 200)]
    paths = [temporary.save(Image.fromarray(image)) for image in images]
    assert paths[0] != paths[1]
    for path, image in zip(paths, images, strict=True):
        assert Path(path).is_relative_to(tmp_path / "served")
        assert Path(path).suffix == ".png"
        assert np.array_equal(np.asarray(Image.open(path)), image)


@pytest.mark.parametrize("mine", [True, False])
def test_serving_sweeps_its_own_folder_and_no_other(tmp_path, monkeypatch, mine):
    """What was there before stays; what comes goes at its age; each look is told to the page."""
    monkeypatch.setattr(temporary, "_own", tmp_path if mine else None)
    before, upload = tmp_path / "logo.png", tmp_path / "upload.png"
    before.touch()
    looks: list[bool] = []

    async def serve() -> None:
        async with temporary.sweeping(0.05, 1, lambda: looks.append(upload.exists())):
            await asyncio.sleep(0.1)
            upload.touch()
            await asyncio.sleep(0.1)
            assert upload.exists()
            await asyncio.sleep(1.4)
        seen = len(looks)
        await asyncio.sleep(0.15)
        assert len(looks) == seen

    asyncio.run(serve())
    gc.unfreeze()
    assert True in looks
    assert upload.exists() != mine
    assert before.exists()
