"""The Hugging Face Hub: names of repositories, its errors in plain sentences, time limits."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cxr.model.errors import HubAway, HubError

# The Hub counts as away when no connection is made, or nothing is received, for so many seconds.
SECONDS_TO_CONNECT, SECONDS_SILENT = 10.0, 60.0

UNREACHABLE = "The Hub cannot be reached; check the network, then try again."
NOT_THE_HUB = "What answers is not the Hub; check the network and HF_ENDPOINT."
NOT_SIGNED_IN = (
    "You are not signed in to the Hub; run `hf auth login`, or set HF_TOKEN to a token that may "
    "write."
)

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?P<repository>{_PART}/{_PART})(?:@(?P<revision>.*))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubName:
    """A repository on the Hub.

    Attributes:
        repository: OWNER/NAME.
        revision: The commit that pins it, 40 hex digits; None for the newest.
    """

    repository: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}" if self.revision else self.repository


def parse(text: str) -> HubName:
    """Reads OWNER/NAME or OWNER/NAME@REVISION.

    Raises:
        HubError: What is wrong with the text.
    """
    found = _NAME.fullmatch(text)
    if found is None or "--" in text or ".." in text:
        raise HubError(f"{text!r} is not a name on the Hub; it should read OWNER/NAME.")
    revision = found["revision"]
    if revision is not None and not is_commit(revision):
        raise HubError(
            f"The revision {revision!r} is not a full commit; pin {found['repository']!r} by all "
            "40 digits, as its page on the Hub and `python -m cxr publish` show them."
        )
    return HubName(found["repository"], revision)


def parse_repository(text: str) -> HubName:
    """Reads OWNER/NAME, a repository to write to.

    Raises:
        HubError: What is wrong with the text.
    """
    name = parse(text)
    if name.revision:
        raise HubError(f"A commit cannot be written to; leave out what follows {name.repository}.")
    return name


def is_commit(text: str) -> bool:
    """Whether the text is a full commit, 40 hex digits."""
    return bool(_COMMIT.fullmatch(text))


@contextmanager
def plain_errors(name: HubName) -> Iterator[None]:
    """Turns errors of the Hub's client into a HubError about `name`; other errors pass."""
    try:
        yield
    except HubError:
        raise
    except Exception as error:
        # The client wraps errors of one file among several in a RuntimeError.
        wrapped = isinstance(error, RuntimeError) and error.__cause__
        translated = _translate(name, wrapped or error)
        if translated is None:
            raise
        raise translated from error


def set_time_limits() -> None:
    """Makes the Hub's client raise HubAway when nobody answers.

    By itself the client waits for an answer without end, and then tries five times more. Rejected
    and interrupted requests are still repeated, for up to 23 s.
    """
    import httpx2
    from huggingface_hub import get_session, set_client_factory

    class Client(httpx2.Client):
        def send(self, request: httpx2.Request, **options) -> httpx2.Response:
            # Some calls of huggingface_hub switch time limits off.
            own, wanted = self.timeout.as_dict(), request.extensions.get("timeout", {})
            limits = {k: own[k] if wanted.get(k) is None else wanted[k] for k in own}
            request.extensions = {**request.extensions, "timeout": limits}
            try:
                return super().send(request, **options)
            except httpx2.TimeoutException as error:
                raise HubAway(UNREACHABLE) from error  # which the client does not repeat

    hooks = get_session().event_hooks

    def make() -> httpx2.Client:
        return Client(
            event_hooks=hooks,
            follow_redirects=True,
            timeout=httpx2.Timeout(SECONDS_SILENT, connect=SECONDS_TO_CONNECT),
        )

    set_client_factory(make)


def _translate(name: HubName, error: BaseException) -> HubError | None:
    """The client's error as one sentence; None for an error that is not the client's."""
    # Imported late: the client takes half a second to load, and a model on disk does not need it.
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
            kind = HubAway if status == 429 or status >= 500 else HubError
            return kind(_explain_rejection(name, error))
        case errors.HFValidationError():
            return HubError(f"{name.repository!r} is not a name that the Hub accepts.")
        case json.JSONDecodeError() | errors.FileMetadataError():
            return HubAway(NOT_THE_HUB)
        case errors.LocalEntryNotFoundError() | httpx2.HTTPError() | httpx2.InvalidURL():
            return HubAway(UNREACHABLE)
        case ConnectionError():
            return HubAway(UNREACHABLE)
    return None


def _explain_rejection(name: HubName, error) -> str:
    """The sentence for a response that is not a success. error: HfHubHTTPError."""
    from huggingface_hub import errors

    status, request = error.response.status_code, error.response.request
    repository = repr(name.repository)
    match error:
        case errors.GatedRepoError():
            return f"{repository} asks you to accept its terms first, on its page on the Hub."
        case errors.RevisionNotFoundError():
            return f"{repository} has no commit {name.revision or 'main'!r} on the Hub."
        case errors.RemoteEntryNotFoundError():
            return f"{str(name)!r} is no model folder of this project: it lacks a file of one."
        case errors.RepositoryNotFoundError() if status == 404:
            return f"The Hub has no {repository}, or your token may not see it."
        case errors.RepositoryNotFoundError() if not request.headers.get("Authorization"):
            # The Hub does not tell visitors without a token whether a repository exists.
            return (
                f"The Hub has no {repository}, or shows it only to some; if it is private, run "
                "`hf auth login`, or set HF_TOKEN to a token that may read it."
            )
    if status == 401:
        return (
            f"The Hub does not accept your token for {repository}; run `hf auth login` with a "
            "valid one."
        )
    if status == 402:
        return (
            f"The Hub wants to be paid for {repository}: a page on a CPU needs PRO or Team, other "
            "hardware needs credit; docs/hosting.md says what is free."
        )
    if status == 403 and request.method in ("GET", "HEAD"):
        return f"Your token has no right to read {repository}; make one that has."
    if status == 403:
        return (
            f"Your token has no right to write to {repository}; make one that has, or name a "
            "repository of your own."
        )
    if status == 412:
        return f"{repository} was changed by someone else meanwhile; look at it first."
    if status == 429 or status >= 500:
        return f"The Hub is not able to answer just now (status {status}); try again later."
    return f"The Hub rejected a request about {repository} (status {status})."
