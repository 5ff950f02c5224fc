"""Decodes a folder's images into a cache that is thrown away: what other measurements look at.

python -m benchmarks.build FOLDER IMAGE_SIZE PROCESSES
"""

import sys
import tempfile
from pathlib import Path


def main(folder: str, size: str, processes: str) -> None:
    """folder: in NIH's layout. size: side in pixels."""
    from cxr.datasets import nih
    from cxr.training import pixels

    found = nih.load(folder)
    with tempfile.TemporaryDirectory() as scratch:
        names = list(found.table.image)
        pixels.build(found.source, names, int(size), Path(scratch), int(processes))


if __name__ == "__main__":
    main(*sys.argv[1:])
