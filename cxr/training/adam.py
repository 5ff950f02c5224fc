"""fastai's Adam, which steps over all weights of a group at once.

fastai's own goes from tensor to tensor in Python, with eight small operations for each of the
network's 148: on an H100 a step then takes 1.6 times as long (docs/alternatives/training_gpu.json).
"""

from collections.abc import Sequence
from typing import Any

import torch
from fastai.optimizer import Optimizer
from torch.optim.adamw import adamw


class Adam(Optimizer):
    """Adam with decoupled weight decay: hyperparameters, state and steps as fastai.optimizer.Adam.

    Biases and batch norms, which fastai marks by do_wd, do not decay.
    """

    def __init__(
        self,
        params: Sequence,
        lr: float,
        mom: float = 0.9,
        sqr_mom: float = 0.99,
        eps: float = 1e-5,
        wd: float = 0.01,
    ):
        super().__init__(params, [], lr=lr, mom=mom, sqr_mom=sqr_mom, eps=eps, wd=wd)

    @torch.no_grad()
    def step(self, closure=None):
        for group, hyper in zip(self.param_lists, self.hypers, strict=True):
            learning = [weight for weight in group if weight.grad is not None]
            decaying = [w for w in learning if self.state[w].get("do_wd", True)]
            others = [w for w in learning if not self.state[w].get("do_wd", True)]
            self._step(decaying, hyper, hyper["wd"])
            self._step(others, hyper, 0.0)

    def zero_grad(self):
        for group in self.param_lists:
            for weight in group:
                weight.grad = None

    def _step(self, weights: list[torch.Tensor], hyper: dict[str, Any], decay: float) -> None:
        if not weights:
            return
        states = [self._state(weight) for weight in weights]
        averages, squares, steps = (
            [state[name] for state in states] for name in ("grad_avg", "sqr_avg", "step")
        )
        adamw(
            weights,
            [weight.grad for weight in weights if weight.grad is not None],
            averages,
            squares,
            [],
            steps,
            fused=True,
            amsgrad=False,
            beta1=hyper["mom"],
            beta2=hyper["sqr_mom"],
            lr=hyper["lr"],
            weight_decay=decay,
            eps=hyper["eps"],
            maximize=False,
        )

    def _state(self, weight: torch.Tensor) -> dict[str, Any]:
        """Of one weight; begun where it learns for the first time."""
        state = self.state[weight]
        if "step" not in state:
            state["grad_avg"] = torch.zeros_like(weight)
            state["sqr_avg"] = torch.zeros_like(weight)
            state["step"] = torch.zeros((), device=weight.device)
        if not torch.is_tensor(state["step"]):  # in a checkpoint of fastai's own
            state["step"] = torch.tensor(float(state["step"]), device=weight.device)
        return state
