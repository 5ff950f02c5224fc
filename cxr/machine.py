"""The cores that this process may use, and how it gets memory from the system.

The functions on memory have no effect where the C library is not glibc.
"""

import contextlib
import ctypes
import gc
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # parameters of mallopt, <malloc.h>


def cores() -> int:
    """The cores that this process may use; in a container there are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """Applies `work` to each item, with one thread per core.

    This helps work that releases Python's lock most of the time, as NumPy does on large arrays.

    Returns:
        The results, in the order of the items.
    """
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(work, items))


def keep_freed_memory() -> None:
    """Makes the process keep freed memory, so that the next training step can use it.

    By default glibc returns blocks of some MB to the system at once, and the system clears every
    page before it hands it out again. That is half of a training step on a CPU at 384 px.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_MAX, 0)  # large blocks come from the heap too
        mallopt(_M_TRIM_THRESHOLD, -1)  # the end of the heap is never returned
        mallopt(_M_ARENA_MAX, 1)  # one heap for all threads, because other heaps are still trimmed


def share_freed_memory() -> None:
    """Limits the heaps of the process to one per core. Call it before there are threads.

    By default glibc gives nearly every thread a heap, and memory that is free in one heap is no use
    to the others. This saves a seventh of the memory of a busy server, and time.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, cores())


def give_back_freed_memory() -> None:
    """Collects reference cycles, and returns all free memory to the system.

    Otherwise the memory of a server grows with the largest requests that it ever had at a time:
    Python is slow to collect images that the traceback of a failed request holds, and glibc returns
    little more than the end of a heap. This takes milliseconds if the objects that were loaded at
    the start are frozen (gc.freeze).
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
