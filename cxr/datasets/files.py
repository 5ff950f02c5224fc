"""The files of a data set: in a folder or in a zip, which is read in place."""

import os
import re
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# What zipfile raises on a member that is damaged, cut off, encrypted or packed in a rare way.
_BROKEN_MEMBER = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)


class DataError(ValueError):
    """Data that cannot be used; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Files:
    """The files below a folder or in a zip.

    Attributes:
        root: The folder or zip.
        paths: The path of each file, or its name in the zip, sorted.
    """

    root: Path
    paths: list[str]

    def read(self, path: str) -> bytes:
        """Returns the content of a file.

        Raises:
            DataError: It cannot be read.
        """
        try:
            if self.root.is_dir():
                return Path(path).read_bytes()
            with zipfile.ZipFile(self.root) as archive:
                return archive.read(path)
        except (OSError, *_BROKEN_MEMBER) as error:
            raise DataError(
                f"{path!r} in {str(self.root)!r} cannot be read; download the data again."
            ) from error

    def named(self, pattern: str) -> list[str]:
        """Returns the paths whose file name matches, those nearest to the root first."""
        matches = re.compile(pattern, re.I).fullmatch
        found = [path for path in self.paths if matches(file_name(path))]
        return sorted(found, key=lambda path: (path.count("/"), path))


def list_files(data: Path) -> Files:
    """Lists the files of a folder or zip.

    Raises:
        DataError: There is none, or the zip is damaged.
    """
    if data.is_dir():
        found = _walk(data)
    elif data.is_file():
        try:
            with zipfile.ZipFile(data) as archive:
                found = [member.filename for member in archive.infolist() if not member.is_dir()]
        except (zipfile.BadZipFile, OSError) as error:
            raise DataError(
                f"{str(data)!r} is not a complete zip file; download it again."
            ) from error
    else:
        raise DataError(f"There is no folder or zip file {str(data)!r}; check the path.")
    # macOS puts a shadow copy of every file into its zips.
    kept = [p for p in found if "__MACOSX" not in p and not file_name(p).startswith("._")]
    return Files(data, sorted(kept))


def file_name(path: str) -> str:
    """Returns the last part of a path; a Path for each of 112,120 images would take seconds."""
    return path.rpartition("/")[2]


def _walk(root: Path) -> list[str]:
    """The files below a folder; links are followed, but no folder is entered twice."""
    found = []
    entered = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        found += [os.path.join(folder, name) for name in names]
    return found


@dataclass(frozen=True)
class ImageSource:
    """Where the images of a data set are.

    Attributes:
        places: {file name: path, or name in the zip}.
        archive: Path of the zip, if they are in one.
    """

    places: dict[str, str]
    archive: str | None = None

    def reader(self) -> "ImageReader":
        """Opens the source in this process."""
        return ImageReader(self)

    def signatures(self, names: Iterable[str]) -> np.ndarray:
        """Returns a number for each image that changes when its file does.

        It is made of size and time, in a zip of size and checksum.

        Returns:
            uint64 [N].
        """
        places = [self.places[name] for name in names]
        if self.archive:
            with zipfile.ZipFile(self.archive) as archive:
                marks = [(m.CRC, m.file_size) for m in map(archive.getinfo, places)]
        else:
            marks = [(s.st_mtime_ns, s.st_size) for s in map(os.stat, places)]
        both = np.array(marks, np.uint64).reshape(-1, 2)
        return both[:, 0] * np.uint64(1_000_003) + both[:, 1]


class ImageReader:
    """Reads the bytes of images. The threads of a process can share one, because zipfile locks."""

    def __init__(self, source: ImageSource):
        self._places = source.places
        self._archive = zipfile.ZipFile(source.archive) if source.archive else None

    def read(self, name: str) -> bytes:
        """Returns the bytes of an image by its file name. Raises OSError as `read_at` does."""
        return self.read_at(self._places[name])

    def read_at(self, place: str) -> bytes:
        """Returns the bytes of an image.

        Args:
            place: One of the values of `ImageSource.places`.

        Raises:
            OSError: It cannot be read.
        """
        if not self._archive:
            return Path(place).read_bytes()
        try:
            return self._archive.read(place)
        except _BROKEN_MEMBER as error:
            raise OSError(f"{place!r} is damaged in its zip") from error
