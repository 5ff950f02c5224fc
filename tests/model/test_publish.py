"""Publishing a model folder: what is sent, what a cut-off push leaves, and the sentences on errors.

The Hub's own client talks to the stand-in, within this process or in one of its own.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import ROOT, STARTER, hub_standin, planted

import cxr.model.hub
import train
from cxr import imaging
from cxr.inference.predictor import Predictor
from cxr.model import model_folder, publish
from cxr.model.errors import HubError, ModelFolderError
from cxr.model.hub import HubName

IMAGE = Image.effect_noise((64, 64), 50)
NAME = HubName("owner/name")
NEW = 11  # requests that publishing `folder` as a new repository takes
UNMENDED = (0, 1, 2, NEW - 1)  # those that the client does not try again
AGAIN = "python -m cxr publish"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A stand-in that the client in this process talks to, signed in."""
    from huggingface_hub import close_session, constants
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    with hub_standin.running() as hub:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setenv("HF_TOKEN", hub_standin.TOKEN)
        yield hub
        close_session()


@pytest.fixture
def folder(tmp_path) -> Path:
    """A small model folder, complete, with an example, among files that are nobody's business."""
    return make_folder(tmp_path / "model")


def make_folder(folder: Path, weights: bytes = b"weights") -> Path:
    folder.mkdir()
    for name in ("model.onnx", "model.safetensors"):
        (folder / name).write_bytes(weights)
    for name in ("README.md", "input_check.npz", "splits.csv", "metrics.json"):
        (folder / name).write_text(name)
    config = json.loads((STARTER / "config.json").read_text())
    config["sha256"] = model_folder.sha256(folder / "model.onnx")
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("roc.png", "batch.png", ".roc.7.part.png"):
        (folder / "figures").mkdir(exist_ok=True)
        (folder / "figures" / name).write_bytes(name.encode())
    (folder / "examples").mkdir()
    for name in ("image.png", "private.png"):
        IMAGE.save(folder / "examples" / name)
    (folder / "examples" / "examples.csv").write_text("file,labels,source\nimage.png,Mass,NIH\n")
    for name in ("report.html", ".config.7.part.json", "notes.txt", "checkpoint.pth"):
        (folder / name).write_text(name)
    return folder


FILES = {
    "README.md",
    "config.json",
    "metrics.json",
    "model.onnx",
    "model.safetensors",
    "input_check.npz",
    "splits.csv",
    "figures/roc.png",
    "examples/examples.csv",
    "examples/image.png",
}


def contents(folder: Path, names: set[str] = FILES) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names}


def newest(hub) -> dict[str, bytes]:
    return held(hub.repositories["owner/name"].commits[-1])


def held(commit) -> dict[str, bytes]:
    return {path: file.content for path, file in commit.files.items()}


def commits(hub) -> list:
    """The repository's commits but for the empty one that it begins with."""
    return hub.repositories["owner/name"].commits[1:]


def test_whole_folder_is_one_commit(hub, folder):
    """Card, weights, figures and listed examples, byte by byte; no image but those, no scraps."""
    done = publish.publish(folder, NAME, private=False)
    assert [held(commit) for commit in commits(hub)] == [contents(folder)]
    assert done.name.revision == commits(hub)[-1].sha
    assert done.changed
    assert not hub.repositories["owner/name"].private


def test_new_repository_is_private_when_asked(hub, folder):
    """--private makes it so."""
    publish.publish(folder, NAME, private=True)
    assert hub.repositories["owner/name"].private


def test_private_is_not_published_into_a_public_repository(hub, folder):
    """A repository that all can see is rejected before a file is sent."""
    hub.put("owner/name", {"README.md": b"seen by all"})
    with pytest.raises(HubError, match="public already"):
        publish.publish(folder, NAME, private=True)
    assert newest(hub) == {"README.md": b"seen by all"}
    assert not hub.lfs


def test_unchanged_folder_is_not_sent_again(hub, folder, capsys):
    """Published twice: no file is sent, no commit made, and the same commit named."""
    assert publish.send(folder, NAME, private=False)
    first = capsys.readouterr().out
    hub.requests.clear()
    assert publish.send(folder, NAME, private=False)
    second = capsys.readouterr().out
    assert len(commits(hub)) == 1
    assert not [r for r in hub.requests if r.startswith("PUT") or "/commit/" in r]
    assert second == f"Nothing has changed: the Hub has this folder already.\n{first}"
    assert f"owner/name@{commits(hub)[0].sha}\n" in first
    assert f"{hub.url}/owner/name\n" in first


def test_only_changed_files_are_sent(hub, folder):
    """After a change of the weights, one large file goes up."""
    publish.publish(folder, NAME, private=False)
    (folder / "model.safetensors").write_bytes(b"others")
    hub.requests.clear()
    publish.publish(folder, NAME, private=False)
    assert len([r for r in hub.requests if r.startswith("PUT")]) == 1
    assert newest(hub) == contents(folder)


def test_what_the_folder_lost_goes_from_the_hub(hub, folder):
    """An older run's figures, examples and pickle are deleted in the commit that brings the new."""
    kept = {".gitattributes": b"lfs", "LICENSE": b"mine"}
    old = {"examples/old.png": b"o", "figures/old.png": b"o", "model.pkl": b"o", "model.onnx": b"o"}
    hub.put("owner/name", kept | old)
    publish.publish(folder, NAME, private=False)
    assert newest(hub) == contents(folder) | kept
    assert len(commits(hub)) == 2


def test_somebody_elses_commit_is_not_overwritten(hub, folder, monkeypatch):
    """What was committed between the look at the repository and the commit stops the push."""
    from huggingface_hub import HfApi

    look = HfApi.model_info

    def look_then_lose(api, name):
        found = look(api, name)
        hub.put("owner/name", {"model.onnx": b"theirs"})
        return found

    monkeypatch.setattr(HfApi, "model_info", look_then_lose)
    with pytest.raises(HubError, match="changed by someone else"):
        publish.publish(folder, NAME, private=False)
    assert newest(hub) == {"model.onnx": b"theirs"}


def test_request_sequence_has_its_length(hub, folder):
    """As many requests as the cut-off pushes below are cut at."""
    publish.publish(folder, NAME, private=False)
    assert len(hub.requests) == NEW


@pytest.mark.parametrize(
    ("lasting", "new"), [(False, True), (True, True), (True, False)], ids=["once", "new", "older"]
)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(NEW))
def test_push_cut_off_and_repeated_is_one_commit(
    hub, folder, tmp_path, monkeypatch, number, after, lasting, new
):
    """Cut at any request, `main` is the state before or the whole new one; repeated, the latter.

    Cut once, the client may mend it by itself; cut for good, it gives up; in a new repository, or
    over an older model.
    """
    before: dict[str, bytes] = {}
    if not new:
        before = contents(make_folder(tmp_path / "older", b"older"))
        hub.put("owner/name", before)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between the client's tries
    hub.break_at, hub.break_after = number, after
    hub.break_for = 1000 if lasting else 1
    failed = nullcontext()
    if lasting or number in UNMENDED:
        failed = pytest.raises(HubError, match="cannot be reached")
    with failed:
        publish.publish(folder, NAME, private=False)
    if "owner/name" in hub.repositories:
        assert newest(hub) in (before, contents(folder))
    hub.break_at = None
    done = publish.publish(folder, NAME, private=False)
    states = [held(commit) for commit in commits(hub)]
    assert states == [*([] if new else [before]), contents(folder)]
    assert done.name.revision == commits(hub)[-1].sha


@pytest.mark.parametrize("number", [0, 1, 3, 6, NEW - 1])
def test_network_that_falls_silent_is_given_up(hub, folder, monkeypatch, number):
    """A Hub that takes a request and never answers is waited for once, not six times."""
    monkeypatch.setattr(cxr.model.hub, "SECONDS_SILENT", 0.3)
    hub.break_at, hub.break_for, hub.break_silently = number, 1000, True
    start = time.monotonic()
    with pytest.raises(HubError, match="cannot be reached"):
        publish.publish(folder, NAME, private=False)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    "name", ["README.md", "config.json", "model.onnx", "model.safetensors", "input_check.npz"]
)
def test_incomplete_folder_is_rejected(hub, folder, name):
    """A folder that lacks a file which whoever fetches it needs: one sentence, nothing is asked."""
    (folder / name).unlink()
    with pytest.raises(ModelFolderError, match=name):
        publish.publish(folder, NAME, private=False)
    assert not hub.requests


def test_pickle_goes_with_what_it_needs(hub, folder):
    """`from_pretrained_fastai` reads pyproject.toml beside the pickle: one alone is rejected."""
    (folder / "model.pkl").write_bytes(b"pickle")
    with pytest.raises(ModelFolderError, match=r"pyproject\.toml"):
        publish.files(folder)
    (folder / "pyproject.toml").write_text("")
    assert {"model.pkl", "pyproject.toml"} <= publish.files(folder).keys()


def test_example_from_outside_is_not_published(folder):
    """What the table names outside of the examples' folder stays where it is."""
    table = "file,labels,source\n../figures/batch.png,,\n../../secret.png,,\nimage.png,,\n"
    IMAGE.save(folder.parent / "secret.png")
    (folder / "examples" / "examples.csv").write_text(table)
    assert {path for path in publish.files(folder) if path.startswith("examples")} == {
        "examples/examples.csv",
        "examples/image.png",
    }


ERRORS = {
    "no token": ({"HF_TOKEN": None}, "owner/name", "not signed in"),
    "wrong token": ({"HF_TOKEN": "hf_wrong"}, "owner/name", "does not accept your token"),
    "may only read": ({"HF_TOKEN": hub_standin.GUEST}, "owner/name", "no right to write"),
    "of another": ({}, "another/name", "no right to write"),
    "there, of another": ({}, "another/there", "no right to write"),
    "offline": ({"HF_HUB_OFFLINE": "1"}, "owner/name", "HF_HUB_OFFLINE"),
    "no network": ({"HF_ENDPOINT": "http://127.0.0.1:1"}, "owner/name", "cannot be reached"),
    "no such host": ({"HF_ENDPOINT": "http://hub.invalid"}, "owner/name", "cannot be reached"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error_is_one_sentence_and_the_command(folder, tmp_path, case):
    """Status 1, a sentence, the command that sends it again, no traceback, the folder as it was."""
    changes, name, words = ERRORS[case]
    before = snapshot(folder)
    with hub_standin.running() as hub:
        hub.put("another/there", {"README.md": b"theirs"})
        hub.repositories["another/there"].private = True
        done = command(hub, tmp_path, folder, name, "--private", **changes)
        assert "owner/name" not in hub.repositories
        assert held(hub.repositories["another/there"].commits[-1]) == {"README.md": b"theirs"}
    assert done.returncode == 1
    first, second, *last = done.stderr.splitlines()
    assert first.startswith("Not published: ")
    assert words in first
    assert second.endswith("is as it was. Send it again:")
    assert last == [f"  {AGAIN} {folder} {name} --private"]
    assert snapshot(folder) == before


def test_answer_that_is_not_the_hubs_is_said_so(folder, hub, monkeypatch):
    """A page that answers instead of the Hub, as in a hotel, is no JSON."""
    page = hub_standin._Answer(b"<html>Sign in to the hotel's network</html>")
    monkeypatch.setattr(hub_standin, "_ROUTES", [(("POST", "GET"), ".*", lambda *_, **__: page)])
    with pytest.raises(HubError, match="is not the Hub"):
        publish.publish(folder, NAME, private=False)


def test_break_in_the_middle_is_one_sentence(folder, tmp_path):
    """A connection that is cut at the commit: the sentence and the command."""
    with hub_standin.running() as hub:
        hub.break_at = NEW - 1
        done = command(hub, tmp_path, folder, "owner/name")
        assert not commits(hub)
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr.splitlines()[0]
    assert done.stderr.splitlines()[-1] == f"  {AGAIN} {folder} owner/name"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("name", "should read OWNER/NAME"),
        ("owner/na me", "should read OWNER/NAME"),
        ("owner/name/more", "should read OWNER/NAME"),
        (f"owner/name@{'0' * 40}", "leave out what follows owner/name"),
    ],
)
def test_wrong_name_is_wrong_usage(folder, tmp_path, name, words):
    """What is no OWNER/NAME has status 2, and nothing is asked of the Hub."""
    with hub_standin.running() as hub:
        done = command(hub, tmp_path, folder, name)
        assert not hub.requests
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_folder_that_is_not_there_has_status_1(tmp_path):
    """A folder that is none of a model: status 1, one sentence."""
    with hub_standin.running() as hub:
        done = command(hub, tmp_path, tmp_path / "nowhere", "owner/name")
        assert not hub.requests
    assert done.returncode == 1
    assert done.stderr == f"There is no model folder {str(tmp_path / 'nowhere')!r}.\n"


def test_training_with_a_wrong_name_does_not_start(tmp_path, capsys):
    """A typo in --push-to-hub costs nothing: it is found before the data is looked for."""
    for options in (["--push-to-hub", "name"], ["--private"]):
        with pytest.raises(SystemExit) as stopped:
            train.main(["--data", str(tmp_path), "--output", str(tmp_path / "out"), *options])
        assert stopped.value.code == 2
    assert "--private belongs to --push-to-hub" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_failed_push_loses_no_training(tmp_path):
    """Without a token: a warning at the start, then a whole folder, status 3 and the command that
    publishes it, which does."""
    data = planted.make_folder(tmp_path / "images", patients=14)
    folder = tmp_path / "model"
    short = ("--image-size", "64", "--epochs", "0", "--freeze-epochs", "1", "--lr", "1e-3")
    given = ("--data", str(data), "--output", str(folder), "--push-to-hub", "owner/name")
    with hub_standin.running() as hub:
        environment = {**os.environ, **hub.environment(tmp_path / "home", token=None)}
        environment.pop("HF_TOKEN", None)
        done = subprocess.run(
            [sys.executable, str(ROOT / "train.py"), *given, "--private", *short],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert done.returncode == train.PUSH_FAILED == 3
        assert done.stderr.startswith("Warning: The push to owner/name will need a token.")
        assert "Not published: You are not signed in" in done.stderr
        before = snapshot(folder)
        words = shlex.split(done.stderr.splitlines()[-1])
        assert words[:4] == AGAIN.split()
        assert command(hub, tmp_path, Path(words[4]), *words[5:]).returncode == 0
        assert newest(hub) == {
            path: file.read_bytes() for path, file in publish.files(folder).items()
        }
        assert hub.repositories["owner/name"].private
    assert snapshot(folder) == before


def test_all_of_a_run_is_published_but_what_shows_images(run):
    """Of a finished run only the report and the look at a batch stay where they are."""
    there = {p.relative_to(run.folder).as_posix() for p in run.folder.rglob("*") if p.is_file()}
    published = set(publish.files(run.folder))
    assert there - published == {"report.html", "figures/batch.png"}
    assert published <= there


def test_published_model_loads_in_every_form(hub, run):
    """`from_pretrained_fastai`, safetensors and ONNX, fetched, give the same logits (1e-4)."""
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


def command(hub, home: Path, folder: Path, *options: str, **changes: str | None):
    """`python -m cxr publish` with these options, talking to the stand-in."""
    environment = {**os.environ, **hub.environment(home / "home"), **changes}
    return subprocess.run(
        [sys.executable, "-m", "cxr", "publish", str(folder), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={name: value for name, value in environment.items() if value is not None},
        timeout=60,
        check=False,
    )


def snapshot(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in paths}
