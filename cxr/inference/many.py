"""The one loop over many images: in parallel, in order, in constant memory.

`results.of_files` (the command line, `/predict_many`, the tab for several images), `api.Model` and
`cxr.evaluation.predictions` use it. The cache of a training decodes in processes instead
(`cxr.training.pixels`), and each actor of a Ray cluster has one core (`ray_cluster`).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from cxr import machine

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def map_in_order(
    work: Callable[[_Item], _Result], items: Iterable[_Item], workers: int | None = None
) -> Iterator[_Result]:
    """Applies `work` to each item in threads and yields the results in the order of the items.

    Decoding an image and running the network both release Python's lock, so threads use all cores.
    At most two items for each worker are in memory at a time, results that wait for their turn
    included. When the iterator is closed, items that have not begun are dropped.

    Args:
        work: Called from several threads at a time.
        items: Read only as far as the work has come.
        workers: The number of threads; by default the number of cores.

    Raises:
        Whatever `work` raises, when the turn of its item comes.
    """
    workers = workers or machine.cores()
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[Future[_Result]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) >= 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
