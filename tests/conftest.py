"""Fixtures and settings of all tests.

Real images are not in the repository but in the folder `shared/` beside it. Tests that need them
use `nih_folder` or `nih_1024_folder`, and are skipped with a reason if the folder does not exist.
With CXR_NO_SKIP=1 in the environment a skipped test fails.
"""

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock
from PIL import Image
from support import IMAGE, ROOT, SHARED, planted
from support.images import encode

NO_SKIP = os.environ.get("CXR_NO_SKIP") == "1"

# `pytest`, unlike `python -m pytest`, does not put the root of the project on the path.
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

# Before any test imports Gradio, which would write a stub file beside each module with components.
import cxr.web.lean_gradio  # noqa: E402, F401


@pytest.fixture(scope="session")
def nih_folder() -> Path:
    """2,866 real images of 384 pixels in the Kaggle sample's layout, with boxes."""
    return _shared("nih")


@pytest.fixture(scope="session")
def nih_1024_folder() -> Path:
    """24 real images of 1024 pixels in the Kaggle sample's layout."""
    return _shared("nih_1024")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests have a pixel cache of their own, not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Each training uses one thread, because several wait for each other on small images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@dataclass(frozen=True)
class Run:
    """A finished run of train.py: its data, its model folder and its standard output."""

    data: Path
    folder: Path
    printed: str

    def images_of(self, split: str) -> list[str]:
        """The images of a set (`train`, `valid` or `test`), in order."""
        with (self.folder / "splits.csv").open(newline="") as file:
            return [row["image_index"] for row in csv.DictReader(file) if row["split"] == split]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One short training on images with planted marks, shared by several test modules."""
    # The first of the parallel test processes trains, and the others wait for it.
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    data, folder = shared / "planted" / "images", shared / "run" / "model"
    printed = shared / "printed.txt"
    with FileLock(shared / "run.lock"):
        if not printed.exists():
            printed.write_text(_train(planted.make_folder(data, patients=200), folder))
    return Run(data, folder, printed.read_text())


@pytest.fixture(scope="session")
def hundred_images(tmp_path_factory) -> Path:
    """A hundred images, two of them unreadable: enough to interrupt a run in the middle."""
    folder = tmp_path_factory.mktemp("hundred")
    with Image.open(IMAGE) as image:
        image = image.convert("L").resize((256, 256))
    for i in range(100):
        turned = image.rotate(i / 10)
        (folder / f"{i:03d}.png").write_bytes(b"no image" if i in (3, 30) else encode(turned))
    return folder


def _train(data: Path, folder: Path) -> str:
    """Trains on these images and returns the standard output of train.py."""
    options = {"data": data, "output": folder, "boxes": data / "BBox_List_2017.csv"}
    options |= {"image-size": planted.SIDE, "epochs": 8, "freeze-epochs": 1, "lr": 5e-3}
    command = [sys.executable, str(ROOT / "train.py")]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _shared(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"real images are missing: no folder shared/{name} beside the checkout")
    return folder


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """A test that needs the fixture `run` waits for a training, so it is slow."""
    for item in items:
        if "run" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With CXR_NO_SKIP=1 a skipped test fails."""
    return _no_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """With CXR_NO_SKIP=1 a test module that is skipped as a whole fails."""
    return _no_skip((yield))


def _no_skip(report):
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason}\nCXR_NO_SKIP=1 is set, so a skip is a failure."
    return report
