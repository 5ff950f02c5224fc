"""The pixel cache: all images decoded once, at the training size, in one file on disk.

`images.npy` is a plain uint8 array [N, S, S]. Worker processes write their images into it, and
`state.npy` records which are done, so that an interrupted build resumes, and an image whose file
changed is decoded again. The file is never mapped into memory, so resident memory does not grow
with the number of images.
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

from cxr import atomic, imaging, machine
from cxr.datasets.files import DataError, ImageReader, ImageSource

_CHUNK = 32  # images per task: about half a second of work
# Part of the folder's name. Raise it when reading or resizing gives other pixels.
_VERSION = 2
_SPARE = 500 * 2**20  # bytes that stay free for everything else
_WORTH_SAYING = 100 * 2**20  # bytes; a smaller cache is not announced


@dataclass
class PixelCache:
    """uint8 images [N, size, size] on disk, which are read one by one.

    Attributes:
        folder: The folder of the cache.
        size: Side of the images in pixels.
        readable: For each requested image, whether it could be decoded.
        rows: Position in the file of each of the N readable images.
    """

    folder: Path
    size: int
    readable: np.ndarray
    rows: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.rows = np.flatnonzero(self.readable)
        self._offset = _header_bytes(self.folder / "images.npy")
        self._file = os.open(self.folder / "images.npy", os.O_RDONLY)

    def image(self, i: int) -> np.ndarray:
        """Reads the i-th readable image, uint8 [size, size]; forked processes may do so at once."""
        length = self.size * self.size
        data = os.pread(self._file, length, self._offset + int(self.rows[i]) * length)
        return np.frombuffer(data, np.uint8).reshape(self.size, self.size)

    def images(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Reads images for the network, float32 [n, 1, size, size], 0..1."""
        batch = np.stack([self.image(i) for i in indices])[:, None]
        return np.multiply(batch, np.float32(1 / 255), dtype=np.float32)

    def __len__(self) -> int:
        return len(self.rows)


def default_folder() -> Path:
    """Returns the folder of all caches: $CXR_CACHE, else ~/.cache/cxr."""
    return Path(os.environ.get("CXR_CACHE", "~/.cache/cxr")).expanduser()


def build(
    source: ImageSource,
    names: Sequence[str],
    size: int,
    folder: Path | None = None,
    processes: int | None = None,
) -> PixelCache:
    """Decodes the images that the cache does not have yet, in parallel, with a progress bar.

    An image that cannot be read is marked as unreadable. A large cache is announced first.

    Args:
        source: Where the images are.
        names: The images, in the order of the cache.
        size: Side in pixels.
        folder: The folder of all caches; by default `default_folder`.
        processes: Worker processes; by default one for each core of this process.

    Raises:
        DataError: The disk has too little free space.
    """
    folder = (folder or default_folder()) / _key(names, size)
    folder.mkdir(parents=True, exist_ok=True)
    _check_room(folder, len(names), size)
    if not (folder / "images.npy").is_file():
        (folder / "state.npy").unlink(missing_ok=True)
        _create(folder / "images.npy", (len(names), size, size))
    state = _State.open(folder / "state.npy", source.signatures(names))
    todo = np.flatnonzero(~state.done)
    if len(todo):
        _decode(source, names, size, folder, state, todo, processes or machine.cores())
    return PixelCache(folder, size, state.readable.copy())


def _check_room(folder: Path, images: int, size: int) -> None:
    """Announces the space that the images will take; raises DataError if there is too little.

    The file is sparse at first, so its length does not tell the space that it takes.
    """
    file = folder / "images.npy"
    taken = file.stat().st_blocks * 512 if file.is_file() else 0
    needed, free = images * size * size - taken, shutil.disk_usage(folder).free
    if needed <= 0:
        return
    where = f"{str(folder.parent)!r}, where {free / 1e9:,.1f} GB are free"
    if needed + _SPARE > free:
        raise DataError(
            f"The images at {size} px need {needed / 1e9:,.1f} GB in {where}; free some, name "
            "another folder in CXR_CACHE, or choose a smaller --image-size."
        )
    if needed > _WORTH_SAYING:
        print(f"The decoded images take {needed / 1e9:,.1f} GB in {where}.")


@dataclass
class _State:
    """For each image the signature of its file when it was decoded, and whether that succeeded."""

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
    source: ImageSource,
    names: Sequence[str],
    size: int,
    folder: Path,
    state: _State,
    todo: np.ndarray,
    processes: int,
) -> None:
    chunks = [todo[k : k + _CHUNK] for k in range(0, len(todo), _CHUNK)]
    processes = min(processes, len(chunks))
    # Spawned, not forked: the parent may have threads of torch, or use a GPU.
    context = multiprocessing.get_context("spawn")
    # Each task has the places of its images only; all places would take 30 MB in each worker.
    archive = ImageSource({}, source.archive)
    pool = ProcessPoolExecutor(
        processes, context, initializer=_start_worker, initargs=(archive, folder, size)
    )
    with pool, tqdm(total=len(todo), desc="Decoding images", unit="image") as bar:
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
    """The state of a worker process."""

    reader: ImageReader
    file: int
    offset: int
    size: int


def _start_worker(source: ImageSource, folder: Path, size: int) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _Worker.reader = source.reader()
    _Worker.file = os.open(folder / "images.npy", os.O_WRONLY)
    _Worker.offset = _header_bytes(folder / "images.npy")
    _Worker.size = size


def _end_with_parent() -> None:
    """Ends this worker when the build is killed; otherwise it would wait for tasks forever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _decode_chunk(indices: np.ndarray, places: list[str]) -> list[bool]:
    return [_decode_image(int(i), place) for i, place in zip(indices, places, strict=True)]


def _decode_image(i: int, place: str) -> bool:
    """Decodes one image into its place; returns whether that succeeded."""
    try:
        image = imaging.read_image(_Worker.reader.read_at(place))
    except (imaging.ImageError, OSError):
        return False
    small = np.rint(imaging.resize(image, _Worker.size) * 255).astype(np.uint8)
    os.pwrite(_Worker.file, small.tobytes(), _Worker.offset + i * small.size)
    return True


def _create(path: Path, shape: tuple[int, int, int]) -> None:
    """Creates the array file at its full length, sparse until images are decoded."""
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
    """The name of the cache's folder: the size, and a digest of the image names in their order."""
    digest = hashlib.sha256("\n".join(names).encode())
    return f"v{_VERSION}-{size}px-{len(names)}-{digest.hexdigest()[:16]}"
