"""All films of the release decoded into a cache: seconds and memory as it goes on.

    python -m benchmarks.archive_size [--films FOLDER] [--count N] [--image-size S]

Links to the films in --films (here the 384 px ones) stand for the release's 112,120, in its layout:
Data_Entry_2017.csv and images_001/images/ to images_012/images/. Takes some minutes, and half a GB
of disk at 64 px while it lasts. Writes docs/archive_size.json.
"""

import argparse
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import child, here
from cxr import atomic
from cxr.training import boxes, nih, pixels, splits
from cxr.training.films import Films
from cxr_labels import FINDINGS, NIH_PREVALENCE, NO_FINDING

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "archive_size.json"
RELEASE, PATIENTS, PARTS = 112_120, 30_805, 12
STEP = 10_000  # films between two lines of the figures
_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)


def main() -> None:
    """Loads, decodes and begins an epoch, and writes what each took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--films", type=Path, default=ROOT.parent / "shared" / "nih")
    parser.add_argument("--count", type=int, default=RELEASE)
    parser.add_argument("--image-size", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data = lay_out(options.films, Path(scratch) / "data", options.count)
        figures = measure(data, options.image_size, Path(scratch) / "cache")
    atomic.write_text(FIGURES, json.dumps(figures, indent=2) + "\n")


def lay_out(films: Path, folder: Path, count: int) -> Path:
    """So many links to the films, and a table of as many rows, as the release has them."""
    pictures = sorted((films / "images").resolve().iterdir())
    rng = np.random.default_rng(0)
    carried = rng.random((count, len(FINDINGS))) < [NIH_PREVALENCE[name] for name in FINDINGS]
    rows = [_HEADER]
    for i in range(count):
        patient = i * PATIENTS // RELEASE + 1
        name = f"{patient:08d}_{i:06d}.png"
        images = folder / f"images_{i * PARTS // count + 1:03d}" / "images"
        images.mkdir(parents=True, exist_ok=True)
        (images / name).symlink_to(pictures[i % len(pictures)])
        labels = "|".join(np.array(FINDINGS)[carried[i]]) or NO_FINDING
        who = f"{20 + patient % 60:03d}Y,{'MF'[patient % 2]},{('PA', 'AP')[i % 2]}"
        rows.append(f"{name},{labels},0,{patient},{who},2682,2749,0.143,0.143,")
    (folder / "Data_Entry_2017.csv").write_text("\n".join(rows) + "\n")
    return folder


def measure(data: Path, size: int, cache: Path) -> dict[str, Any]:
    """Seconds, and MB that the process and its largest worker hold, of each step."""
    figures: dict[str, Any] = {"machine": here.description(), "image_size": size}
    figures["before"] = _step(time.perf_counter())
    begun = time.perf_counter()
    found = nih.load(data)
    figures |= {"films": len(found.table), "table": _step(begun)}
    begun = time.perf_counter()
    split = splits.make(found, "official", seed=0)
    figures["split"] = _step(begun)
    names = list(found.table.image)
    with _Watch(cache, begun := time.perf_counter()) as watch:
        built = pixels.build(found.source, names, size, cache)
    figures |= {"decoding": watch.lines, "decoded": _step(begun)}
    begun = time.perf_counter()
    # Only here: the processes that decode import this file too, and need no torch.
    from cxr.training import learner

    figures["fastai"] = _step(begun)
    begun = time.perf_counter()
    films = Films(built, found.targets, names, boxes.Boxes())
    rows = (np.flatnonzero(split == name) for name in (splits.TRAIN, splits.VALID))
    next(iter(learner.make_dls(films, *rows, 32).train))
    figures["first_batch"] = _step(begun)
    return figures


class _Watch:
    """Looks at a build from another thread, and notes a line whenever `STEP` more films are in."""

    def __init__(self, cache: Path, begun: float):
        self.lines: list[dict[str, float]] = []
        self._cache, self._begun = cache, begun
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            done = self._done()
            if done >= STEP * (len(self.lines) + 1):
                self.lines.append({"films": done, **_step(self._begun)})

    def _done(self) -> int:
        states = list(self._cache.glob("*/state.npy"))
        return int((np.load(states[0])["state"] != 0).sum()) if states else 0


def _step(begun: float) -> dict[str, float]:
    workers = [child.resident(pid) for pid in child.workers(os.getpid())]
    return {
        "seconds": round(time.perf_counter() - begun, 2),
        "mb": round(child.resident(os.getpid())),
        "worker_mb": round(max(workers, default=0)),
    }


if __name__ == "__main__":
    main()
