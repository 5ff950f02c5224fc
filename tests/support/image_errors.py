"""Checks which ImageError is raised."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cxr.imaging import ImageError


@contextmanager
def raises_image_error(code: str, match: str | None = None) -> Iterator[None]:
    """Like `pytest.raises`, for an ImageError with this code.

    Args:
        code: The expected code.
        match: A regular expression that the message must contain.
    """
    with pytest.raises(ImageError, match=match) as caught:
        yield
    assert caught.value.code == code
