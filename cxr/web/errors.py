"""Error messages for every request that fails, whether it comes from the page, a client or curl.

Gradio passes on the message of a `gr.Error`. For every other exception it tells the caller only
that there was an error; `Blocks` gives those a message. `APP` does so for requests that fail before
they reach a function of the page.
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

_SCHEME_LENGTH = 32  # an address has its "://" within so many characters
_ADDRESS = "An address was given in place of an image; send the image itself, as an uploaded file."
_DELETED = "This image is no longer here, because images are kept for one hour; upload it again."
_NOT_UPLOADED = "This file was not uploaded to this page; upload the image first."
_WRONG_VALUES = (
    "This request does not fit: a value is missing or has the wrong type; an image must be an "
    "uploaded file (in Python: handle_file(path))."
)
_FAILED = "The page failed to answer this request; try again later."
_BUSY = "Too many requests are waiting already; try again in a minute."
_NOT_UNDERSTOOD = "This request was not understood; check the endpoint's name and its values."


class Blocks(gr.Blocks):
    """A `gr.Blocks` that gives a message for every failure and drops sessions of one request."""

    async def preprocess_data(self, block_fn, inputs, state, explicit_call=False) -> Any:
        """Converts the values of a request to the arguments of a function.

        Raises:
            gr.Error: A value does not fit.
        """
        try:
            traverse(inputs, _check_file, is_file_obj)
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except gr.Error:
            raise
        except InvalidPathError as error:
            raise gr.Error(_NOT_UPLOADED, print_exception=False) from error
        except Exception as error:
            raise gr.Error(_WRONG_VALUES, print_exception=False) from error

    async def process_api(self, *args, **kwargs) -> dict[str, Any]:
        """Answers a request.

        Raises:
            gr.Error: The function failed.
        """
        try:
            return await super().process_api(*args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:
            raise gr.Error(_FAILED) from error  # Gradio prints the cause to the log
        finally:
            self._drop_session(kwargs.get("session_hash"), kwargs.get("event_id"))

    def _drop_session(self, session: str | None, event: str | None) -> None:
        """Drops the session of a caller who sent none, to which Gradio gives the name of the event.

        Nobody can come back to it, and it holds a copy of the whole page, 0.1 MB or more.
        """
        if session is not None and session == event:
            self.state_holder.session_data.pop(session, None)
            self.state_holder.time_last_used.pop(session, None)


def _check_file(file: dict[str, Any]) -> dict[str, Any]:
    """Checks a file that a request names. Raises gr.Error if it is not an uploaded file."""
    path = file["path"]
    if "://" in path[:_SCHEME_LENGTH]:
        raise gr.Error(_ADDRESS, print_exception=False)
    # Gradio itself rejects paths outside the upload folder, whether or not they exist.
    if not os.path.exists(path) and is_in_or_equal(path, get_upload_folder()):
        raise gr.Error(_DELETED, print_exception=False)
    return file


def _respond(message: str, status: int):
    def handle(request: fastapi.Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": message}, status)

    return handle


class _Catch:
    """Middleware that answers requests on which Gradio raises, and logs the type of the error."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            print(f"A request could not be answered: {type(error).__name__}.", file=sys.stderr)
            await JSONResponse({"detail": _NOT_UNDERSTOOD}, 400)(scope, receive, send)


# Arguments of launch() for FastAPI. Gradio answers 503 when the queue is full.
APP: dict[str, Any] = {
    "exception_handlers": {503: _respond(_BUSY, 503)},
    "middleware": [Middleware(_Catch)],
}
