"""Measures speed and memory: `make bench`.

    python -m benchmarks [--images FOLDER] [--model FOLDER] [--output FILE] [PART ...]

Most metrics are ratios to another program or to a physical limit, measured in turns in the same
run, so that the speed of a shared machine cancels out. FOLDER has images of 1024x1024 in the layout
of the Kaggle sample. Without it, computed images are used where any image will do; the input check
rejects those, so parts that analyse images are left out.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    evaluating,
    folders,
    hardware,
    one_image,
    over_http,
    scaling,
    starting,
    training,
)
from benchmarks.metric import Metric
from cxr import atomic

ROOT = Path(__file__).parents[1]
METRICS = ROOT / "docs" / "performance.json"

# Measures on a folder of images in the Kaggle sample's layout, with a model folder.
Part = Callable[[Path, Path], list[Metric]]

# Parts that analyse images, and so need real chest X-rays.
ON_CHEST_XRAYS: tuple[Part, ...] = (
    one_image.limit,
    one_image.fastai,
    one_image.torchxrayvision,
    over_http.request,
    over_http.rate,
    evaluating.evaluation,
    scaling.predict,
    starting.first_result,
    starting.memory,
)
ON_ANY_IMAGES: tuple[Part, ...] = (
    training.cache,
    training.feed,
    training.step,
    evaluating.resampling,
    scaling.cores,
    scaling.cache,
    scaling.release,
    starting.first_page,
    starting.installed,
)


def main() -> int:
    """Prints each metric as it is measured, and writes them.

    A run of all parts is written to docs/performance.json; any run to --output.

    Returns:
        Exit status: 1 if a metric misses its target, otherwise 0.
    """
    parts = {_name(part): part for part in (*ON_CHEST_XRAYS, *ON_ANY_IMAGES)}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, default=ROOT.parent / "shared" / "nih_1024")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "starter")
    parser.add_argument("--output", type=Path)
    parser.add_argument("parts", nargs="*", choices=[*parts, []], metavar="PART")
    options = parser.parse_args()
    chosen = [parts[name] for name in options.parts] or list(parts.values())
    left_out = [] if options.images.is_dir() else [p for p in chosen if p in ON_CHEST_XRAYS]

    measured: list[Metric] = []
    print(f"{'metric':<80} {'value':>8} {'target':>9}")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["CXR_CACHE"] = f"{scratch}/cache"
        data = folders.copies(options.images, Path(scratch) / "data")
        for part in chosen:
            if part in left_out:
                print(f"{_name(part)}: left out, because it needs the chest X-rays of --images.")
                continue
            for metric in part(data, options.model):
                _show(metric)
                measured.append(metric)

    if options.output:
        _write(measured, options.output)
    elif not options.parts and not left_out:
        _write(measured, METRICS)
    return int(not all(metric.reached for metric in measured))


def _name(part: Part) -> str:
    return f"{part.__module__.partition('.')[2]}.{part.__name__}"


def _show(metric: Metric) -> None:
    sign = ">=" if metric.better == "higher" else "<="
    target = "ceiling" if metric.target is None else f"{sign} {metric.target:.3g}"
    note = "" if metric.reached else "  MISSED"
    print(f"{metric.name:<80} {metric.value:>8.2f} {target:>9}{note}", flush=True)


def _write(measured: list[Metric], path: Path) -> None:
    machine = hardware.description()
    rows = [
        {
            "name": metric.name,
            "value": float(f"{metric.value:.4g}"),
            "target": None if metric.target is None else float(f"{metric.target:.4g}"),
            "better": metric.better,
            "machine": machine,
        }
        for metric in measured
    ]
    atomic.write_text(path, json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
