"""A call that may take only so long: for what others serve, and for models that others made."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_T = TypeVar("_T")


def within(seconds: float, call: Callable[[], _T]) -> _T:
    """What the call returns or raises; TimeoutError when it takes longer.

    A call that takes longer goes on by itself, until it or the program ends: nothing in Python
    can stop a thread.
    """
    done: Future[_T] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except Exception as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done.result(seconds)
