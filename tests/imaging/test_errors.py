"""The one error of an image file."""

import pickle

from cxr.imaging import ImageError


def test_error_keeps_code_and_message_when_pickled():
    """Ray sends errors from one process to another."""
    error = pickle.loads(pickle.dumps(ImageError("empty", "This file is empty.")))
    assert isinstance(error, ValueError)
    assert (error.code, str(error)) == ("empty", "This file is empty.")
