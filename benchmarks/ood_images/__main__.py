"""Measures how many images that are not chest X-rays a model's input check rejects.

    python -m benchmarks.ood_images MODEL [--images FOLDER] [--split valid] [--output FILE]

Prints a table and writes JSON: {"kinds": {kind: {"images", "rejected", "warned"}}, "images",
"rejected_share", "ci95", "chest_transforms": {name: {"images", "rejected", "warned"}}}.
"""

import argparse
from pathlib import Path

from benchmarks.ood_images import measure
from cxr import atomic
from cxr.inference.predictor import Predictor


def main() -> None:
    """Measures the input check of one model folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument(
        "--images", type=Path, help="folder with images/ of NIH, to measure chest X-rays as well"
    )
    parser.add_argument("--split", default="valid", help="set in splits.csv whose images are used")
    parser.add_argument("--most", type=int, default=300, help="maximum number of chest X-rays")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    options = parser.parse_args()
    predictor = Predictor(options.model)
    if not predictor.config.input_check:
        raise SystemExit(f"{str(options.model)!r} has no input check; train it again.")
    kinds = measure.ood_images(predictor)
    transforms = {}
    if options.images:
        files = measure.files_of(options.model, options.images, options.split)[: options.most]
        transforms = measure.chest_xrays(predictor, files)
    found = measure.report(kinds, transforms)
    for name, counted in (kinds | transforms).items():
        print(
            f"{name:28}{counted['images']:6} rejected {counted['rejected']:5} "
            f"warned {counted['warned']:5}"
        )
    low, high = found["ci95"]
    print(f"Rejected {found['rejected_share']:.1%} ({low:.1%} to {high:.1%}).")
    if options.output:
        atomic.write_json(options.output, found)


if __name__ == "__main__":
    main()
