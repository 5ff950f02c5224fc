"""Files of a model folder that are shown to visitors. The folder may be anybody's."""

from pathlib import Path


def lies_in(folder: Path, path: Path) -> bool:
    """Whether the file lies in the folder itself: not below, not above, not at a link's far end."""
    try:
        real, home = path.resolve(), folder.resolve()
    except (OSError, ValueError):  # a name that no file can have
        return False
    return path.parent == folder and real.parent in (home, _contents(home))


def text(folder: Path, name: str, largest: int) -> str | None:
    """A text file of the folder, of at most `largest` bytes; None where there is no such file."""
    path = folder / name
    try:
        if not (lies_in(folder, path) and path.is_file()) or path.stat().st_size > largest:
            return None
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return None


def _contents(folder: Path) -> Path | None:
    """Where the cache of the Hub's client keeps what the links in a model's folder stand for.

    folder: .../snapshots/COMMIT, a folder in it, or one that is not in a cache.
    """
    commits = next((above for above in folder.parents[:2] if above.name == "snapshots"), None)
    return commits.parent / "blobs" if commits else None
