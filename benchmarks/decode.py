"""Decodes a folder's images into a cache that is deleted: the child process of other measurements.

python -m benchmarks.decode FOLDER IMAGE_SIZE PROCESSES
"""

import sys
import tempfile
from pathlib import Path


def main(folder: str, size: str, processes: str) -> None:
    """Decodes the images.

    Args:
        folder: Images in NIH's layout.
        size: Side of the decoded images in pixels.
        processes: Number of processes that decode.
    """
    from cxr.datasets import nih
    from cxr.training import pixels

    found = nih.load(folder)
    with tempfile.TemporaryDirectory() as scratch:
        names = list(found.table.image)
        pixels.build(found.source, names, int(size), Path(scratch), int(processes))


if __name__ == "__main__":
    main(*sys.argv[1:])
