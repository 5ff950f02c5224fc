"""Speed, as ratios within one run: `make bench`.

    python -m benchmarks [--images FOLDER] [--model FOLDER] [--output FILE] [PART ...]

Each figure is set against a peer or a physical limit measured in the same run, so that the shared
machine's own speed drops out. --images holds 1024x1024 PNG in the Kaggle sample's layout; images
that are computed take their place where it is absent.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import evaluating, here, layout, one_image, over_http, scale, starting, training
from benchmarks.figure import Figure
from cxr import atomic

ROOT = Path(__file__).parents[1]
# Each takes a folder of images in the Kaggle sample's layout, and a model folder.
PARTS: tuple[Callable[[Path, Path], list[Figure]], ...] = (
    one_image.limit,
    one_image.fastai,
    one_image.torchxrayvision,
    over_http.request,
    over_http.rate,
    training.cache,
    training.feed,
    training.step,
    evaluating.evaluation,
    evaluating.resampling,
    scale.cores,
    scale.cache,
    scale.figures,
    scale.predict,
    starting.first_answer,
    starting.first_page,
    starting.memory,
    starting.installed,
)


def main() -> int:
    """Prints every figure as it is measured; the exit status is 1 when one misses its bar.

    What all parts gave is written to docs/performance.json; what some gave, where --output says.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, default=ROOT.parent / "shared" / "nih_1024")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "starter")
    parser.add_argument("--output", type=Path)
    names = {f"{part.__module__.partition('.')[2]}.{part.__name__}": part for part in PARTS}
    parser.add_argument("parts", nargs="*", choices=[*names, []], metavar="PART")
    options = parser.parse_args()
    measured: list[Figure] = []
    print(f"{'what':<80} {'value':>8} {'bar':>8}")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["CXR_CACHE"] = f"{scratch}/cache"
        data = layout.lay_out(options.images, Path(scratch) / "data")
        for part in [names[name] for name in options.parts] or PARTS:
            for figure in part(data, options.model):
                _show(figure)
                measured.append(figure)
    if options.output or not options.parts:
        _write(measured, options.output or ROOT / "docs" / "performance.json")
    return int(not all(figure.reached for figure in measured))


def _show(figure: Figure) -> None:
    sign = ">=" if figure.better == "higher" else "<="
    note = "" if figure.reached else "  MISSED"
    print(f"{figure.what:<80} {figure.value:>8.2f} {sign} {figure.bar:>5g}{note}", flush=True)


def _write(measured: list[Figure], path: Path) -> None:
    machine = here.description()
    rows = [
        {
            "what": figure.what,
            "value": float(f"{figure.value:.4g}"),
            "bar": figure.bar,
            "better": figure.better,
            "machine": machine,
        }
        for figure in measured
    ]
    atomic.write_text(path, json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
