"""How long work takes, and how long relative to other work, measured in turns."""

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


def ratios(
    reference: Callable[[], float], *others: Callable[[], float], rounds: int = ROUNDS
) -> list[float]:
    """Median of reference / other for each of the others.

    All are measured once in each round, because the speed of a shared machine drifts within a
    minute. A first round is not counted.

    Args:
        reference: Measures the numerator and returns it.
        *others: Each measures a denominator and returns it.
        rounds: Number of counted rounds.
    """
    measured = []
    for _ in range(rounds + 1):
        numerator = reference()
        measured.append([numerator / other() for other in others])
    return [statistics.median(column) for column in zip(*measured[1:], strict=True)]


def ratio(ours: Callable[[], float], theirs: Callable[[], float], rounds: int = ROUNDS) -> float:
    """Median of ours / theirs, measured in turns as by `ratios`."""
    return ratios(ours, theirs, rounds=rounds)[0]
