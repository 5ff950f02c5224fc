"""`python -m cxr evaluate`: measures a model on labelled images."""

import argparse
import os
import sys
from pathlib import Path

from cxr.cli import arguments


def add_parser(commands) -> argparse.ArgumentParser:
    """Adds the command. commands: what argparse's add_subparsers returns."""
    command = commands.add_parser(
        "evaluate",
        help="measure a model on labelled images: metrics, intervals, a report",
        description=run.__doc__,
    )
    command.add_argument("model", metavar="MODEL", type=arguments.name, help=arguments.MODEL)
    command.add_argument(
        "data",
        metavar="DATA",
        type=arguments.name,
        help="a folder or zip with images and a label table in NIH's layout, and with "
        "BBox_List_2017.csv for the boxes",
    )
    command.add_argument(
        "--output", metavar="DIR", type=arguments.name, required=True, help="folder for the report"
    )
    command.add_argument(
        "--include-training",
        action="store_true",
        help="include images of patients that the model was trained on or chosen by",
    )
    command.set_defaults(requirements="requirements-train.txt")
    return command


def run(options: argparse.Namespace) -> int:
    """Measures a model on images in NIH's layout, and writes metrics.json, figures/,
    predictions.csv and report.html, which opens without a network."""
    if os.path.isfile(options.output):
        options.usage_error(f"--output {options.output!r} is a file; name a folder")
    from cxr.evaluation import evaluate, summary
    from cxr.model import model_folder
    from cxr.model.errors import ModelFolderError

    output = Path(options.output)
    try:
        model = arguments.find_model(options.model)
        metrics = evaluate.evaluate(model, Path(options.data), output, options.include_training)
    except ModelFolderError:
        raise
    except ValueError as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    print(summary.table(metrics))
    print(f"\nReport: {output / model_folder.REPORT}")
    print(model_folder.NOT_FOR_CLINICAL_USE)
    return 0
