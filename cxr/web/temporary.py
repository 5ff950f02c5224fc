"""One folder for all that the page writes: visitors' images, and the images made of them.

Gradio deletes what it has handed over to a page. It forgets uploads that broke off, leaves empty
folders named by an image's checksum, and shares one folder with every other program that uses it.
Here they are a folder of this process alone, so that what lies in it too long can be deleted
whatever it is, and all of it when the program ends.
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
from collections.abc import AsyncIterator, Collection
from pathlib import Path

import fastapi
from gradio.utils import get_upload_folder
from PIL import Image

from cxr import machine

_NAME = "chest-xray-"  # and the number of the process
_BEING_FILLED = 2  # seconds

_taken: Path | None = None


def take() -> None:
    """Gives the process a temporary folder of its own, which goes when the process ends.

    Those of processes that were killed, and could not take theirs along, go now.
    """
    global _taken
    for left in Path(tempfile.gettempdir()).glob(f"{_NAME}*-*"):
        if not _is_running(left.name.removeprefix(_NAME).partition("-")[0]):
            shutil.rmtree(left, ignore_errors=True)
    _taken = Path(tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-"))
    tempfile.tempdir = str(_taken)
    # Gradio makes it with the first upload, and needs it before: for an example image, say.
    Path(get_upload_folder()).mkdir(parents=True, exist_ok=True)
    atexit.register(shutil.rmtree, _taken, ignore_errors=True)


def _is_running(number: str) -> bool:
    """Whether there is a process of that number; of what is no number too, to be careful."""
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError, OSError):
        return True
    return True


def end_on_terminate() -> None:
    """Makes SIGTERM, by which containers and services stop a program, an ordinary end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def schedule(kept: int) -> tuple[int, int]:
    """Every how many seconds to look for files, and from which age on to delete them.

    So that none is older than `kept` seconds, where that is two or more.
    """
    every = max(1, kept // 60)
    return every, kept - every


def swept(every: float, age: float):
    """What launch() is given as lifespan: while the page is served, nothing lies there for long.

    The memory that images took goes back to the system at the same times. What lay there when the
    page began to serve belongs to the page and stays. Without `take`
    nothing is deleted: the folder is not this program's.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: fastapi.FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep_again_and_again(every, age))
        yield
        sweeping.cancel()

    return lifespan


def sweep(folder: Path, age: float, spared: Collection[Path] = ()) -> None:
    """Deletes what has lain below the folder for over `age` seconds, but not what is spared.

    Folders go as soon as they are empty and not just being filled.
    """
    # The deepest first, so that a folder whose last file went can go too.
    for path in sorted(folder.rglob("*"), reverse=True):
        if path in spared:
            continue
        with contextlib.suppress(OSError):  # somebody else deleted it, or a folder is not empty
            found = path.lstat()
            old = time.time() - found.st_ctime  # since it was written, or handed out again
            if not stat.S_ISDIR(found.st_mode) and old > age:
                path.unlink()
            elif stat.S_ISDIR(found.st_mode) and old > _BEING_FILLED:
                path.rmdir()


def save(picture: Image.Image) -> str:
    """Writes an image as a PNG for a visitor; returns its path.

    Four times as fast as Gradio's own way, for a file a seventh larger: it compresses less.
    """
    folder = Path(get_upload_folder())
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(dir=folder)) / "heatmap.png"
    picture.save(place, compress_level=1)
    return str(place)


async def _sweep_again_and_again(every: float, age: float) -> None:
    if _taken is None:
        return
    own = set(_taken.rglob("*"))
    gc.freeze()
    while True:
        await asyncio.sleep(every)
        with contextlib.suppress(OSError):  # a folder that went while it was listed
            await asyncio.to_thread(sweep, _taken, age, own)
        await asyncio.to_thread(machine.give_back_freed_memory)
