"""How long work takes, and how long it takes against other work, measured in turns."""

import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

ROUNDS = 7


def seconds(work: Callable[[Any], Any], items: Iterable[Any]) -> float:
    """Seconds that the work takes on all items, one after the other."""
    begun = time.perf_counter()
    for item in items:
        work(item)
    return time.perf_counter() - begun


def once(work: Callable[[], Any]) -> float:
    """Seconds that the work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def ratio(ours: Callable[[], float], theirs: Callable[[], float], rounds: int = ROUNDS) -> float:
    """Median of ours / theirs over rounds in which each is measured once, after one unmeasured.

    In turns, because the speed of a shared machine drifts within a minute.
    """
    ours(), theirs()
    return statistics.median(ours() / theirs() for _ in range(rounds))
