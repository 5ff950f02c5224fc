"""The pixel cache: every film decoded once, at the training size, into one file on disk.

`films.npy` is a plain uint8 array [N, S, S] that NumPy can memory-map. Workers write their films
into it at their places, and `state.npy` records what is done, so that a broken build goes on
where it stopped, and a film whose file changed is decoded again. Neither building nor reading
maps the file into memory: resident memory does not grow with the number of films.
"""

import hashlib
import multiprocessing
import os
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cxr import atomic, machine, radiograph
from cxr.training.nih import DataError, FilmReader, FilmSource

_CHUNK = 32  # films a task: about half a second of work
# The pixels that an older reader made are not those of this one: raise when squeezing changes.
_VERSION = 2
_SPARE = 500 * 2**20  # bytes left for everything else: the model folder, the system
_WORTH_SAYING = 100 * 2**20  # bytes


@dataclass
class PixelCache:
    """uint8 films [N, size, size] on disk, read one by one.

    folder: where the cache lies.
    readable: bool, one a film that was asked for, false where it could not be decoded.
    rows: place in the file of each of the N readable films.
    """

    folder: Path
    size: int
    readable: np.ndarray
    rows: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.rows = np.flatnonzero(self.readable)
        self._offset = _header_bytes(self.folder / "films.npy")
        self._file = os.open(self.folder / "films.npy", os.O_RDONLY)

    def film(self, i: int) -> np.ndarray:
        """Readable film i, uint8 [size, size]. Read with pread, which forked loaders may share."""
        length = self.size * self.size
        data = os.pread(self._file, length, self._offset + int(self.rows[i]) * length)
        return np.frombuffer(data, np.uint8).reshape(self.size, self.size)

    def films(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Films as float32 [n, 1, size, size], 0..1, as the network takes them."""
        batch = np.stack([self.film(i) for i in indices])[:, None]
        return np.multiply(batch, np.float32(1 / 255), dtype=np.float32)

    def __len__(self) -> int:
        return len(self.rows)


def default_folder() -> Path:
    """Where caches lie: $CXR_CACHE, else ~/.cache/cxr."""
    return Path(os.environ.get("CXR_CACHE", "~/.cache/cxr")).expanduser()


def build(
    source: FilmSource,
    names: Sequence[str],
    size: int,
    folder: Path | None = None,
    processes: int | None = None,
) -> PixelCache:
    """Decodes the films that the cache does not hold yet, in parallel, with a progress bar.

    names: films, in the order of the cache. size: side in pixels. processes: the cores granted
    to this process when None. Films that cannot be read are marked, not raised. Says beforehand how
    much the cache takes; raises DataError when the disk has no room for it.
    """
    folder = (folder or default_folder()) / _key(names, size)
    folder.mkdir(parents=True, exist_ok=True)
    _check_room(folder, len(names), size)
    if not (folder / "films.npy").is_file():
        (folder / "state.npy").unlink(missing_ok=True)
        _create(folder / "films.npy", (len(names), size, size))
    state = _State.open(folder / "state.npy", source.signatures(names))
    todo = np.flatnonzero(~state.done)
    if len(todo):
        _decode(source, names, size, folder, state, todo, processes or machine.cores())
    return PixelCache(folder, size, state.readable.copy())


def _check_room(folder: Path, films: int, size: int) -> None:
    """Says what the films will take beyond what is on disk; raises DataError where it is too much.

    The file is a hole at first, so its length says nothing of the room that it takes.
    """
    file = folder / "films.npy"
    taken = file.stat().st_blocks * 512 if file.is_file() else 0
    needed, free = films * size * size - taken, shutil.disk_usage(folder).free
    if needed <= 0:
        return
    where = f"{str(folder.parent)!r}, where {free / 1e9:,.1f} GB are free"
    if needed + _SPARE > free:
        raise DataError(
            f"The films at {size} px need {needed / 1e9:,.1f} GB in {where}; free some, name "
            "another folder in CXR_CACHE, or choose a smaller --image-size."
        )
    if needed > _WORTH_SAYING:
        print(f"The decoded films take {needed / 1e9:,.1f} GB in {where}.")


@dataclass
class _State:
    """Per film: the signature of its file when it was decoded, and whether that worked."""

    path: Path
    signatures: np.ndarray
    table: np.ndarray  # (signature u8, state u1): 0 to do, 1 decoded, 2 unreadable

    @classmethod
    def open(cls, path: Path, signatures: np.ndarray) -> "_State":
        table = np.zeros(len(signatures), dtype=[("signature", "u8"), ("state", "u1")])
        if path.is_file():
            stored = np.load(path)
            same = stored["signature"] == signatures
            table[same] = stored[same]
        table["signature"] = signatures
        return cls(path, signatures, table)

    @property
    def done(self) -> np.ndarray:
        return self.table["state"] != 0

    @property
    def readable(self) -> np.ndarray:
        return self.table["state"] == 1

    def save(self) -> None:
        with atomic.replacing(self.path) as part:
            np.save(part, self.table)


def _decode(
    source: FilmSource,
    names: Sequence[str],
    size: int,
    folder: Path,
    state: _State,
    todo: np.ndarray,
    processes: int,
) -> None:
    chunks = [todo[k : k + _CHUNK] for k in range(0, len(todo), _CHUNK)]
    processes = min(processes, len(chunks))
    # Spawned, not forked: the parent may hold threads of torch or a GPU.
    context = multiprocessing.get_context("spawn")
    # Each task brings the places of its films: those of all would take each worker 30 MB.
    archive = FilmSource({}, source.archive)
    pool = ProcessPoolExecutor(
        processes, context, initializer=_start_worker, initargs=(archive, folder, size)
    )
    with pool, tqdm(total=len(todo), desc="Decoding films", unit="film") as bar:
        tasks = {
            pool.submit(_decode_chunk, chunk, [source.places[names[i]] for i in chunk]): chunk
            for chunk in chunks
        }
        try:
            for count, task in enumerate(as_completed(tasks), 1):
                chunk = tasks.pop(task)
                state.table["state"][chunk] = np.where(task.result(), 1, 2)
                bar.update(len(chunk))
                if count % 8 == 0:
                    state.save()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            state.save()


class _Worker:
    """What a worker process keeps between its tasks."""

    reader: FilmReader
    file: int
    offset: int
    size: int


def _start_worker(source: FilmSource, folder: Path, size: int) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _Worker.reader = source.reader()
    _Worker.file = os.open(folder / "films.npy", os.O_WRONLY)
    _Worker.offset = _header_bytes(folder / "films.npy")
    _Worker.size = size


def _end_with_parent() -> None:
    """Ends this worker when the build is killed; it would wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _decode_chunk(indices: np.ndarray, places: list[str]) -> list[bool]:
    return [_decode_film(int(i), place) for i, place in zip(indices, places, strict=True)]


def _decode_film(i: int, place: str) -> bool:
    """Decodes one film into its place; false when it cannot be read."""
    try:
        film = radiograph.read(_Worker.reader.read_at(place))
    except (radiograph.RadiographError, OSError):
        return False
    small = np.rint(radiograph.squeeze(film, _Worker.size) * 255).astype(np.uint8)
    os.pwrite(_Worker.file, small.tobytes(), _Worker.offset + i * small.size)
    return True


def _create(path: Path, shape: tuple[int, int, int]) -> None:
    """Makes the array file at its full length, as a hole that fills while films are decoded."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with atomic.replacing(path) as part, part.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + shape[0] * shape[1] * shape[2])


def _header_bytes(path: Path) -> int:
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        return file.tell()


def _key(names: Sequence[str], size: int) -> str:
    """The cache's folder: a digest of the film names in their order, and of the size."""
    digest = hashlib.sha256("\n".join(names).encode())
    return f"v{_VERSION}-{size}px-{len(names)}-{digest.hexdigest()[:16]}"
