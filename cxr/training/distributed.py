"""Training in several processes, which `accelerate launch` starts.

Each process takes its share of the images of an epoch, and gradients are averaged over all of
them. The main process alone decodes, writes, exports, measures and prints. With one process, the
functions here do nothing.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import accelerate
import torch
from fastai.distributed import DistributedDL
from fastai.learner import Learner
from fastcore.basics import patch
from torch import nn

_T = TypeVar("_T")
# How long processes wait for another, such as for the decoding. A dead process ends them anyway.
_PATIENCE = timedelta(days=7)


def processes() -> int:
    """Returns the number of processes: 1 without `accelerate launch`."""
    return int(os.environ.get("WORLD_SIZE", 1))


def rank() -> int:
    """Returns the number of this process; 0 is the main one."""
    return int(os.environ.get("RANK", 0)) if processes() > 1 else 0


def is_main() -> bool:
    """Returns whether this process is the one that decodes, writes and prints."""
    return rank() == 0


@contextmanager
def joined() -> Iterator[None]:
    """Connects the processes within the block, where only the main one prints.

    Raises:
        ValueError: They run on several machines, which do not share a pixel cache.
    """
    if processes() == 1:
        yield
        return
    if int(os.environ.get("LOCAL_WORLD_SIZE", processes())) != processes():
        raise ValueError("train.py trains on one machine; launch it with --num_machines 1.")
    # This also gives each process its device.
    accelerate.PartialState(cpu=not torch.cuda.is_available(), timeout=_PATIENCE)
    try:
        if is_main():
            yield
        else:
            with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
                yield
    finally:
        torch.distributed.destroy_process_group()


def from_main(compute: Callable[[], _T]) -> _T:
    """Computes a value in the main process and returns it in all; if it fails, the others end."""
    if processes() == 1:
        return compute()
    result: list = [False, None]  # whether it succeeded, and the value
    try:
        if is_main():
            with _alone():
                result = [True, compute()]
    finally:
        torch.distributed.broadcast_object_list(result, src=0)
    if not result[0]:
        raise SystemExit(1)  # the main process prints the reason
    return result[1]


def main_first(compute: Callable[[], _T]) -> _T:
    """Computes a value in all processes, in the main one before the others."""
    own: list[_T] = []
    from_main(lambda: own.append(compute()))
    return own[0] if is_main() else compute()


def gathered(value: _T) -> list[_T]:
    """Returns the values of all processes, in their order."""
    if processes() == 1:
        return [value]
    values: list = [None] * processes()
    torch.distributed.all_gather_object(values, value)
    return values


@contextmanager
def own_folder(folder: Path) -> Iterator[Path]:
    """Gives the main process the folder, and each other one a temporary folder, to write to."""
    if is_main():
        yield folder
    else:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)


@contextmanager
def shared(learn: Learner) -> Iterator[None]:
    """Within the block the learner trains in all processes, each on its share of the images.

    Each image is used once per epoch; if the images do not divide evenly, some fill up the last
    batch. At the end all processes have the same network.
    """
    if processes() == 1:
        yield
        return
    # fastai drops the last, smaller batch, which would be one batch in each process.
    learn.dls.train.drop_last = False
    # Each process has its own batch norm statistics: converted to synchronised ones, timm's layers
    # would lose their activation, and the batch of a process is large enough. At the end all take
    # the running statistics of the main process.
    with learn.distrib_ctx(sync_bn=False):
        yield
    for buffer in learn.model.buffers():
        torch.distributed.broadcast(buffer, src=0)


def bare(model: nn.Module) -> nn.Module:
    """Returns the network without the wrapper that it has while several processes train."""
    return getattr(model, "module", model)


@contextmanager
def _alone() -> Iterator[None]:
    """Within the block fastai sees one process only, and does not wait for others."""
    count = os.environ.pop("WORLD_SIZE")
    try:
        yield
    finally:
        os.environ["WORLD_SIZE"] = count


@patch
def _broadcast(self: DistributedDL, indices: list[int], source: int) -> list[int]:
    """Replaces fastai's own, which moves the indices to a GPU even where there is none."""
    shared = torch.tensor(indices, device=self.device)
    torch.distributed.broadcast(shared, source)
    return shared.tolist()
