"""Names of repositories on the Hub, and what its rejections mean."""

import json

import httpx2
import pytest
from huggingface_hub import errors

from cxr.model import hub
from cxr.model.errors import HubAway, HubError
from cxr.model.hub import HubName

COMMIT = "0123456789abcdef" * 2 + "0123abcd"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("owner/name", HubName("owner/name")),
        ("a/b", HubName("a/b")),
        ("Own_er-1/na.me_2", HubName("Own_er-1/na.me_2")),
        (f"o/{'n' * 96}", HubName(f"o/{'n' * 96}")),
        (f"owner/name@{COMMIT}", HubName("owner/name", COMMIT)),
    ],
)
def test_name_is_read_and_written_alike(text, name):
    """With or without a commit."""
    assert hub.parse(text) == name
    assert str(name) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "owner/",
        "/name",
        "a/b/c",
        "owner/na--me",
        "owner/na..me",
        "owner/.name",
        "owner/name-",
        "-owner/name",
        "owner/name\n",
        "owner/näme",
        f"o/{'n' * 97}",
    ],
)
def test_what_is_no_name_is_rejected(text):
    """As the Hub rejects it."""
    with pytest.raises(HubError, match="should read OWNER/NAME"):
        hub.parse(text)


@pytest.mark.parametrize(
    "revision", ["", "main", COMMIT[:39], COMMIT + "0", COMMIT.upper(), "g" * 40]
)
def test_what_is_no_full_commit_is_rejected(revision):
    """A model is pinned by all 40 digits, in lower case."""
    with pytest.raises(HubError, match=r"is not a full commit; pin 'owner/name'"):
        hub.parse(f"owner/name@{revision}")


@pytest.mark.parametrize(
    ("status", "method", "words", "away"),
    [
        (401, "GET", "does not accept your token for 'owner/name'", False),
        (402, "POST", "wants to be paid for 'owner/name'", False),
        (403, "GET", "no right to read 'owner/name'", False),
        (403, "HEAD", "no right to read 'owner/name'", False),
        (403, "POST", "no right to write to 'owner/name'", False),
        (412, "POST", "'owner/name' was changed by someone else meanwhile", False),
        (418, "GET", "rejected a request about 'owner/name' (status 418)", False),
        (429, "GET", "is not able to answer just now (status 429)", True),
        (499, "GET", "rejected a request about 'owner/name' (status 499)", False),
        (500, "GET", "is not able to answer just now (status 500)", True),
    ],
)
def test_rejection_is_told_in_a_sentence(status, method, words, away):
    """And whether the Hub is away, so that a model in the cache may be used instead."""
    response = httpx2.Response(status, request=httpx2.Request(method, "http://hub.invalid/"))
    with pytest.raises(HubError) as raised, hub.plain_errors(HubName("owner/name", COMMIT)):
        raise errors.HfHubHTTPError("?", response=response)
    assert words in str(raised.value)
    assert isinstance(raised.value, HubAway) == away


def wrapped(error: Exception) -> RuntimeError:
    """An error as the client raises it about one file among several."""
    outer = RuntimeError("Error while uploading")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "words", "away"),
    [
        (errors.LocalTokenNotFoundError(), "You are not signed in to the Hub", False),
        (errors.OfflineModeIsEnabled(), "switched off here by HF_HUB_OFFLINE", True),
        (errors.HFValidationError("?"), "'owner/name' is not a name that the Hub accepts", False),
        (errors.LocalEntryNotFoundError("?"), hub.UNREACHABLE, True),
        (errors.FileMetadataError("?"), hub.NOT_THE_HUB, True),
        (json.JSONDecodeError("?", "", 0), hub.NOT_THE_HUB, True),
        (httpx2.ConnectError("?"), hub.UNREACHABLE, True),
        (httpx2.ReadTimeout("?"), hub.UNREACHABLE, True),
        (ConnectionResetError(), hub.UNREACHABLE, True),
        (wrapped(httpx2.ReadError("?")), hub.UNREACHABLE, True),
        (wrapped(HubError("The reason.")), "The reason.", False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_error_of_the_client_is_told_in_a_sentence(error, words, away):
    """Whatever the client raises, and whatever it wraps it in."""
    with pytest.raises(HubError) as raised, hub.plain_errors(HubName("owner/name")):
        raise error
    assert words in str(raised.value)
    assert isinstance(raised.value, HubAway) == away


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("mine"), RuntimeError("mine"), OSError("mine")]
)
def test_other_errors_pass(error):
    """They are faults of the program or of this machine."""
    with pytest.raises(type(error), match="mine") as raised, hub.plain_errors(HubName("a/b")):
        raise error
    assert raised.value is error
