"""`python -m cxr predict`: findings on images, as text, JSON or CSV."""

import argparse
import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cxr.cli import arguments
from cxr.cli.environment import requires

if TYPE_CHECKING:
    from cxr.inference.results import Result
    from cxr.model.resolve import Model

_AT = {"nih": "NIH's prevalence", "training": "the training images' prevalence"}


def add_parser(commands) -> argparse.ArgumentParser:
    """Adds the command. commands: what argparse's add_subparsers returns."""
    command = commands.add_parser(
        "predict", help="findings on images, most likely first", description=run.__doc__
    )
    command.add_argument("model", metavar="MODEL", type=arguments.name, help=arguments.MODEL)
    command.add_argument(
        "images",
        metavar="FILE_OR_DIR",
        nargs="+",
        type=arguments.name,
        help="images, or folders to search for PNG, JPEG, TIFF, WebP, BMP and DICOM files (with "
        "or without a suffix)",
    )
    form = command.add_mutually_exclusive_group()
    form.add_argument(
        "--json", dest="form", action="store_const", const="json", help="one JSON object per line"
    )
    form.add_argument(
        "--csv", dest="form", action="store_const", const="csv", help="a table, one row per image"
    )
    command.add_argument(
        "--output",
        metavar="FILE",
        type=arguments.name,
        help="write there instead of to the screen",
    )
    command.add_argument(
        "--resume",
        action="store_true",
        help="with --output: continue an interrupted run of the same command",
    )
    command.add_argument(
        "--ray",
        action="store_true",
        help="distribute the images over the Ray cluster in $RAY_ADDRESS or a local one; needs "
        "requirements-ray.txt, and the same paths to images and model on every machine",
    )
    command.add_argument(
        "--prevalence",
        metavar="nih|training|LABEL=SHARE,...",
        type=arguments.prevalence,
        default="nih",
        help="the assumed share of images with each finding: that of NIH's 112,120 images, that of "
        "the training images, or your own, such as Effusion=0.3 (default: %(default)s)",
    )
    command.set_defaults(form="text", requirements="requirements.txt")
    return command


def run(options: argparse.Namespace) -> int:
    """Lists the findings on each image, in the order of the images. With --output, results are kept
    beside that file until all are done, and an interrupted run can be continued with --resume."""
    if options.output and os.path.isdir(options.output):
        options.usage_error(f"--output {options.output!r} is a folder; name a file")
    if options.resume and not options.output:
        options.usage_error("--resume continues an earlier --output, which is not given")
    from cxr.cli import image_files

    model = arguments.find_model(options.model)
    images, complete = image_files.find(options.images)
    if options.output:
        accepted = _to_file(options, model, images)
    else:
        quiet = _is_one_stream(sys.stdout, sys.stderr)
        accepted = _write(sys.stdout, options.form, _results(options, model, images), quiet)
    return 0 if accepted and complete else 1


def _results(options: argparse.Namespace, model: "Model", images: list[Path]) -> Iterator["Result"]:
    """The results of the images, in order, as they are made."""
    if not options.ray:
        from cxr.inference import results
        from cxr.inference.predictor import Predictor

        yield from results.of_files(Predictor(model), images, options.prevalence)
        return
    with requires("requirements-ray.txt"):
        from cxr.inference import ray_cluster
    try:
        yield from ray_cluster.of_files(model, images, options.prevalence)
    except ray_cluster.ClusterError as error:
        sys.exit(str(error))


def _to_file(options: argparse.Namespace, model: "Model", images: list[Path]) -> bool:
    """Writes the results to --output once all are there; returns whether all were accepted."""
    from tqdm import tqdm

    from cxr import atomic
    from cxr.cli.part_file import PartFile, ResumeError

    part = PartFile(options.output)
    try:
        done = part.resume(model, options.prevalence) if options.resume else part.start()
        remaining = [image for image in images if str(image) not in done]
        results = part.append(_results(options, model, remaining))
        for _ in tqdm(results, "Images", len(remaining), disable=None, unit="image"):
            pass
    except ResumeError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print(
            f"Stopped by you; the results so far are in {part.path}: continue with --resume.",
            file=sys.stderr,
        )
        sys.exit(130)
    wanted = set(map(str, images))
    with (
        atomic.replacing(options.output) as path,
        path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as out,
    ):
        results = (result for result in part.read() if result["file"] in wanted)
        accepted = _write(out, options.form, results)
    part.remove()
    return accepted


def _write(out: TextIO, form: str, results: Iterable["Result"], quiet: bool = False) -> bool:
    """Writes results as they come; returns whether all images were accepted.

    Args:
        quiet: Rejections are not repeated on stderr, because `out` shows them there.
    """
    write = _writer(out, form)
    accepted = True
    for result in results:
        write(result)
        if result["rejected"] is not None:
            accepted = False
            if not quiet:
                print(f"{result['file']}: {result['rejected']}", file=sys.stderr)
    return accepted


def _writer(out: TextIO, form: str) -> Callable[["Result"], object]:
    from cxr.inference import results

    if form == "csv":
        table = csv.writer(out, lineterminator="\n")
        table.writerow(results.CSV_COLUMNS)
        return lambda result: table.writerow(results.csv_row(result))
    if form == "json":
        return lambda result: print(json.dumps(result), file=out, flush=True)
    return lambda result: print(_as_text(result), file=out, flush=True)


def _as_text(result: "Result") -> str:
    import cxr_labels

    if result["rejected"] is not None:
        return f"{result['file']}: {result['rejected']}\n"
    ranked = sorted(result["probabilities"].items(), key=lambda item: -item[1])
    lines = [f"{result['file']} (probabilities at {_AT.get(at := result['prevalence'], at)})"]
    lines += [
        f"  {cxr_labels.DISPLAY[label]:<20}{100 * p:5.1f} %"
        f"{'  reaches its threshold' if label in result['flagged'] else ''}"
        for label, p in ranked
    ]
    return "\n".join([*lines, *result["warnings"], result["disclaimer"], ""])


def _is_one_stream(one: TextIO, other: TextIO) -> bool:
    """Whether both go to the same terminal, file or pipe."""
    try:
        return os.path.samestat(os.fstat(one.fileno()), os.fstat(other.fileno()))
    except (OSError, ValueError):  # as for a stream that a test has replaced
        return False
