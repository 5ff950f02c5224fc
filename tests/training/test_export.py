"""The exported forms of a network compute the same, and say nothing of where they were made."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file
from support import ROOT, STARTER, planted

from cxr import imaging
from cxr.datasets import splits
from cxr.inference.predictor import Predictor
from cxr.model import model_folder
from cxr.training import export, net
from cxr_labels import LABELS


@pytest.mark.slow
def test_forms_of_the_network_agree(run, monkeypatch):
    """ONNX, safetensors and the fastai export give the same logits of an image file (1e-4)."""
    from fastai.basics import noop

    image = run.data / "images" / run.images_of(splits.TEST)[0]
    pixels = imaging.resize(imaging.read_image(image), planted.SIDE)[None, None]
    onnx = Predictor(run.folder).run(pixels).logits
    with torch.no_grad():
        safetensors = net.load(run.folder)(torch.from_numpy(pixels)).numpy()
    learn = load_fastai(run.folder, monkeypatch)
    fastai, _ = learn.get_preds(dl=learn.dls.test_dl([image], num_workers=0), act=noop)
    assert np.abs(safetensors - onnx).max() < 1e-4
    assert np.abs(fastai.numpy() - onnx).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("kind", [str, Path])
def test_fastai_export_predicts_an_image_file(kind, run, monkeypatch):
    """`learn.predict("image.png")`, as the card has it, answers with 15 probabilities."""
    image = kind(run.data / "images" / run.images_of(splits.TEST)[0])
    probabilities = load_fastai(run.folder, monkeypatch).predict(image)[2]
    assert probabilities.shape == (len(LABELS),)
    assert ((probabilities > 0) & (probabilities < 1)).all()


@pytest.mark.slow
def test_export_names_no_place_of_this_machine(run):
    """No file of the folder says where data and output lay; but the pickle, nor where the code."""
    with zipfile.ZipFile(run.folder / "model.pkl") as archive:
        pickles = [archive.read(n) for n in archive.namelist() if n.endswith("data.pkl")]
    paths = [path for path in run.folder.rglob("*") if path.is_file() and path.suffix != ".pkl"]
    assert run.folder / "report.html" in paths
    files = [path.read_bytes() for path in paths]
    for place in (run.data.parent.name, str(run.folder.parent)):
        assert place.encode() not in b"".join([*pickles, *files])
    assert str(ROOT).encode() not in b"".join(files)


@pytest.mark.slow
def test_logits_are_pooled_from_the_maps_alone(run):
    """The ONNX file's logits follow from its heatmaps and the stored sharpness."""
    predictor = Predictor(run.folder)
    images = np.random.default_rng(0).random((3, 1, planted.SIDE, planted.SIDE), np.float32)
    outputs = predictor.run(images)
    sharpness = net.load(run.folder).log_sharpness
    pooled = net.pool(torch.from_numpy(outputs.heatmaps), sharpness).detach().numpy()
    assert np.abs(pooled - outputs.logits).max() < 1e-4


@pytest.mark.slow
def test_onnx_takes_any_batch(run):
    """The exported file answers for 1, 2 and 5 images at once, each as if alone."""
    session = onnxruntime.InferenceSession(str(run.folder / model_folder.ONNX))
    images = np.random.default_rng(1).random((5, 1, planted.SIDE, planted.SIDE), np.float32)
    together = session.run(["logits"], {"image": images})[0]
    alone = np.concatenate([session.run(["logits"], {"image": f[None]})[0] for f in images])
    assert np.abs(together - alone).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("shift", [1e-3, np.nan])
def test_export_that_differs_is_rejected(run, shift):
    """An ONNX file that does not answer as the network does, or a NaN, stops the export."""
    network = net.load(run.folder)
    images = np.random.default_rng(0).random((2, 1, planted.SIDE, planted.SIDE), np.float32)
    export._check_parity(network, run.folder / "model.onnx", images)
    with torch.no_grad():
        network.fine.bias += shift
    with pytest.raises(export.ExportError, match="differs"):
        export._check_parity(network, run.folder / "model.onnx", images)


def test_failed_export_keeps_the_weights(tmp_path, monkeypatch):
    """The weights are written first; an ONNX file that was found wrong is not left there."""
    # An exporter that writes another network.
    monkeypatch.setattr(
        torch.onnx,
        "export",
        lambda _net, _args, path, **_: shutil.copy(STARTER / "model.onnx", path),
    )
    network = net.HeatmapNet(pretrained=False)
    network.log_sharpness.data.fill_(0.5)
    images = np.random.default_rng(0).random((2, 1, 320, 320), np.float32)
    with pytest.raises(export.ExportError, match=r"are kept in model.safetensors"):
        export.export(network, 320, tmp_path, images)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]
    assert (load_file(tmp_path / "model.safetensors")["log_sharpness"] == 0.5).all()


def load_fastai(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """The export as the Hub's client reads it; it takes a folder only by a name like OWNER/NAME."""
    from huggingface_hub import from_pretrained_fastai

    monkeypatch.chdir(folder.parents[1])
    return from_pretrained_fastai(f"{folder.parent.name}/{folder.name}")


@pytest.mark.slow
def test_weights_can_be_read_like_any_other_file(run):
    """model.safetensors has the permissions that other files of this user have."""
    modes = {path.name: path.stat().st_mode for path in run.folder.iterdir()}
    assert modes["model.safetensors"] == modes["model.onnx"] == modes["splits.csv"]
