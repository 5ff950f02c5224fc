"""Compares the 2021 article's recipe with the default one, on the same images: docs/article.json.

    python -m benchmarks.article DATA [--image-size 224] [--epochs 4]

Trains twice, which takes 15 minutes on two cores. `python docs/build.py` then updates
docs/article.md.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cxr import atomic
from cxr.training.settings import RECIPES

ROOT = Path(__file__).parents[1]
METRICS = ROOT / "docs" / "article.json"
_KEPT = (
    "n_images", "n_patients", "images_of_trained_patients", "mean_auroc",
    "mean_ece", "accuracy_multi", "accuracy_threshold", "baselines",
)  # fmt: skip


def main() -> None:
    """Trains by each recipe and writes the metrics."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--image-size", default="224")
    parser.add_argument("--epochs", default="4")
    options = parser.parse_args()
    shared = ["--image-size", options.image_size, "--epochs", options.epochs, "--lr", "1.5e-3"]
    metrics = {name: _train(options.data, ["--recipe", name, *shared]) for name in RECIPES}
    text = json.dumps({"options": shared, "recipes": metrics}, indent=2, allow_nan=False)
    atomic.write_text(METRICS, text + "\n")


def _train(data: Path, options: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        command = [sys.executable, "train.py", "--data", str(data), "--output", str(folder)]
        subprocess.run([*command, *options], cwd=ROOT, check=True)
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return {name: metrics[name] for name in _KEPT}


if __name__ == "__main__":
    main()
