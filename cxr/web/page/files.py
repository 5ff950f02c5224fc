"""Style sheets and scripts of the page, which lie beside the modules that use them."""

from pathlib import Path


def read(name: str) -> str:
    """The text of a file of this folder."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
