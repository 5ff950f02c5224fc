"""Exports a trained network to the model folder, as ONNX, safetensors and fastai export."""

import platform
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from fastai.data.block import DataBlock, MultiCategoryBlock, TransformBlock
from fastai.data.core import Transform
from fastai.data.transforms import IndexSplitter
from fastai.learner import Learner
from fastai.losses import BCEWithLogitsLossFlat
from PIL import Image
from safetensors.torch import save

from cxr import atomic, imaging
from cxr.model import model_folder
from cxr.training.net import HeatmapNet
from cxr.training.tensors import TensorXray
from cxr_labels import LABELS

TOLERANCE = 1e-4  # largest difference in logits between the forms of one network


class ExportError(RuntimeError):
    """An exported file that does not compute what the network does."""


class _AllOutputs(torch.nn.Module):
    """The network with the three outputs of the ONNX file as a plain tuple."""

    def __init__(self, net: HeatmapNet):
        super().__init__()
        self.net = net

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(self.net.outputs(image))


class ReadImage(Transform):
    """Image file -> TensorXray float32 [1, S, S], 0..1, read as in inference."""

    input_types = (str, Path)  # what `learn.predict` takes

    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def encodes(self, path: str | Path) -> TensorXray:
        pixels = imaging.resize(imaging.read_image(path), self.size)
        return TensorXray(torch.from_numpy(pixels)[None])


def export(net: HeatmapNet, size: int, folder: Path, images: np.ndarray) -> None:
    """Writes model.onnx, model.safetensors, model.pkl and pyproject.toml into the folder.

    Args:
        net: The network.
        size: Side of its input in pixels.
        folder: The model folder.
        images: float32 [N, 1, S, S], real images on which the ONNX file must agree with it.

    Raises:
        ExportError: It differs by more than 1e-4 in a logit.
    """
    net = net.cpu().float().eval().to(memory_format=torch.contiguous_format)
    # The weights come first: if a later step fails, the training is not lost.
    state = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    with atomic.replacing(folder / model_folder.SAFETENSORS) as part:
        part.write_bytes(save(state))
    _write_onnx(net, size, folder / model_folder.ONNX, images)
    write_fastai(net, size, folder)


def _write_onnx(net: HeatmapNet, size: int, path: Path, images: np.ndarray) -> None:
    with atomic.replacing(path) as part, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _AllOutputs(net).eval(),
            # Two images: with one, the exporter makes the batch size a constant.
            (torch.rand(2, 1, size, size),),
            part,
            input_names=["image"],
            output_names=["logits", "heatmaps", "embedding"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        _strip(part)
        _check_parity(net, part, images)


def _strip(path: Path) -> None:
    """Removes the exporter's notes on its source, which contain paths of this machine."""
    model = onnx.load(path)
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.functions):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for function in model.functions:
        for node in function.node:
            node.ClearField("metadata_props")
            node.ClearField("doc_string")
    onnx.save(model, path)


def _check_parity(net: HeatmapNet, path: Path, images: np.ndarray) -> None:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        wanted = net(torch.from_numpy(images)).numpy()
    (logits,) = session.run(["logits"], {"image": images})
    difference = float(np.abs(logits - wanted).max())
    if not difference <= TOLERANCE:
        raise ExportError(
            f"The exported ONNX file differs from the trained network by {difference:.2g} in a "
            f"logit (allowed: {TOLERANCE:g}); the weights are kept in {model_folder.SAFETENSORS}."
        )


def write_fastai(net: HeatmapNet, size: int, folder: Path) -> None:
    """Writes model.pkl, a learner for `learn.predict("image.png")`, and pyproject.toml.

    The pickle contains neither the pixel cache nor paths of this machine.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # fastai runs the pipeline once when it is built; the export does not contain the images.
        blank = Path(scratch) / "blank.png"
        Image.new("L", (size, size)).save(blank)
        block = DataBlock(
            blocks=(TransformBlock, MultiCategoryBlock(encoded=True, vocab=list(LABELS))),
            getters=[ReadImage(size), _no_labels],
            splitter=IndexSplitter([1]),
        )
        dls = block.dataloaders([blank] * 2, bs=1, num_workers=0, device=torch.device("cpu"))
        learn = Learner(dls, net, loss_func=BCEWithLogitsLossFlat(), path=Path("."))
        with atomic.replacing(folder / model_folder.FASTAI) as part:
            learn.export(part.absolute())
    atomic.write_text(folder / model_folder.PYPROJECT, _pyproject())


def _no_labels(_path: Path) -> np.ndarray:
    return np.zeros(len(LABELS), np.uint8)


def _pyproject() -> str:
    """What the Hub's `from_pretrained_fastai` checks; its parser needs ">=", not "=="."""
    needs = [
        f"python>={'.'.join(platform.python_version_tuple()[:2])}",
        f"fastai>={version('fastai')}",
        f"fastcore>={version('fastcore')}",
        f"timm>={version('timm')}",
    ]
    listed = ", ".join(f'"{need}"' for need in needs)
    return f"[build-system]\nrequires = [{listed}]\n"
