"""The output folder holds a finished model or none, whatever interrupts a run."""

from pathlib import Path

import pytest

from cxr.datasets.files import DataError
from cxr.training import checkpoint, output


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where a run shall write."""
    return tmp_path / "model"


def finished(folder: Path, content: str) -> Path:
    """Writes what stands for a finished model."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(content)
    (folder / f"only-in-{content}").write_text("")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("made", [True, False])
def test_new_and_empty_folders_may_be_written(folder, made):
    """A folder that is not there yet, or has nothing in it, is accepted."""
    if made:
        folder.mkdir()
    output.check(folder, resume=False, overwrite=False)


def test_finished_model_needs_overwrite(folder):
    """The message names the option; with it the folder is accepted."""
    finished(folder, "old")
    with pytest.raises(DataError, match="replace it by --overwrite"):
        output.check(folder, resume=False, overwrite=False)
    output.check(folder, resume=False, overwrite=True)


@pytest.mark.parametrize("overwrite", [True, False])
def test_other_files_are_never_replaced(folder, overwrite):
    """Neither a folder of other files nor a file is written over."""
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    for place in (folder, folder / "mine.txt"):
        with pytest.raises(DataError, match="holds other files"):
            output.check(place, resume=False, overwrite=overwrite)


def test_interrupted_training_needs_resume(folder):
    """A training with a finished epoch is not lost by starting another."""
    output.begin(folder, resume=False)
    (output.partial(folder) / checkpoint.FILE).write_text("")
    with pytest.raises(DataError, match="add --resume to continue it, or delete"):
        output.check(folder, resume=False, overwrite=True)
    output.check(folder, resume=True, overwrite=False)
    output.begin(folder, resume=True)
    assert names(output.partial(folder)) == [checkpoint.FILE]


def test_run_works_beside_the_finished_model(folder):
    """While a run works, the model in the folder stays as it was."""
    finished(folder, "old")
    output.begin(folder, resume=False)
    finished(output.partial(folder) / "later", "new")
    assert names(folder) == ["config.json", "only-in-old"]


def test_finished_run_replaces_the_model(folder):
    """At the end only the new model is there, without checkpoint and half-written files."""
    finished(folder, "old")
    work = finished(output.partial(folder), "new")
    for name in (checkpoint.FILE, ".checkpoint.12.part.pt"):
        (work / name).write_text("")
    output.finish(folder)
    assert names(folder) == ["config.json", "only-in-new"]
    assert names(folder.parent) == ["model"]


def test_remains_of_an_earlier_run_are_removed(folder):
    """A run that starts again does not find files of one that stopped before its first epoch."""
    output.begin(folder, resume=False)
    (output.partial(folder) / "splits.csv").write_text("")
    output.begin(folder, resume=False)
    assert names(output.partial(folder)) == []


def test_current_folder_has_a_partial_folder_too(tmp_path, monkeypatch):
    """`--output .` works beside the folder, not in a file without a name."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert output.partial(Path(".")) == tmp_path / "here.partial"
