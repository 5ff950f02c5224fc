"""How a model folder's screening answers pictures that are not chest films.

    python -m benchmarks.odd_pictures MODEL [--films FOLDER] [--split valid] [--output FILE]

Prints a table and writes JSON: {"kinds": {kind: {"pictures", "refused", "warned"}}, "pictures",
"refused_share", "ci95", "chest_transforms": {name: {"pictures", "refused", "warned"}}}.
"""

import argparse
from pathlib import Path

from benchmarks.odd_pictures import measure
from cxr import model_folder
from cxr.serving.predictor import Predictor


def main() -> None:
    """Measures one folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("--films", type=Path, help="folder with images/ of NIH, to measure those")
    parser.add_argument("--split", default="valid", help="the films of this split in splits.csv")
    parser.add_argument("--most", type=int, default=300, help="at most so many films")
    parser.add_argument("--output", type=Path, help="JSON file")
    options = parser.parse_args()
    predictor = Predictor(options.model)
    if not predictor.config.screening:
        raise SystemExit(f"{str(options.model)!r} has no screening; train it anew.")
    kinds = measure.odd_pictures(predictor)
    transforms = {}
    if options.films:
        files = measure.files_of(options.model, options.films, options.split)[: options.most]
        transforms = measure.chest_films(predictor, files)
    found = measure.report(kinds, transforms)
    for name, counted in (kinds | transforms).items():
        print(
            f"{name:28}{counted['pictures']:6} refused {counted['refused']:5} "
            f"warned {counted['warned']:5}"
        )
    low, high = found["ci95"]
    print(f"Refused {found['refused_share']:.1%} ({low:.1%} to {high:.1%}).")
    if options.output:
        model_folder.write_json(options.output, found)


if __name__ == "__main__":
    main()
