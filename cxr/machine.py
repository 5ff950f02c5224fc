"""What this process was granted of the machine, and how it keeps it."""

import contextlib
import ctypes
import gc
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def cores() -> int:
    """The cores granted to this process, which in a container are fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """What `work` returns for each item, in order; as many at once as there are cores.

    For work that leaves Python's lock to others most of the time, as NumPy does on large arrays.
    """
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(work, items))


def keep_freed_memory() -> None:
    """Makes glibc keep what is freed, so that the next step of a training takes it again.

    By default it gives tensors of some MB back to the system at once, and the system hands every
    page out anew, zeroed, at the next step: half the time of one on a CPU at 384 px. Of no effect
    where the C library is another.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_MAX, 0)  # large blocks too come from the heap
        mallopt(_M_TRIM_THRESHOLD, -1)  # whose end is never given back
        mallopt(_M_ARENA_MAX, 1)  # and which all threads share: heaps of their own shrink


def share_freed_memory() -> None:
    """Makes the threads of a server take memory from as few heaps as there are cores.

    glibc gives nearly each its own, and what is free in one is of no use to the others: a seventh
    of a busy page's memory, and slower. To be called before there are threads; of no effect where
    the C library is another.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, cores())


def give_back_freed_memory() -> None:
    """Frees what only goes round in circles, and makes glibc give the system all that is free.

    By themselves Python is slow to look for images that a failed request's traceback holds, and
    glibc gives back little more than a heap's end: what a server holds would grow with what it was
    ever sent at once. Takes milliseconds where what was loaded at the start is frozen (gc.freeze).
    The second half is of no effect where the C library is another.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # <malloc.h>
