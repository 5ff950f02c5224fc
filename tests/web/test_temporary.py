"""The files that the page deletes while it is served, and those that it keeps."""

import os
import time

from cxr.web import temporary


def test_age_counts_from_when_a_file_was_put_there(tmp_path):
    """A copy that kept the times of an old file, as Gradio makes it, is new; later it goes."""
    copied = tmp_path / "image.png"
    copied.write_bytes(b"image")
    os.utime(copied, (0, 0))
    temporary.sweep(tmp_path, age=60)
    assert copied.exists()
    time.sleep(0.05)
    temporary.sweep(tmp_path, age=0.01)
    assert not copied.exists()
