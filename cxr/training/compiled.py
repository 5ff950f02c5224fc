"""What of the network is compiled while a long training runs.

On a CPU the frozen beginning of the body: it only computes forward, so that its batch norms and
activations melt into one pass over memory, and a step takes 0.92 to 0.97 of its time. The rest is
as fast without: its way back loses what its way forward gains. On a GPU the whole body, replayed
as CUDA graphs: launched one by one from Python, its kernels would come no faster than those that
are not compiled (docs/alternatives/training.json and training_gpu.json).
"""

import shutil
from typing import Any

import torch
from fastai.callback.core import Callback

from cxr.training import distributed

# Pixels that pass through, by device. Compiling takes a CPU 10 to 20 s once and saves it 30 ns a
# pixel; 1e9 are 300 steps of 32 images at 320 px. It takes an H100 33 s and saves 1.3 ns of 4.1 a
# pixel: from 4e10 on, 50,000 images of 320 px for eight epochs, a training is over a tenth sooner.
_WORTHWHILE = {"cpu": 1e9, "cuda": 4e10}


def callbacks(images: int, size: int, device: torch.device) -> list[Callback]:
    """What compiles, where that is worth it; images: how many pass through, size: their side.

    Not without a C++ compiler, or in several processes. What decides is the same when a training
    is gone on with.
    """
    worthwhile = images * size * size > _WORTHWHILE.get(device.type, float("inf"))
    possible = distributed.processes() == 1 and shutil.which("g++")
    if not (worthwhile and possible):
        return []
    return [CompiledBeginning() if device.type == "cpu" else CompiledBody()]


class _Compiled(Callback):
    """Runs parts of the network compiled in training; validates without.

    Where the compiler fails, training goes on as without it.
    """

    mode: str | None = None

    def __init__(self, backend: Any = "inductor"):
        self.backend = backend

    def before_fit(self):
        torch._dynamo.config.suppress_errors = True
        self.parts = self.chosen(distributed.bare(self.model))
        mode = self.mode if self.backend == "inductor" else None
        self.forwards = [
            torch.compile(part.forward, dynamic=False, backend=self.backend, mode=mode)
            for part in self.parts
        ]

    def before_train(self):
        for part, forward in zip(self.parts, self.forwards, strict=True):
            part.forward = forward

    def after_train(self):
        for part in self.parts:
            vars(part).pop("forward", None)

    def after_fit(self):
        self.after_train()


class CompiledBeginning(_Compiled):
    """The stages of the body to stride 8, each by itself."""

    def chosen(self, net: Any) -> list[Any]:
        return net.halves()[0]


class CompiledBody(_Compiled):
    """The body, as CUDA graphs."""

    mode = "reduce-overhead"

    def chosen(self, net: Any) -> list[Any]:
        return [net.body]
