"""The frozen beginning of the body, compiled while a CPU trains behind it.

It only computes forward, so that its batch norms and activations melt into one pass over memory: a
step is a tenth faster (docs/alternatives/training.json). The rest is as fast without: its way back
loses what its way forward gains.
"""

import shutil
from typing import Any

import torch
from fastai.callback.core import Callback

from cxr.training import distributed

# Pixels that pass through. Compiling takes 10 to 20 s once and saves 30 ns a pixel; 1e9 are 300
# steps of 32 films at 320 px.
_WORTHWHILE = 1e9


def callbacks(films: int, size: int, device: torch.device) -> list[Callback]:
    """What compiles, where that is worth it; films: how many pass through, size: their side.

    Not on a GPU, where it was not measured, without a C++ compiler, or in several processes. What
    decides is the same when a training is gone on with.
    """
    worthwhile = films * size * size > _WORTHWHILE
    possible = device.type == "cpu" and distributed.processes() == 1 and shutil.which("g++")
    return [CompiledBeginning()] if worthwhile and possible else []


class CompiledBeginning(Callback):
    """Runs the stages of the body to stride 8 compiled in training; validates without.

    Where the compiler fails, training goes on as without it.
    """

    def __init__(self, backend: str = "inductor"):
        self.backend = backend

    def before_fit(self):
        torch._dynamo.config.suppress_errors = True
        net: Any = distributed.bare(self.model)
        self.stages = net.halves()[0]
        self.forwards = [
            torch.compile(stage.forward, dynamic=False, backend=self.backend)
            for stage in self.stages
        ]

    def before_train(self):
        for stage, forward in zip(self.stages, self.forwards, strict=True):
            stage.forward = forward

    def after_train(self):
        for stage in self.stages:
            vars(stage).pop("forward", None)

    def after_fit(self):
        self.after_train()
