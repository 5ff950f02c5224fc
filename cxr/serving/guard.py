"""What Gradio alone would answer without words, and with a traceback that quotes what was sent.

Both come before any code of the page: an input that is no upload (an address, a path on this
machine, anything else), and a request that is not of the form that Gradio takes for granted.
"""

import sys
from typing import Any

import cxr.serving.quick_start  # noqa: F401  # isort: skip
import gradio as gr
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ADDRESS = "An address was given in place of a film; download the film and send the file itself."
_UNFIT = (
    "What was sent is not an uploaded file, or does not fit this endpoint; upload the film first "
    "and send what the upload answered."
)
_REQUEST = "This request could not be understood; send it as the documentation shows."


class Page(gr.Blocks):
    """Blocks that say in a sentence what is wrong with an input, and fetch nothing for anyone."""

    async def preprocess_data(self, block_fn, inputs: list[Any], *rest: Any, **named: Any):
        """As Gradio's. Raises gr.Error alone, which it neither prints nor leaves without words."""
        if any(_is_address(given) for given in inputs):
            raise gr.Error(_ADDRESS, print_exception=False)
        try:
            return await super().preprocess_data(block_fn, inputs, *rest, **named)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            raise gr.Error(_UNFIT, print_exception=False) from error


class _Worded:
    """Answers a request that Gradio stumbles over; stderr has the kind of error and no more."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            print(f"A request could not be answered: {type(error).__name__}.", file=sys.stderr)
            await JSONResponse({"detail": _REQUEST}, status_code=400)(scope, receive, send)


APP: dict[str, Any] = {"middleware": [Middleware(_Worded)]}  # what launch() is given


def _is_address(given: Any) -> bool:
    """Whether an input, or a part of it, is a file that would have to be fetched."""
    if isinstance(given, dict):
        path = given.get("path")
        if isinstance(path, str) and "://" in path[:32]:
            return True
        return any(_is_address(value) for value in given.values())
    return isinstance(given, list) and any(_is_address(value) for value in given)
