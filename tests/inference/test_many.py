"""The one loop over many images: in order, in constant memory."""

import os
import threading
import time
from pathlib import Path

import pytest

from benchmarks import child
from cxr.inference.many import map_in_order


def test_results_come_in_the_order_of_the_items():
    """Whichever item is done first."""

    def work(item: int) -> int:
        time.sleep(0.02 if item % 3 == 0 else 0)
        return item

    assert list(map_in_order(work, range(20), workers=3)) == list(range(20))


def test_two_items_per_worker_are_held():
    """Items are read no further than that ahead of the results that were taken."""
    read = []

    def items():
        for item in range(100):
            read.append(item)
            yield item

    results = map_in_order(lambda item: item, items(), workers=3)
    for taken in range(1, 50):
        next(results)
        assert len(read) <= taken + 2 * 3


def test_error_of_the_work_comes_at_its_turn():
    """The results before it are given, and nothing after it is begun."""
    begun = []

    def work(item: int) -> float:
        begun.append(item)
        return 1 / (item - 3)

    results = map_in_order(work, range(1000), workers=2)
    assert [next(results) for _ in range(3)] == [1 / -3, 1 / -2, -1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert len(begun) < 20


def test_items_that_wait_are_dropped_when_nobody_takes_results():
    """Of four items that were read, the one that no worker had time for is never begun."""
    begun, released = [], threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item:
            released.wait()

    results = map_in_order(work, range(100), workers=2)
    next(results)
    threading.Timer(0.5, released.set).start()
    results.close()
    assert max(begun) < 3


@pytest.mark.slow
def test_memory_does_not_grow_with_the_images(hundred_images, tmp_path):
    """1,100 more images take less memory than they would if all were held."""
    few, many = tmp_path / "few", tmp_path / "many"
    for folder, copies in ((few, 1), (many, 12)):
        folder.mkdir()
        for path in sorted(hundred_images.iterdir()):
            for copy in range(copies):
                os.link(path, folder / f"{path.stem}-{copy}.png")

    def peak(folder: Path) -> float:
        """The peak of the resident memory of `predict` on a folder, in MB."""
        output = ("--json", "--output", str(tmp_path / "results.json"))
        return child.run("-m", "cxr", "predict", "models/starter", str(folder), *output).memory

    held = 1100 * 256 * 256 / 2**20  # MB of the decoded images alone
    assert peak(many) - peak(few) < 0.6 * held
