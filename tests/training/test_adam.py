"""The optimiser that takes all weights at once steps as fastai's own does."""

import fastai.optimizer
import pytest
import torch
from torch import nn

from cxr.training.adam import Adam

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 3)).to(
        DEVICE, memory_format=torch.channels_last
    )


def _optimiser(kind, net: nn.Sequential):
    """In two groups, without decay for biases and batch norms, as a Learner makes one."""
    groups = [[*net[0].parameters(), *net[1].parameters()], list(net[2].parameters())]
    made = kind(groups, lr=0.02)
    for weight in net.parameters():
        if weight.ndim == 1:
            made.state[weight]["do_wd"] = False
    made.set_hypers(lr=[0.004, 0.02], wd=0.1)
    return made


def _train(net: nn.Sequential, optimiser, seeds: range) -> None:
    """Steps whose gradients are drawn, the same for the same seed."""
    for seed in seeds:
        drawing = torch.Generator().manual_seed(seed)
        for weight in net.parameters():
            drawn = torch.randn(weight.shape, generator=drawing)
            if weight.requires_grad:
                # In memory as the weight is, which autograd sees to and the kernel relies on.
                weight.grad = torch.empty_like(weight).copy_(drawn)
        optimiser.set_hyper("mom", 0.95 - 0.01 * seed)
        optimiser.step()
        optimiser.zero_grad()


def test_steps_are_fastais():
    """Weights and state after ten steps, the first five of the head alone."""
    found = []
    for kind in (fastai.optimizer.Adam, Adam):
        net = _net()
        optimiser = _optimiser(kind, net)
        optimiser.freeze()
        _train(net, optimiser, range(5))
        optimiser.unfreeze()
        _train(net, optimiser, range(5, 10))
        found.append((list(net.parameters()), optimiser.state_dict()["state"]))
    (theirs, their_state), (ours, our_state) = found
    for wanted, got in zip(theirs, ours, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-6)
    assert [int(state["step"]) for state in our_state] == [state["step"] for state in their_state]
    for wanted, got in zip(their_state, our_state, strict=True):
        torch.testing.assert_close(got["sqr_avg"], wanted["sqr_avg"], rtol=1e-3, atol=1e-9)


def test_state_is_taken_up():
    """An optimiser with the state of another goes on as the other would."""
    weights = []
    for taken_up in (False, True):
        net = _net()
        optimiser = _optimiser(Adam, net)
        _train(net, optimiser, range(3))
        if taken_up:
            kept = optimiser.state_dict()
            optimiser = _optimiser(Adam, net)
            optimiser.load_state_dict(kept)
        _train(net, optimiser, range(3, 6))
        weights.append(list(net.parameters()))
    for wanted, got in zip(*weights, strict=True):
        assert torch.equal(wanted, got)


def test_frozen_weights_stay():
    """What has no gradient neither moves nor decays."""
    net = _net()
    optimiser = _optimiser(Adam, net)
    optimiser.freeze()
    before = [weight.clone() for weight in net.parameters()]
    _train(net, optimiser, range(2))
    moved = [not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True)]
    assert moved == [False] * 4 + [True] * 2


def test_state_of_fastais_own_is_taken_up():
    """A checkpoint that fastai's Adam left is gone on from as fastai's would."""
    weights = []
    for kind in (fastai.optimizer.Adam, Adam):
        net = _net()
        first = _optimiser(fastai.optimizer.Adam, net)
        _train(net, first, range(3))
        second = _optimiser(kind, net)
        second.load_state_dict(first.state_dict())
        _train(net, second, range(3, 6))
        weights.append(list(net.parameters()))
    for wanted, got in zip(*weights, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_weights_decay_and_biases_do_not(decay):
    """Without a gradient's push the weights shrink by rate times decay."""
    net = nn.Linear(3, 2).to(DEVICE)
    optimiser = Adam([[net.weight, net.bias]], lr=0.1, wd=decay)
    optimiser.state[net.bias]["do_wd"] = False
    before = [net.weight.clone(), net.bias.clone()]
    net.weight.grad, net.bias.grad = torch.zeros_like(net.weight), torch.zeros_like(net.bias)
    optimiser.step()
    torch.testing.assert_close(net.weight.data, before[0] * (1 - 0.1 * decay))
    assert torch.equal(net.bias, before[1])
