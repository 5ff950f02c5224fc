"""The one list of a model folder's files: publish, download, deploy and the starter follow it."""

import shutil
from pathlib import Path

import pytest
from support import STARTER, hub_standin
from support.fetching import predict, revision_of
from support.publishing import contents, hub_of_this_process, make_folder, newest, publish_with

from cxr.model import model_folder
from cxr.model.config import read_config
from cxr.model.errors import ModelFolderError
from cxr.model.hub import HubName
from cxr.model.model_folder import FILES, Use
from cxr.training.starter import replace_starter
from cxr.web import deploy


@pytest.fixture
def full(tmp_path) -> Path:
    """A model folder that has each file of the list, and others."""
    folder = make_folder(tmp_path / "model")
    for file in FILES:
        path = folder / file.path
        if not (file.suffixes or path.exists()):
            path.write_bytes(file.path.encode())
    return folder


def expected(folder: Path, kind: str) -> set[str]:
    """The files of a folder that the list's column `kind` does not rule out."""
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    entries = {name: model_folder.find(name) for name in names}
    uses = {name: getattr(file, kind) for name, file in entries.items() if file}
    return {name for name, use in uses.items() if use not in (Use.NEVER, False)}


def test_each_file_has_one_entry():
    """The list has no doubles, and finds each of its own files."""
    assert len({file.path for file in FILES}) == len(FILES)
    for file in FILES:
        path = f"{file.path}/a{file.suffixes[0]}" if file.suffixes else file.path
        assert model_folder.find(path) is file


def test_list_is_the_agreed_one(full):
    """What inference reads, what is published, and what may be committed."""
    both = {"config.json", "model.onnx", "input_check.npz", "splits.csv", "metrics.json"}
    both |= {"README.md", "figures/roc.png"}
    examples = {f"examples/{name}" for name in ("examples.csv", "image.png", "private.png")}
    more = {"model.safetensors", "ood_images.json"}
    private = {"model.pkl", "pyproject.toml", "predictions.csv", "history.csv"}
    assert expected(full, "serving") == both | examples
    assert expected(full, "publishing") == both | examples | more | private
    assert expected(full, "committed") == both | more


@pytest.mark.parametrize(
    "path",
    [
        "app.py",
        "checkpoint.pth",
        "figures",
        "examples/evil.pkl",
        "examples/.hidden.png",
        "examples/deep/a.png",
        "examples/../config.json",
        "../config.json",
        "figures//a.png",
        "figures/a\n.png",
    ],
)
def test_other_paths_are_no_files_of_a_model_folder(path):
    """Unknown names, hidden files and paths that lead elsewhere."""
    assert model_folder.find(path) is None


@pytest.mark.parametrize("path", ["figures/ROC.PNG", "examples/a b-1.Jpeg", "examples/_.dcm"])
def test_files_in_subfolders_may_have_any_plain_name(path):
    """And suffixes in any case."""
    assert model_folder.is_served(path)


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("", "There is no model folder"),
        ("config.json", "is not a model folder: it has no config.json"),
        ("model.onnx", "has no model.onnx"),
    ],
)
def test_folder_that_cannot_be_loaded_is_told_why(full, missing, words):
    """The folder, its config or its network is missing."""
    path = full / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(ModelFolderError, match=words):
        model_folder.load(full)


def test_publish_sends_what_the_list_says(full):
    """Every kind of file arrives at the Hub but those that the list rules out."""
    unlisted = {"examples/private.png"}  # not in examples.csv
    with hub_standin.running() as hub:
        publish_with(hub, full.parent / "home", full)
        sent = newest(hub)
    assert sent.keys() == expected(full, "publishing") - unlisted
    assert sent == contents(full, set(sent))


def test_download_fetches_what_the_list_says(full, tmp_path):
    """Of a repository that has every file only those that inference reads are asked for."""
    for name in ("config.json", "model.onnx", "input_check.npz"):
        shutil.copyfile(STARTER / name, full / name)
    wanted = expected(full, "serving")
    with hub_standin.running() as hub:
        names = {path.relative_to(full).as_posix() for path in full.rglob("*") if path.is_file()}
        hub.put("owner/images", contents(full, names))
        assert revision_of(predict(hub, tmp_path / "home"))
        asked = {r.split("/resolve/")[1].split("/", 1)[1] for r in hub.requests if "resolve" in r}
    assert asked == wanted
    assert not [name for name in wanted if name.endswith((".pkl", ".safetensors", ".html"))]


def test_deploy_names_what_the_list_says(full, tmp_path, monkeypatch):
    """A Space's build is told of the same files that a download fetches."""
    for name in ("config.json", "model.onnx", "input_check.npz"):
        shutil.copyfile(STARTER / name, full / name)
    with hub_of_this_process(monkeypatch, tmp_path / "hub") as hub:
        names = {path.relative_to(full).as_posix() for path in full.rglob("*") if path.is_file()}
        hub.put("owner/images", contents(full, names))
        served = deploy.look_up(HubName("owner/images"))
    assert set(served.files) == expected(full, "serving")


def test_starter_has_what_the_list_says(full, tmp_path):
    """No pickle, nothing that shows images, nothing that only describes the run."""
    replace_starter(full, tmp_path / "starter")
    copied = {
        p.relative_to(tmp_path / "starter").as_posix()
        for p in (tmp_path / "starter").rglob("*")
        if p.is_file()
    }
    assert copied == expected(full, "committed")
    assert "figures/roc.png" in copied
    assert not [name for name in copied if name.startswith("examples") or "batch" in name]


def test_input_check_is_required_where_the_config_names_it():
    """Without an entry in config.json a model folder has no such file."""
    config = read_config(STARTER / "config.json")
    names = model_folder.REQUIRED_TO_SERVE
    with pytest.raises(ModelFolderError, match=r"'here' is not complete: .* no input_check\.npz"):
        model_folder.check_served(config, names, "here")
    model_folder.check_served(config.replace(input_check=None), names, "here")
