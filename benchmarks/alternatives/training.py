"""What a training step could be made of, against what train.py does.

    python -m benchmarks.alternatives.training

Writes docs/alternatives/training.json, on a GPU training_gpu.json: for each way its seconds a film
over those of train.py's step, measured in turns on one repeated batch. That step has channels_last
and, on a CPU, float32, 32 films and freed memory kept, on a GPU bfloat16 and 64 films. A ratio
below 0.95 is worth taking. Taken are, in long trainings (cxr/training/compiled.py), the compiled
beginning on a CPU, where the whole compiled wins less and is compiled for longer, and on a GPU the
body compiled to CUDA graphs, without which Python launches the kernels too slowly to win.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastai.optimizer
import torch
import torch.nn.functional as F

from benchmarks import here, timing
from benchmarks.learning import SIZE, wait_for_gpu
from cxr import atomic, machine
from cxr.training import adam, compiled, learner, net
from cxr_labels import LABELS

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "starter"
GPU = torch.cuda.is_available()
OUTPUT = ROOT / "docs" / "alternatives" / ("training_gpu.json" if GPU else "training.json")
MEMORY = ("given back", "kept")
FILMS, ROUNDS = learner.batch_size(), 7  # FILMS: a step's
IN_A_ROW = 10 if GPU else 1  # steps that are measured together
WORTH = 0.95

Step = Callable[[], None]


def step(
    films: int = FILMS,
    channels_last: bool = True,
    part: str = "",
    mode: str | None = None,
    bf16: bool = GPU,
    tf32: bool = True,
    fixed: bool = True,
    optimiser: Callable[..., Any] = adam.Adam,
) -> Step:
    """Steps as train.py makes them, as many as are measured together; the first call done.

    On a CPU the early body is frozen and its batch norms are at rest. channels_last: the order of
    films and weights in memory. part: what of the network by torch.compile, in that mode: the
    "whole", its "body", or of that the "beginning", which is frozen on a CPU. bf16: forward under
    autocast. tf32: whether a GPU may convolve float32 in it. fixed: whether it may convolve by
    what gives the same each time alone, else by what it finds to be the fastest.
    """
    torch.manual_seed(0)
    device = torch.device("cuda" if GPU else "cpu")
    order = torch.channels_last if channels_last else torch.contiguous_format
    trained = net.load(MODEL).train().to(device).to(memory_format=order)
    groups = trained.parameter_groups()
    if not GPU:
        _freeze(trained, groups.pop(0))
    learning = optimiser(groups, lr=1e-5)
    batch = torch.rand(films, 1, SIZE, SIZE, device=device).contiguous(memory_format=order)
    targets = (torch.rand(films, len(LABELS), device=device) < 0.1).float()
    parts = {"whole": [trained], "body": [trained.body], "beginning": trained.halves()[0]}
    for module in parts.get(part, []):
        module.compile(dynamic=False, mode=mode)

    def run() -> None:
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cudnn.deterministic = fixed
        torch.backends.cudnn.benchmark = not fixed
        for _ in range(IN_A_ROW):
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                logits = trained(batch)
            F.binary_cross_entropy_with_logits(logits.float(), targets).backward()
            learning.step()
            learning.zero_grad()
        wait_for_gpu()

    run()
    return run


def _freeze(trained: torch.nn.Module, weights: list[torch.nn.Parameter]) -> None:
    for weight in weights:
        weight.requires_grad_(False)
    for layer in trained.modules():
        if isinstance(layer, torch.nn.BatchNorm2d) and not layer.weight.requires_grad:
            layer.eval()


def main() -> None:
    """Measures every way, each in turns with train.py's own, and writes what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--alone", choices=MEMORY, help="print the seconds of a step, and no more")
    options = parser.parse_args()
    if options.alone:
        print(_alone(options.alone))
        return
    torch.compiler.config.force_disable_caches = True  # so that compiling takes its time
    rows = _on_gpu() if GPU else _on_cpu()
    found = {"machine": here.description(), "ways": rows}
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(OUTPUT, json.dumps(found, indent=2) + "\n")
    for row in rows:
        print(row)


def _on_cpu() -> list[dict[str, Any]]:
    rows = [_memory()]  # first: from then on this process keeps its own
    machine.keep_freed_memory()
    ours = step()
    return [
        *rows,
        _against(ours, "contiguous", lambda: step(channels_last=False)),
        _against(ours, "torch.compile, whole", lambda: step(part="whole")),
        _against(ours, "torch.compile, frozen beginning", lambda: step(part="beginning")),
        _against(ours, "bf16 autocast", lambda: step(bf16=True)),
        _against(ours, "16 films a step", lambda: step(films=16), 16),
        _against(ours, "64 films a step", lambda: step(films=64), 64),
        _against(ours, "fastai's own Adam", lambda: step(optimiser=fastai.optimizer.Adam)),
    ]


def _on_gpu() -> list[dict[str, Any]]:
    ours = step()
    graphs = compiled.CompiledBody.mode
    return [
        _against(ours, "contiguous", lambda: step(channels_last=False)),
        _against(ours, "float32", lambda: step(bf16=False)),
        _against(ours, "float32 without TF32", lambda: step(bf16=False, tf32=False)),
        _against(ours, "fastest convolutions", lambda: step(fixed=False)),
        _against(ours, "torch.compile, whole", lambda: step(part="whole")),
        _against(ours, "torch.compile, body, CUDA graphs", lambda: step(part="body", mode=graphs)),
        _against(ours, "32 films a step", lambda: step(films=32), 32),
        _against(ours, "128 films a step", lambda: step(films=128), 128),
        _against(ours, "256 films a step", lambda: step(films=256), 256),
        _against(ours, "fastai's own Adam", lambda: step(optimiser=fastai.optimizer.Adam)),
    ]


def _against(ours: Step, way: str, make: Callable[[], Step], films: int = FILMS) -> dict[str, Any]:
    """A way's seconds a film over train.py's, in turns."""
    begun = time.perf_counter()
    try:
        other = make()
    except Exception as error:  # torch.compile without a C++ compiler, whatever it raises
        return {"way": way, "ratio": None, "why": str(error).strip().splitlines()[0]}
    first = time.perf_counter() - begun
    ratio = timing.ratio(
        lambda: timing.once(other) / films, lambda: timing.once(ours) / FILMS, ROUNDS
    )
    return _row(way, ratio) | {"seconds before the first step is done": round(first, 1)}


def _memory() -> dict[str, Any]:
    """The same step where freed memory is given back, each in a process of its own, in turns."""

    def seconds(memory: str) -> float:
        command = [sys.executable, "-m", "benchmarks.alternatives.training", "--alone", memory]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return float(done.stdout)

    given_back, kept = MEMORY
    ratio = timing.ratio(lambda: seconds(given_back), lambda: seconds(kept), rounds=3)
    return _row("freed memory given back", ratio)


def _alone(memory: str) -> float:
    if memory == "kept":
        machine.keep_freed_memory()
    run = step()
    return statistics.median(timing.once(run) for _ in range(ROUNDS))


def _row(way: str, ratio: float) -> dict[str, Any]:
    return {"way": way, "ratio": round(ratio, 3), "worth taking": ratio < WORTH}


if __name__ == "__main__":
    main()
