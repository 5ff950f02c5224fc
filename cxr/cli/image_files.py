"""The images that arguments of `predict` name: files, and folders that are searched."""

import os
import sys
from pathlib import Path

from cxr import imaging
from cxr.imaging import dicom


def find(arguments: list[str]) -> tuple[list[Path], bool]:
    """Returns the images, and whether each folder had some; stderr names those without.

    Files are returned as they are named, whether they exist or not.
    """
    images: list[Path] = []
    complete = True
    for path in map(Path, arguments):
        # Path.is_dir raises on a name that is too long; the result for that file will say so.
        found = _in_folder(path) if os.path.isdir(path) else [path]
        if not found:
            print(f"There are no images in the folder {str(path)!r}.", file=sys.stderr)
            complete = False
        images += found
    return images, complete


def _in_folder(folder: Path) -> list[Path]:
    """The images below a folder, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and _is_image(path))


def _is_image(path: Path) -> bool:
    suffix = path.suffix.lower()
    # DICOM files often have numbers as names, such as 1.2.840.10008. DICOMDIR has no image.
    if (suffix and not suffix[1:].isdigit()) or path.name == "DICOMDIR":
        return suffix in imaging.SUFFIXES
    try:
        with path.open("rb") as file:
            return dicom.looks_like(file.read(dicom.HEAD))
    except OSError:
        return False
