"""The Hugging Face Hub: how its models are named, and what goes wrong with it in one sentence.

Both halves talk to it: the training half sends model folders, the serving half fetches them.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cxr.model.errors import HubAway, HubError

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?P<repository>{_PART}/{_PART})(?:@(?P<revision>.*))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubName:
    """A repository on the Hub, and the commit that pins it: 40 hex digits, None for its newest."""

    repository: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}" if self.revision else self.repository


def parse(text: str) -> HubName:
    """Reads OWNER/NAME or OWNER/NAME@REVISION. Raises HubError with what is wrong with it."""
    found = _NAME.fullmatch(text)
    if found is None or "--" in text or ".." in text:
        raise HubError(f"{text!r} is not a name on the Hub; it should read OWNER/NAME.")
    revision = found["revision"]
    if revision is not None and not _COMMIT.fullmatch(revision):
        raise HubError(
            f"The revision {revision!r} is not a full commit; pin {found['repository']!r} by all "
            "40 digits, as its page on the Hub and `python -m cxr publish` show them."
        )
    return HubName(found["repository"], revision)


@contextmanager
def speaking_plainly(name: HubName) -> Iterator[None]:
    """Turns what the Hub's client raises about `name` into a HubError; other errors pass."""
    try:
        yield
    except HubError:
        raise
    except Exception as error:
        # What goes wrong while one of several files is sent comes wrapped in a RuntimeError.
        wrapped = isinstance(error, RuntimeError) and error.__cause__
        said = _said(name, wrapped or error)
        if said is None:
            raise
        raise said from error


def give_up_in_time() -> None:
    """Makes the Hub's client give up where nobody answers.

    That is after SECONDS_TO_CONNECT or SECONDS_SILENT; by itself it waits without end, and then
    five times more. What is rejected or cut it still tries again, for up to 23 s.
    """
    import httpx2
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils._http import default_client_factory

    class Client(httpx2.Client):
        def send(self, request: httpx2.Request, **options) -> httpx2.Response:
            # Some of its calls ask for no limit at all.
            asked, own = request.extensions.get("timeout", {}), self.timeout.as_dict()
            limits = {k: own[k] if asked.get(k) is None else asked[k] for k in own}
            request.extensions = {**request.extensions, "timeout": limits}
            try:
                return super().send(request, **options)
            except httpx2.TimeoutException as error:
                raise HubAway(UNREACHABLE) from error  # which is not tried again

    def make() -> httpx2.Client:
        with default_client_factory() as usual:
            return Client(
                event_hooks=usual.event_hooks,
                follow_redirects=True,
                timeout=httpx2.Timeout(SECONDS_SILENT, connect=SECONDS_TO_CONNECT),
            )

    set_client_factory(make)


# Without a connection, and without a word over one: then the Hub counts as away.
SECONDS_TO_CONNECT, SECONDS_SILENT = 10.0, 60.0

UNREACHABLE = "The Hub cannot be reached; check the network, then try again."
NOT_THE_HUB = "What answers is not the Hub; check the network and HF_ENDPOINT."
NOT_SIGNED_IN = (
    "You are not signed in to the Hub; run `hf auth login`, or set HF_TOKEN to a token that may "
    "write."
)


def _said(name: HubName, error: BaseException) -> HubError | None:
    """What the client raised, in one sentence; None where it is none of its errors."""
    # Only here: the client takes a second to load, and a model on disk needs none of it.
    import httpx2
    from huggingface_hub import errors

    match error:
        case HubError():
            return error
        case errors.LocalTokenNotFoundError():
            return HubError(NOT_SIGNED_IN)
        case errors.OfflineModeIsEnabled():
            return HubAway("The Hub is switched off here by HF_HUB_OFFLINE; unset it.")
        case errors.HfHubHTTPError():
            status = error.response.status_code
            away = status == 429 or status >= 500
            return (HubAway if away else HubError)(_rejection(name, error))
        case errors.HFValidationError():
            return HubError(f"{name.repository!r} is not a name that the Hub takes.")
        case json.JSONDecodeError() | errors.FileMetadataError():
            return HubAway(NOT_THE_HUB)
        case errors.LocalEntryNotFoundError() | httpx2.HTTPError() | httpx2.InvalidURL():
            return HubAway(UNREACHABLE)
        case ConnectionError():
            return HubAway(UNREACHABLE)
    return None


def _rejection(name: HubName, error) -> str:
    """The sentence for an answer of the Hub that is no success. error: HfHubHTTPError."""
    from huggingface_hub import errors

    status = error.response.status_code
    match error:
        case errors.GatedRepoError():
            return (
                f"{name.repository!r} asks you to accept its terms first, on its page on the Hub."
            )
        case errors.RevisionNotFoundError():
            return f"{name.repository!r} has no commit {name.revision or 'main'!r} on the Hub."
        case errors.RemoteEntryNotFoundError():
            return f"{str(name)!r} is no model folder of this project: it lacks a file of one."
        case errors.RepositoryNotFoundError() if status == 404:
            return f"The Hub has no {name.repository!r}, or your token may not see it."
        case errors.RepositoryNotFoundError() if not error.response.request.headers.get(
            "Authorization"
        ):
            # Who is not signed in is not told whether it is there.
            return (
                f"The Hub has no {name.repository!r}, or shows it only to some; if it is private, "
                "run `hf auth login`, or set HF_TOKEN to a token that may read it."
            )
    if status == 401:
        return (
            f"The Hub does not accept your token for {name.repository!r}; run `hf auth login` with "
            "a valid one."
        )
    if status == 402:
        return (
            f"The Hub wants to be paid for {name.repository!r}: a page on a CPU needs PRO or Team, "
            "other hardware needs credit; docs/hosting.md says what is free."
        )
    if status == 403 and error.response.request.method in ("GET", "HEAD"):
        return f"Your token has no right to read {name.repository!r}; make one that has."
    if status == 403:
        return (
            f"Your token has no right to write to {name.repository!r}; make one that has, or name "
            "a repository of your own."
        )
    if status == 412:
        return f"{name.repository!r} was changed by someone else meanwhile; look at it first."
    if status == 429 or status >= 500:
        return f"The Hub is not able to answer just now (status {status}); try again later."
    return f"The Hub rejected what was asked about {name.repository!r} (status {status})."
