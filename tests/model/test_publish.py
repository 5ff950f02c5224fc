"""Publishing a model folder: what is sent, and what becomes of the repository.

The Hub's own client talks to the stand-in in this process.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from support import publishing
from support.hub_standin import Hub
from support.publishing import NAME, commits, contents, held, make_folder, newest

from cxr.model import publish
from cxr.model.errors import HubError, ModelFolderError


@pytest.fixture
def hub(monkeypatch, tmp_path) -> Iterator[Hub]:
    """A stand-in Hub for the client in this process, which has a token."""
    with publishing.hub_of_this_process(monkeypatch, tmp_path / "hub") as running:
        yield running


@pytest.fixture
def folder(tmp_path) -> Path:
    """A small, complete model folder with an example, and files that must not be published."""
    return make_folder(tmp_path / "model")


def test_whole_folder_is_one_commit(hub, folder):
    """Card, weights, figures and listed examples arrive byte by byte, and nothing else."""
    done = publish.publish(folder, NAME, private=False)
    assert [held(commit) for commit in commits(hub)] == [contents(folder)]
    assert done.name.revision == commits(hub)[-1].sha
    assert done.changed
    assert not hub.repositories["owner/name"].private


def test_new_repository_is_private_when_asked(hub, folder):
    """`private` makes a new repository private."""
    publish.publish(folder, NAME, private=True)
    assert hub.repositories["owner/name"].private


def test_new_repository_is_as_its_owner_wants_new_ones(hub, folder):
    """Without `private` an organisation whose new repositories are private keeps it so."""
    hub.private_by_default = True
    publish.publish(folder, NAME, private=False)
    assert hub.repositories["owner/name"].private


def test_private_is_not_published_into_a_public_repository(hub, folder):
    """With `private` an existing public repository is rejected before a file is sent."""
    hub.put("owner/name", {"README.md": b"seen by all"})
    with pytest.raises(HubError, match="public already"):
        publish.publish(folder, NAME, private=True)
    assert newest(hub) == {"README.md": b"seen by all"}
    assert not hub.lfs


def test_unchanged_folder_is_not_sent_again(hub, folder, capsys):
    """The second time no file is sent and no commit is made; the same commit is named."""
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
    """After a change of the weights only that file is uploaded."""
    publish.publish(folder, NAME, private=False)
    (folder / "model.safetensors").write_bytes(b"others")
    hub.requests.clear()
    publish.publish(folder, NAME, private=False)
    assert len([r for r in hub.requests if r.startswith("PUT")]) == 1
    assert newest(hub) == contents(folder)


def test_stale_files_are_deleted_from_the_hub(hub, folder):
    """Files of an older run are deleted in the same commit; other files stay."""
    kept = {".gitattributes": b"lfs", "LICENSE": b"mine", "report.html": b"mine"}
    old = {"examples/old.png": b"o", "figures/old.png": b"o", "model.pkl": b"o", "model.onnx": b"o"}
    old |= {"figures/deep/old.svg": b"o", "examples/old.txt": b"o"}
    hub.put("owner/name", kept | old)
    publish.publish(folder, NAME, private=False)
    assert newest(hub) == contents(folder) | kept
    assert len(commits(hub)) == 2


def test_somebody_elses_commit_is_not_overwritten(hub, folder, monkeypatch):
    """If somebody else commits in the meantime, nothing is published."""
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
    "name",
    [
        "README.md",
        "config.json",
        "input_check.npz",
        "metrics.json",
        "model.onnx",
        "model.safetensors",
        "splits.csv",
    ],
)
def test_incomplete_folder_is_rejected(hub, folder, name):
    """If a required file is missing, the message names it, and the Hub is not contacted."""
    (folder / name).unlink()
    with pytest.raises(ModelFolderError, match=name):
        publish.publish(folder, NAME, private=False)
    assert not hub.requests


def test_pickle_needs_pyproject(hub, folder):
    """A pickle without pyproject.toml, which `from_pretrained_fastai` reads, is rejected."""
    (folder / "model.pkl").write_bytes(b"pickle")
    with pytest.raises(ModelFolderError, match=r"pyproject\.toml"):
        publish.files(folder)
    (folder / "pyproject.toml").write_text("")
    assert {"model.pkl", "pyproject.toml"} <= publish.files(folder).keys()


def test_example_images_are_not_decoded(folder):
    """Publishing needs their names only; whether they can be read is the page's concern."""
    (folder / "examples" / "image.png").write_bytes(b"no image")
    assert "examples/image.png" in publish.files(folder)


def test_example_from_outside_is_not_published(folder):
    """Files outside the folder of examples are not published, even if its table names them."""
    table = "file,labels,source\n../figures/batch.png,,\n../../secret.png,,\nimage.png,,\n"
    publishing.IMAGE.save(folder.parent / "secret.png")
    (folder / "examples" / "examples.csv").write_text(table)
    assert {path for path in publish.files(folder) if path.startswith("examples")} == {
        "examples/examples.csv",
        "examples/image.png",
    }


def test_table_that_lists_no_image_is_not_published(folder):
    """Nor any image of its folder."""
    (folder / "examples" / "examples.csv").write_text("file,labels,source\nmissing.png,,\n")
    assert not [path for path in publish.files(folder) if path.startswith("examples")]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyboardInterrupt(), "Stopped by you. Send it again:"),
        (HubError("The reason."), "Not published: The reason."),
        (OSError("gone"), "Not published: A file cannot be read (gone)."),
    ],
)
def test_push_that_ends_early_prints_the_command_that_repeats_it(
    folder, monkeypatch, capsys, error, words
):
    """Whatever ended it; only the user's own interruption goes on to end the program."""

    def fail(*_):
        raise error

    monkeypatch.setattr(publish, "publish", fail)
    stopped = isinstance(error, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt) if stopped else nullcontext():
        assert not publish.send(folder, NAME, private=True)
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first == words
    assert last == f"  {publishing.AGAIN} {folder} owner/name --private"


def test_error_of_the_client_is_one_sentence(hub, folder, monkeypatch):
    """The first line of what it says."""

    def reject(*_):
        raise ValueError("Too many files.\nMore on this.")

    monkeypatch.setattr(publish, "_commit", reject)
    with pytest.raises(HubError, match=r"did not accept the folder \(Too many files\)\.$"):
        publish.publish(folder, NAME, private=False)


def test_push_without_a_token_is_warned_of(hub, monkeypatch):
    """Before a training, so that it does not fail hours later."""
    assert publish.warning(NAME) == ""
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    assert publish.warning(NAME).startswith("The push to owner/name will need a token.")
