"""Safe access to files of a model folder, which may be anybody's."""

from pathlib import Path


def lies_in(folder: Path, path: Path) -> bool:
    """Whether a file lies in the folder itself: not below, not above, not behind a link.

    Links into the cache of the Hub's client are accepted, for there all files of a model are links.
    """
    try:
        real, home = path.resolve(), folder.resolve()
    except (OSError, ValueError):  # a name that no file can have
        return False
    return path.parent == folder and real.parent in (home, _blobs(home))


def text(folder: Path, name: str, largest: int) -> str | None:
    """A text file of the folder, of at most `largest` bytes; None if there is no such file."""
    path = folder / name
    try:
        if not (lies_in(folder, path) and path.is_file()) or path.stat().st_size > largest:
            return None
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return None


def _blobs(folder: Path) -> Path | None:
    """Where the cache keeps the files that the links in .../snapshots/COMMIT[/SUBFOLDER] point to.

    None for a folder that is not in a cache.
    """
    snapshots = next((above for above in folder.parents[:2] if above.name == "snapshots"), None)
    return snapshots.parent / "blobs" if snapshots else None
