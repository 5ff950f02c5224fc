"""What a training step on a CPU could be made of, against what train.py does.

    python -m benchmarks.alternatives.training

Writes docs/alternatives/training.json: for each way its seconds a film over those of the step with
channels_last, float32, 32 films and freed memory kept, measured in turns on one repeated batch. A
ratio below 0.95 is worth taking. Taken is the compiled beginning (cxr/training/compiled.py): the
whole compiled wins less and is compiled for longer.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks import here, timing
from benchmarks.learning import SIZE
from cxr import atomic, machine
from cxr.training import net
from cxr_labels import LABELS

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "starter"
OUTPUT = ROOT / "docs" / "alternatives" / "training.json"
MEMORY = ("given back", "kept")
FILMS, ROUNDS = 32, 7  # FILMS: a step's
WORTH = 0.95

Step = Callable[[], None]


def step(
    films: int = FILMS, channels_last: bool = True, compiled: str = "", bf16: bool = False
) -> Step:
    """One step as on a CPU, early body frozen and its batch norms at rest; its first call done.

    channels_last: the order of films and weights in memory. compiled: what of the network by
    torch.compile, "whole", or its frozen "beginning". bf16: forward under autocast.
    """
    torch.manual_seed(0)
    order = torch.channels_last if channels_last else torch.contiguous_format
    trained = net.load(MODEL).train().to(memory_format=order)
    frozen, *learned = trained.parameter_groups()
    for parameter in frozen:
        parameter.requires_grad_(False)
    for layer in trained.modules():
        if isinstance(layer, torch.nn.BatchNorm2d) and not layer.weight.requires_grad:
            layer.eval()
    optimiser = torch.optim.AdamW([p for group in learned for p in group], lr=1e-5)
    batch = torch.rand(films, 1, SIZE, SIZE).contiguous(memory_format=order)
    targets = (torch.rand(films, len(LABELS)) < 0.1).float()
    parts = {"whole": [trained], "beginning": trained.halves()[0]}.get(compiled, [])
    for part in parts:
        part.compile(dynamic=False)

    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = trained(batch)
        F.binary_cross_entropy_with_logits(logits.float(), targets).backward()
        optimiser.step()
        optimiser.zero_grad()

    run()
    return run


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
    os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"  # so that compiling takes its time
    rows = [_memory()]  # first: from then on this process keeps its own
    machine.keep_freed_memory()
    ours = step()
    rows += [
        _against(ours, "contiguous", lambda: step(channels_last=False)),
        _against(ours, "torch.compile, whole", lambda: step(compiled="whole")),
        _against(ours, "torch.compile, frozen beginning", lambda: step(compiled="beginning")),
        _against(ours, "bf16 autocast", lambda: step(bf16=True)),
        _against(ours, "16 films a step", lambda: step(films=16), 16),
        _against(ours, "64 films a step", lambda: step(films=64), 64),
    ]
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(
        OUTPUT, json.dumps({"machine": here.description(), "ways": rows}, indent=2) + "\n"
    )
    for row in rows:
        print(row)


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
