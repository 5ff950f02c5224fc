"""The cores of this process, and work in threads."""

import os
import threading
import time

import pytest

from cxr import machine


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot limit cores")
def test_cores_are_those_of_the_process():
    """A process that may use one core has one, whatever the machine has."""
    before = os.sched_getaffinity(0)
    assert machine.cores() == len(before)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert machine.cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_threads_keep_the_order_of_the_items():
    """Results have the order of the items, not that of their ends."""
    threads = set()

    def work(seconds):
        threads.add(threading.get_ident())
        time.sleep(seconds)
        return seconds

    assert machine.in_threads(work, iter([0.05, 0.0, 0.02])) == [0.05, 0.0, 0.02]
    assert threading.get_ident() not in threads
    assert machine.in_threads(work, []) == []


def test_error_in_a_thread_is_raised():
    """An error of the work is not lost."""
    with pytest.raises(ZeroDivisionError):
        machine.in_threads(lambda number: 1 / number, [1, 0])


def test_reference_cycles_are_collected():
    """Memory that only a cycle holds is given back."""

    class Node:
        ended = 0

        def __del__(self):
            Node.ended += 1

    node = Node()
    node.itself = node
    del node
    machine.give_back_freed_memory()
    assert Node.ended == 1
