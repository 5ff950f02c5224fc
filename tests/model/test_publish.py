"""Publishing a model folder: what is sent, and what becomes of the repository.

The Hub's own client talks to the stand-in in this process.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import publishing
from support.hub_standin import Hub
from support.publishing import NAME, commits, contents, held, make_folder, newest

from cxr.model import publish
from cxr.model.errors import HubError, ModelFolderError


@pytest.fixture
def hub(monkeypatch, tmp_path) -> Iterator[Hub]:
    """A stand-in that the client in this process talks to, signed in."""
    with publishing.hub_of_this_process(monkeypatch, tmp_path / "hub") as running:
        yield running


@pytest.fixture
def folder(tmp_path) -> Path:
    """A small model folder, complete, with an example, among files that are nobody's business."""
    return make_folder(tmp_path / "model")


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
    publishing.IMAGE.save(folder.parent / "secret.png")
    (folder / "examples" / "examples.csv").write_text(table)
    assert {path for path in publish.files(folder) if path.startswith("examples")} == {
        "examples/examples.csv",
        "examples/image.png",
    }
