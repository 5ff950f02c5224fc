"""Types of arguments that the commands and train.py share, for argparse."""

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from cxr.inference.prevalence import Prevalence
    from cxr.model.hub import HubName
    from cxr.model.resolve import Model

_T = TypeVar("_T")

MODEL = "a model folder, such as models/starter; or OWNER/NAME[@REVISION] on the Hub"


def name(text: str) -> str:
    """A name or path that is not empty."""
    if not text:
        raise argparse.ArgumentTypeError("a name is needed, and this one is empty")
    return text


def find_model(model: str | None) -> "Model":
    """Finds the model that a MODEL argument names, None the starter; notes on it go to stderr.

    Raises:
        ModelFolderError, HubError: The model cannot be found or downloaded.
    """
    from cxr.model import resolve

    found = resolve.find(model)
    if found.note:
        print(f"Note: {found.note}", file=sys.stderr)
    return found


def hub_name(text: str) -> "HubName":
    """OWNER/NAME[@REVISION]."""
    from cxr.model import hub

    return _read(hub.parse, text)


def hub_repository(text: str) -> "HubName":
    """OWNER/NAME, to write to."""
    from cxr.model import hub

    return _read(hub.parse_repository, text)


def prevalence(text: str) -> "Prevalence":
    """nih, training, or LABEL=SHARE,..."""
    from cxr.inference import prevalence

    return _read(prevalence.parse, text)


def threshold_rule(text: str) -> str:
    """youden, f1, accuracy or sensitivity=X."""
    from cxr.evaluation import thresholds

    _read(thresholds.parse_rule, text)
    return text


def learning_rate(text: str) -> float | None:
    """A number above 0 and below 10; None for "auto"."""
    if text == "auto":
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < 10:
        raise argparse.ArgumentTypeError("'auto' or a number between 0 and 10 is needed")
    return rate


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Returns the type of whole numbers from `low` to `high`."""

    def read(text: str) -> int:
        number = int(text) if text.isdecimal() else low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"a whole number from {low} to {high} is needed")
        return number

    return read


def _read(read: Callable[[str], _T], text: str) -> _T:
    """Calls `read`; what it raises becomes the message of a usage error."""
    from cxr.model.errors import HubError

    try:
        return read(text)
    except (HubError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error
