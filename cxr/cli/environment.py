"""Tells users which requirements file to install when a package is missing.

This module imports nothing but the standard library, so that it works in an empty environment.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_OWN = ("cxr", "cxr_labels", "app", "train")
_EXTRAS = {
    "requirements.txt": "",
    "requirements-train.txt": "[train]",
    "requirements-ray.txt": "[ray]",
}


@contextmanager
def requires(file: str) -> Iterator[None]:
    """Ends the program with one sentence, status 1, when the block imports a missing package.

    Args:
        file: The requirements file that lists the packages.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if not package or package in _OWN:
            raise
        # An installed package has no requirements files, but extras of the same content.
        in_checkout = (_ROOT / file).is_file()
        what = f"-r {file}" if in_checkout else f'"chest-xray-findings{_EXTRAS[file]}"'
        sys.exit(
            f"The package {package!r} of {file} is not installed in this environment; run "
            f"`python -m pip install {what}`."
        )
