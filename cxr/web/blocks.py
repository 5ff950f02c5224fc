"""gr.Blocks, whose every failure is a sentence for a layman, whoever asks: page, client or curl.

What a function raises as gr.Error, Gradio hands on. Of all else it tells the caller nothing but
that there was an error; `Blocks` says what it was. What fails before a request reaches the page
is worded by `APP`.
"""

import os
import sys
from typing import Any

import fastapi
import gradio as gr
from fastapi.responses import JSONResponse
from gradio.exceptions import InvalidPathError
from gradio.utils import get_upload_folder, is_in_or_equal
from gradio_client.utils import is_file_obj, traverse
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SCHEME = 32  # characters, within which a path that is an address says so
_ADDRESS = "An address was given in place of an image; send the image itself, as an uploaded file."
_GONE = "This image is no longer here, as images are kept for an hour only; upload it again."
_NOT_UPLOADED = "This file was not uploaded to this page; upload the image first."
_DOES_NOT_FIT = (
    "This request does not fit: a value is missing, or is of another kind than asked for; an image "
    "goes in as an uploaded file (in Python: handle_file(path))."
)
_FAILED = "This could not be answered, through a fault of the page; try it again later."
_BUSY = "Too many requests are waiting already; try again in a minute."
_NOT_UNDERSTOOD = "This request was not understood; check the endpoint's name and its values."


class Blocks(gr.Blocks):
    """A page whose every failure is a sentence, and that forgets callers who cannot come back."""

    async def preprocess_data(self, block_fn, inputs, state, explicit_call=False) -> Any:
        """What a function is given for what a request brought. Raises gr.Error."""
        try:
            traverse(inputs, _check_file, is_file_obj)
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except gr.Error:
            raise
        except InvalidPathError as error:
            raise gr.Error(_NOT_UPLOADED, print_exception=False) from error
        except Exception as error:
            raise gr.Error(_DOES_NOT_FIT, print_exception=False) from error

    async def process_api(self, *args, **kwargs) -> dict[str, Any]:
        """The answer to a request. Raises gr.Error."""
        try:
            return await super().process_api(*args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:
            raise gr.Error(_FAILED) from error  # whose cause is printed to the log
        finally:
            self._forget(kwargs.get("session_hash"), kwargs.get("event_id"))

    def _forget(self, session: str | None, event: str | None) -> None:
        """Drops the session of a caller who has none, which Gradio names as it names the call.

        It holds a copy of the whole page, a tenth of a MB or more, for nobody.
        """
        if session is not None and session == event:
            self.state_holder.session_data.pop(session, None)
            self.state_holder.time_last_used.pop(session, None)


def _check_file(given: dict[str, Any]) -> dict[str, Any]:
    """A file as a request names it. Raises gr.Error when it is none that was uploaded."""
    path = given["path"]
    if "://" in path[:_SCHEME]:
        raise gr.Error(_ADDRESS, print_exception=False)
    # Of other places nobody is told what lies there; Gradio rejects them by itself.
    if not os.path.exists(path) and is_in_or_equal(path, get_upload_folder()):
        raise gr.Error(_GONE, print_exception=False)
    return given


def _say(sentence: str, status: int):
    def answer(request: fastapi.Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": sentence}, status)

    return answer


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
            await JSONResponse({"detail": _NOT_UNDERSTOOD}, 400)(scope, receive, send)


# What launch() is given for FastAPI. 503 is Gradio's answer when the queue is full.
APP: dict[str, Any] = {
    "exception_handlers": {503: _say(_BUSY, 503)},
    "middleware": [Middleware(_Worded)],
}
