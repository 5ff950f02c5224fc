"""Several processes that train one network together, as `accelerate launch` starts them.

Each takes its share of an epoch's images, and gradients are averaged over all. The main process
alone decodes, writes, exports, measures and prints. With one process nothing here does anything.
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

Answer = TypeVar("Answer")
# For what the others wait for, such as the decoding of all images. One that died ends them anyway.
_PATIENCE = timedelta(days=7)


def processes() -> int:
    """How many train together: 1 without `accelerate launch`."""
    return int(os.environ.get("WORLD_SIZE", 1))


def rank() -> int:
    """The number of this process, from 0, which is the main one."""
    return int(os.environ.get("RANK", 0)) if processes() > 1 else 0


def is_main() -> bool:
    """Whether this process is the one that decodes, writes and prints."""
    return rank() == 0


@contextmanager
def joined() -> Iterator[None]:
    """Joins the processes for as long as they train together; the others print nothing.

    Raises ValueError when they are of several machines, which share no cache of images.
    """
    if processes() == 1:
        yield
        return
    if int(os.environ.get("LOCAL_WORLD_SIZE", processes())) != processes():
        raise ValueError("train.py trains on one machine; launch it with --num_machines 1.")
    # Gives each process its device too.
    accelerate.PartialState(cpu=not torch.cuda.is_available(), timeout=_PATIENCE)
    try:
        if is_main():
            yield
        else:
            with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
                yield
    finally:
        torch.distributed.destroy_process_group()


def from_main(compute: Callable[[], Answer]) -> Answer:
    """What the main process computes, in all of them; where it fails there, the others end."""
    if processes() == 1:
        return compute()
    answer: list = [False, None]  # whether it came off, and what came of it
    try:
        if is_main():
            with _alone():
                answer = [True, compute()]
    finally:
        torch.distributed.broadcast_object_list(answer, src=0)
    if not answer[0]:
        raise SystemExit(1)  # the main process says why
    return answer[1]


def main_first(compute: Callable[[], Answer]) -> Answer:
    """Computes it in all processes, in the main one before the others."""
    own: list[Answer] = []
    from_main(lambda: own.append(compute()))
    return own[0] if is_main() else compute()


def gathered(value: Answer) -> list[Answer]:
    """Everybody's value, by the number of the process."""
    if processes() == 1:
        return [value]
    values: list = [None] * processes()
    torch.distributed.all_gather_object(values, value)
    return values


@contextmanager
def own_folder(folder: Path) -> Iterator[Path]:
    """Where this process writes: the folder, or for the others one that is thrown away."""
    if is_main():
        yield folder
    else:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)


@contextmanager
def shared(learn: Learner) -> Iterator[None]:
    """Within it the learner trains in all processes at once, each on its share of the images.

    Every image is seen once an epoch; where the images do not divide evenly, some fill up the last
    batch. At the end all processes hold the same network.
    """
    if processes() == 1:
        yield
        return
    # A process's last batch is smaller: dropped, as fastai does, it would be one for each process.
    learn.dls.train.drop_last = False
    # Batch norm is left to each process: converted, timm's layers would lose their activation,
    # and a process's batch is large enough. So its running means are the main process's.
    with learn.distrib_ctx(sync_bn=False):
        yield
    for buffer in learn.model.buffers():
        torch.distributed.broadcast(buffer, src=0)


def bare(model: nn.Module) -> nn.Module:
    """The network without what wraps it while processes train together."""
    return getattr(model, "module", model)


@contextmanager
def _alone() -> Iterator[None]:
    """fastai takes this process for the only one, and waits for no other."""
    count = os.environ.pop("WORLD_SIZE")
    try:
        yield
    finally:
        os.environ["WORLD_SIZE"] = count


@patch
def _broadcast(self: DistributedDL, indices: list[int], source: int) -> list[int]:
    """fastai's own moves the indices to a GPU, where there may be none."""
    shared = torch.tensor(indices, device=self.device)
    torch.distributed.broadcast(shared, source)
    return shared.tolist()
