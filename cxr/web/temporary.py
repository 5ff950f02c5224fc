"""A temporary folder of this process for everything that the page writes.

Gradio deletes the files that it has handed to the page. But it forgets uploads that were broken
off, leaves empty folders, and shares one folder with every other program that uses Gradio. Here all
files lie in a folder of this process alone. So everything in it can be deleted when it is old, and
the folder itself when the program ends.
"""

import asyncio
import atexit
import contextlib
import gc
import os
import shutil
import signal
import stat
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path

from gradio.utils import get_upload_folder
from PIL import Image

from cxr import machine

_PREFIX = "chest-xray-"  # followed by the number of the process
_BEING_FILLED = 2  # seconds for which an empty folder is kept

_own: Path | None = None


def use_own_folder() -> None:
    """Makes a temporary folder for this process, which is deleted when the process ends.

    Also deletes the folders of processes that were killed and could not do so themselves.
    """
    global _own
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        if not _is_running(folder.name.removeprefix(_PREFIX).partition("-")[0]):
            shutil.rmtree(folder, ignore_errors=True)
    _own = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    tempfile.tempdir = str(_own)
    # Gradio makes its folder with the first upload, but example images need it before that.
    Path(get_upload_folder()).mkdir(parents=True, exist_ok=True)
    atexit.register(shutil.rmtree, _own, ignore_errors=True)


def _is_running(number: str) -> bool:
    """Whether a process has that number. When in doubt, True: its folder is then kept."""
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError, OSError):
        return True
    return True


def exit_on_sigterm() -> None:
    """Makes SIGTERM, with which containers and services stop a program, end it cleanly."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def schedule(keep: int) -> tuple[int, int]:
    """When to look for old files, so that no file gets older than `keep`.

    Args:
        keep: Seconds that a file may be kept, 2 or more.

    Returns:
        The seconds between two looks, and the age in seconds at which a look deletes a file.
    """
    every = max(1, keep // 60)
    return every, keep - every


@contextlib.asynccontextmanager
async def sweeping(
    every: float, age: float, also: Callable[[], None] = lambda: None
) -> AsyncIterator[None]:
    """While the page is served, deletes old files and returns freed memory to the system.

    Files that were there when serving began belong to the page and stay. Nothing is deleted where
    `use_own_folder` was not called, because the folder then belongs to other programs too.

    Args:
        every: Seconds between two looks.
        age: Age in seconds at which a file is deleted.
        also: Called with every look.
    """
    task = asyncio.create_task(_sweep_repeatedly(every, age, also))
    yield
    task.cancel()


def sweep(folder: Path, age: float, keep: Collection[Path] = ()) -> None:
    """Deletes files below a folder that are old, and folders that are empty.

    Args:
        folder: The folder to sweep.
        age: Age in seconds at which a file is deleted.
        keep: Paths that are never deleted.
    """
    # The deepest first, so that a folder can go together with its last file.
    for path in sorted(folder.rglob("*"), reverse=True):
        if path in keep:
            continue
        with contextlib.suppress(OSError):  # already deleted, or a folder that is not empty
            found = path.lstat()
            old = time.time() - found.st_ctime  # since it was written or handed out again
            if not stat.S_ISDIR(found.st_mode) and old > age:
                path.unlink()
            elif stat.S_ISDIR(found.st_mode) and old > _BEING_FILLED:
                path.rmdir()


def save(image: Image.Image) -> str:
    """Writes an image as a PNG for a visitor.

    It compresses less than Gradio does: four times as fast, for a file that is a seventh larger.

    Returns:
        The path of the file.
    """
    folder = Path(get_upload_folder())
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=folder)) / "heatmap.png"
    image.save(path, compress_level=1)
    return str(path)


async def _sweep_repeatedly(every: float, age: float, also: Callable[[], None]) -> None:
    of_the_page = set(_own.rglob("*")) if _own else set()
    if _own:  # the program is the page alone
        gc.freeze()  # what has been loaded by now stays, so the collector need not look at it again
    while True:
        await asyncio.sleep(every)
        also()
        if _own is None:
            continue
        with contextlib.suppress(OSError):  # a folder that was deleted while it was listed
            await asyncio.to_thread(sweep, _own, age, of_the_page)
        await asyncio.to_thread(machine.give_back_freed_memory)
