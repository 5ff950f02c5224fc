"""Training from earlier model folders: their average, and what the record says of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support import planted, trainings

import train
from cxr.inference.predictor import Predictor
from cxr.model import model_folder
from cxr.training import net, record
from cxr.training.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def measured_again(run, tmp_path_factory) -> Path:
    """The run's folder measured once more, without a training, on the same data and split."""
    folder = tmp_path_factory.mktemp("again") / "model"
    trainings.train(run.data, folder, *_start(run.folder), *trainings.UNTRAINED)
    return folder


def test_start_without_epochs_is_the_network_it_starts_from(run, measured_again):
    """Exported again, the network answers as before, to 1e-4 in a logit."""
    images = np.random.default_rng(2).random((4, 1, planted.SIDE, planted.SIDE), np.float32)
    before, after = (
        Predictor(folder).run(images).logits for folder in (run.folder, measured_again)
    )
    assert np.abs(after - before).max() < 1e-4


def test_start_without_epochs_measures_the_same(run, measured_again):
    """On the same test images every finding has the AUROC that it had."""
    before, after = (
        json.loads((folder / "metrics.json").read_text()) for folder in (run.folder, measured_again)
    )
    assert after["n_images"] == before["n_images"]
    for label in ("Mass", "Effusion", "No Finding"):
        expected = before["findings"][label]["auroc"]["value"]
        found = after["findings"][label]["auroc"]["value"]
        assert found == pytest.approx(expected, abs=1e-6)


def test_start_without_epochs_tells_how_the_network_was_trained(run, measured_again):
    """Rate, epochs and boxes are those of the training, not of the run that only measures."""
    before, after = (model_folder.load(f).training for f in (run.folder, measured_again))
    told = ("recipe", "seed", "freeze_epochs", "epochs", "image_size", "learning_rate", "boxes")
    assert {name: after[name] for name in told} == {name: before[name] for name in told}
    assert after["epochs"] == 8
    assert "taught with the boxes" in after["boxes"]
    assert "8 epochs of head and backbone" in (measured_again / "README.md").read_text()


def test_averaged_starts_say_what_taught_them(run):
    """The average of two networks, not trained itself, names both and what boxes they had."""
    told = record.origin(
        Settings(run.data, run.folder, epochs=0, freeze_epochs=0, start=(run.folder, run.folder))
    )
    assert [one["epochs"] for one in told["start"]] == [8, 8]
    assert told["epochs"] == told["freeze_epochs"] == 0
    assert told["boxes"] == model_folder.load(run.folder).training["boxes"]


def test_average_has_the_mean_of_the_weights(run, tmp_path):
    """Each number of the averaged network is the mean of the two; counters are not averaged."""
    first = load_file(run.folder / "model.safetensors")
    random = torch.Generator().manual_seed(0)
    second = {
        name: value + torch.randn(value.shape, generator=random)
        if value.is_floating_point()
        else value
        for name, value in first.items()
    }
    _copy_of(run.folder, tmp_path / "other", second)
    found = net.average([run.folder, tmp_path / "other"]).state_dict()
    assert found.keys() == first.keys()
    for name, value in found.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (first[name] + second[name]) / 2)
        else:
            assert torch.equal(value, first[name])


def test_other_architectures_cannot_be_averaged(run, tmp_path):
    """Networks with other backbones are rejected with a sentence that names the option."""
    other = net.HeatmapNet("resnet18", pretrained=False)
    _copy_of(run.folder, tmp_path / "other", other.state_dict(), architecture="resnet18")
    with pytest.raises(ValueError, match="one architecture can be averaged; check --start"):
        net.average([run.folder, tmp_path / "other"])


def test_start_that_saw_the_held_out_is_rejected(run, tmp_path, capsys):
    """Another split would test on patients that were trained on: the network's own is named."""
    output = tmp_path / "out"
    options = ("--start", str(run.folder), "--seed", "1", "--image-size", str(planted.SIDE))
    assert train.main(["--data", str(run.data), "--output", str(output), *options]) == 1
    sentence = capsys.readouterr().err.splitlines()[-1]
    assert f"--split {run.folder / 'splits.csv'}" in sentence
    assert "was trained on" in sentence
    assert not output.exists()


def _start(folder: Path) -> tuple[str, ...]:
    return ("--start", str(folder), "--split", str(folder / "splits.csv"))


def _copy_of(folder: Path, copy: Path, weights: dict[str, torch.Tensor], **changes: str) -> None:
    """What `net.load` reads of a model folder, with other weights and a changed config."""
    copy.mkdir()
    config = json.loads((folder / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, **changes}))
    save_file(weights, copy / "model.safetensors")
