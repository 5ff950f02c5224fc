"""What config.json says of a training, and which options a resumed one must share."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import STARTER

from cxr.datasets.boxes import Boxes
from cxr.model import model_folder
from cxr.training import checkpoint, choose, loaders, output, record, run
from cxr.training.checkpoint import CheckpointError, Progress
from cxr.training.net import HeatmapNet

UNTRAINED = {"epochs": 0, "freeze_epochs": 0}


def test_record_counts_images_and_names_settings(settings, loaded):
    """Counts are of this run's images; the path of a splits.csv is not told."""
    changed = replace(settings, seed=3, epochs=4, freeze_epochs=2, mirror=True)
    found = record.make(changed, loaded, "Boxes.", {"learning_rate": 0.5, "device": "cpu"})
    assert len(found.pop("commit") or "0" * 40) == 40
    assert found == {
        "data": "images",
        "images": 24,
        "patients": 12,
        "train_images": 12,
        "valid_images": 8,
        "split": "reused",
        "boxes": "Boxes.",
        "recipe": "default",
        "seed": 3,
        "freeze_epochs": 2,
        "epochs": 4,
        "image_size": settings.image_size,
        "mirror": True,
        "start": [],
        "learning_rate": 0.5,
        "device": "cpu",
    }
    official = replace(settings, split="official", recipe="article")
    assert record.make(official, loaded, "", {})["split"] == "official"
    assert record.make(official, loaded, "", {})["recipe"] == "article"


def test_training_from_another_names_both(settings):
    """The settings are this run's, and those of the earlier training stand under "start"."""
    config = model_folder.load(STARTER)
    found = record.origin(replace(settings, start=(STARTER,), seed=3, image_size=64))
    assert (found["seed"], found["image_size"], found["epochs"]) == (3, 64, settings.epochs)
    (earlier,) = found["start"]
    assert earlier["image_size"] == config.image_size
    assert earlier["epochs"] == config.training["epochs"]
    assert "boxes" not in found


def test_measuring_one_network_again_keeps_its_record(settings):
    """Without a training the record is the earlier one, not that of this run's settings."""
    config = model_folder.load(STARTER)
    found = record.origin(replace(settings, start=(STARTER,), image_size=64, seed=3, **UNTRAINED))
    assert found["image_size"] == config.image_size
    for name in ("seed", "epochs", "freeze_epochs", "boxes", "recipe", "mirror", "start"):
        assert found[name] == config.training[name], name


@pytest.mark.parametrize(
    ("option", "changes"),
    [
        ("--arch", {"arch": "resnet18"}),
        ("--image-size", {"image_size": 64}),
        ("--epochs", {"epochs": 9}),
        ("--freeze-epochs", {"freeze_epochs": 9}),
        ("--lr", {"lr": 0.5}),
        ("--recipe", {"recipe": "article"}),
        ("--mirror", {"mirror": True}),
        ("--seed", {"seed": 9}),
        ("--start", {"start": (STARTER,)}),
    ],
)
def test_resumed_training_needs_the_same_options(settings, loaded, tmp_path, option, changes):
    """Each option on which the weights depend is compared, and named where it differs."""
    begun = replace(settings, output=tmp_path / "model")
    _save(begun, loaded)
    resumed = replace(begun, resume=True)
    assert run._progress(resumed, loaded).rate == 0.25
    with pytest.raises(CheckpointError, match=f"started with another {option} "):
        run._progress(replace(resumed, **changes), loaded)


def test_resumed_training_needs_the_same_images_and_boxes(settings, loaded, tmp_path):
    """Another set of an image, another image or another box is noticed."""
    resumed = replace(settings, output=tmp_path / "model", resume=True)
    _save(resumed, loaded)
    split = loaded.split.copy()
    split[:2] = "valid"
    others = replace(loaded.images, names=[*loaded.images.names[1:], "other.png"])
    boxed = Boxes({loaded.images.names[0]: [(0, 0.1, 0.1, 0.2, 0.2)]})
    for changed, what in (
        (replace(loaded, split=split), "split or set of images"),
        (replace(loaded, images=others), "split or set of images"),
        (replace(loaded, images=replace(loaded.images, boxes=boxed)), "list of boxes"),
    ):
        with pytest.raises(CheckpointError, match=f"started with another {what}"):
            run._progress(resumed, changed)


def test_resuming_without_a_finished_epoch_starts_again(settings, loaded, tmp_path, capsys):
    """Nothing is lost by --resume where there is nothing to resume; it is said."""
    resumed = replace(settings, output=tmp_path / "model", resume=True)
    assert run._progress(resumed, loaded).history == []
    assert "no finished epoch to resume from; the training starts" in capsys.readouterr().out


def test_checkpoint_that_cannot_be_written_leaves_the_former(tmp_path):
    """A full disk in the middle of a checkpoint does not cost the epochs before."""
    path = tmp_path / checkpoint.FILE
    checkpoint.write(path, checkpoint.Progress({}, epochs=3))
    with pytest.raises(Exception, match=r".+"):
        # The array fits, then what comes after it fails.
        checkpoint.write(path, checkpoint.Progress({"a": np.zeros(9)}, state={"b": lambda: 0}))
    found = checkpoint.read(path, {})
    assert found is not None
    assert found.epochs == 3
    assert [one.name for one in tmp_path.iterdir()] == [checkpoint.FILE]


@pytest.mark.parametrize(
    ("finished", "part", "complete"),
    [
        (False, None, False),
        (True, None, True),
        (False, "config.json", True),  # only the move to its place was missing
        (True, checkpoint.FILE, False),  # a training that shall replace the model
        (False, checkpoint.FILE, False),
    ],
)
def test_run_is_complete_when_its_model_is(tmp_path, finished, part, complete):
    """A finished model that lies beside its place is moved there."""
    folder = tmp_path / "model"
    for place, name in ((folder, finished and "config.json"), (output.partial(folder), part)):
        if name:
            place.mkdir()
            (place / name).write_text("")
    assert run._is_complete(folder) == complete
    assert (folder / "config.json").exists() == (finished or complete)


def test_network_to_start_from_needs_its_own_backbone(settings):
    """Another --arch than that of --start is rejected, and the right one is named."""
    words = "backbone 'tf_efficientnet_lite0'; name it with --arch"
    with pytest.raises(ValueError, match=words):
        run._make_net(replace(settings, arch="resnet18", start=(STARTER,)))


class Begun(Exception):
    """Stands for the training, which these tests leave out."""


@pytest.mark.parametrize("start", [(), (STARTER,)])
def test_training_from_another_keeps_its_biases(settings, loaded, monkeypatch, start):
    """A new head begins at the prevalence; that of an earlier network keeps what it learned."""

    def begin(*_, **__):
        raise Begun

    monkeypatch.setattr(loaders, "make_dls", begin)
    network = HeatmapNet(pretrained=False)
    bias = network.fine.bias.detach()  # shares the memory of the network's
    bias.fill_(0.25)
    with pytest.raises(Begun):
        run._fit(replace(settings, start=start), network, loaded, Progress({}))
    shares = choose.prevalence(loaded.data.targets[loaded.rows("train")])
    expected = np.full(len(shares), 0.25) if start else np.log(shares / (1 - shares))
    assert bias.numpy() == pytest.approx(expected, abs=1e-5)


def _save(settings, loaded) -> Path:
    """Writes a checkpoint of a training with these settings."""
    begun = replace(run._progress(replace(settings, resume=False), loaded), rate=0.25)
    output.begin(settings.output, resume=False)
    path = output.partial(settings.output) / checkpoint.FILE
    checkpoint.write(path, begun)
    return path
