"""Calls with a time limit, for servers and models that belong to others."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_T = TypeVar("_T")


def run_with_timeout(call: Callable[[], _T], seconds: float) -> _T:
    """Runs a call in a thread of its own and waits for it.

    Python cannot stop a thread. A call that takes too long continues in the background until it
    ends or the program does.

    Returns:
        What the call returns.

    Raises:
        TimeoutError: The call takes longer than that.
        Exception: Whatever the call raises.
    """
    done: Future[_T] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except Exception as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done.result(seconds)
