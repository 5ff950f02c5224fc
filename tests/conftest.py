"""What all tests share: where real films lie, a cache of their own, and skips that may not be.

Real films are not in the repository: they lie in the folder `shared/` beside the checkout. Tests
that need them take `nih_folder` or `nih_1024_folder` and are skipped, with the reason, where they
are absent. With CXR_NO_SKIP=1 in the environment every skipped test fails instead.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
NO_SKIP = os.environ.get("CXR_NO_SKIP") == "1"

# `pytest` alone, unlike `python -m pytest`, does not put the project's folder on the path.
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


@pytest.fixture(scope="session")
def nih_folder() -> Path:
    """2,866 real films at 384 px in the Kaggle sample's layout, with boxes."""
    return _shared("nih")


@pytest.fixture(scope="session")
def nih_1024_folder() -> Path:
    """24 real films at their full 1024 px in the Kaggle sample's layout."""
    return _shared("nih_1024")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Pixel caches of the tests lie in a folder of their own, not in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def _shared(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"the real films are not there: no folder shared/{name} beside the checkout")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """CXR_NO_SKIP=1: a test that was skipped has failed."""
    return _no_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """CXR_NO_SKIP=1: a file that was skipped while tests were collected has failed."""
    return _no_skip((yield))


def _no_skip(report):
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason}\nCXR_NO_SKIP=1 is set, so a skip is a failure."
    return report
