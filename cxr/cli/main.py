"""Findings on chest X-rays, and how good they are, from the command line.

    python -m cxr predict models/starter image.png
    python -m cxr predict models/starter image.png --json
    python -m cxr predict models/starter folder/ --csv --output answers.csv
    python -m cxr predict models/starter folder/ --csv --output answers.csv --resume
    python -m cxr predict models/starter image.png --prevalence Effusion=0.3
    python -m cxr predict OWNER/NAME image.png
    python -m cxr evaluate models/starter nih/ --output report
    python -m cxr publish models/starter OWNER/NAME --private
    python -m cxr deploy OWNER/SPACE --model OWNER/NAME

Exit status: 0 when every image was answered, 1 when any was rejected or unreadable (the others are
still answered), nothing could be measured or the Hub rejected, 2 for wrong usage.
"""

import argparse
import csv
import importlib.util
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

import cxr.inference.prevalence
import cxr.model.publish
import cxr_labels
from cxr import atomic, imaging
from cxr.cli.part_file import PartFile, ResumeError
from cxr.imaging import dicom
from cxr.inference import results
from cxr.inference.predictor import Predictor
from cxr.inference.prevalence import DEFAULT, Prevalence
from cxr.model import hub, model_folder, resolve
from cxr.model.hub import HubError, HubName
from cxr.model.model_folder import ModelFolderError
from cxr.model.resolve import Model
from cxr.web.space import SpaceError

_MODEL = "a model folder, such as models/starter; else OWNER/NAME[@REVISION] on the Hub"
_AT = {"nih": "NIH's prevalence", "training": "the training images' prevalence"}


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    problem = options.check(options)
    if problem:
        parser.error(problem)
    # A file name may hold bytes that are no text; the others are still answered.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return options.run(options)
    except (ModelFolderError, HubError) as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read the answers, such as `head`, has enough; Python must not flush into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"The answers could not be written: {error.strerror}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped by you.", file=sys.stderr)
        return 130


def predict(options: argparse.Namespace) -> int:
    """Answers for images in their order, as they are made. What goes to --output is kept beside it
    until all is done, so that a run that was cut off goes on with --resume."""
    model = _find(options.model)
    images, status = _images(options.images)
    answers = _ray_answers if options.ray else _answers
    part = PartFile(options.output) if options.output else None
    try:
        if part is None:
            found = answers(model, images, options.prevalence)
            return max(status, _write(sys.stdout, options.form, found))
        kept: set[str] = set()
        if options.resume:
            kept = part.resume(model, options.prevalence)
        else:
            part.start()
        todo = [image for image in images if str(image) not in kept]
        found = answers(model, todo, options.prevalence)
        for _ in tqdm(part.append(found), "Images", len(todo), disable=None, unit="image"):
            pass
    except (ResumeError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        kept_in = f"; answers so far are in {part.path}: go on by --resume" if part else ""
        print(f"Stopped by you{kept_in}.", file=sys.stderr)
        return 130
    asked = set(map(str, images))
    with atomic.replacing(options.output) as path, _open(path) as out:
        found = (answer for answer in part.read() if answer["file"] in asked)
        status = max(status, _write(out, options.form, found))
    part.remove()
    return status


def _answers(model: Model, images: list[Path], prevalence: Prevalence) -> Iterator[dict[str, Any]]:
    return results.of_files(Predictor(model), images, prevalence)


def _ray_answers(
    model: Model, images: list[Path], prevalence: Prevalence
) -> Iterator[dict[str, Any]]:
    from cxr.inference import ray_cluster

    return ray_cluster.of_files(model, images, prevalence)


def evaluate(options: argparse.Namespace) -> int:
    """Measures a model on images in NIH's layout: metrics.json, figures/, predictions.csv and
    report.html, which opens without a network."""
    try:
        from cxr.evaluation import evaluate as evaluation
        from cxr.evaluation import summary
    except ModuleNotFoundError as error:
        print(
            f"Measuring needs the package {error.name!r}; install requirements-train.txt.",
            file=sys.stderr,
        )
        return 2
    try:
        metrics = evaluation.evaluate(
            _find(options.model),
            Path(options.data),
            Path(options.output),
            options.include_training,
        )
    except ModelFolderError:
        raise
    except ValueError as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        what = f"{error.filename!r}: {error.strerror}" if error.filename else error.strerror
        print(f"Stopped: a file cannot be read or written ({what or error}).", file=sys.stderr)
        return 1
    print(summary.table(metrics))
    print(f"\nReport: {Path(options.output) / model_folder.REPORT}")
    print(model_folder.NOT_FOR_CLINICAL_USE)
    return 0


def deploy(options: argparse.Namespace) -> int:
    """Puts this page on a Hugging Face Space, where it serves one commit of a model on the Hub."""
    from cxr.web import deploy as deploying

    wishes = {"private": options.private, "hardware": options.hardware}
    try:
        if options.dry_run:
            print(deploying.rehearse(options.space, options.model, **wishes))
        else:
            print(deploying.deploy(options.space, deploying.look_up(options.model), **wishes))
    except (HubError, SpaceError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _find(name: str) -> resolve.Model:
    """The model that was named; what is to be known of where it comes from goes to stderr."""
    model = resolve.find(name)
    if model.note:
        print(f"Note: {model.note}", file=sys.stderr)
    return model


def publish(options: argparse.Namespace) -> int:
    """Sends a model folder to the Hugging Face Hub, all of it in one commit, and prints the line
    that pins it. The repository is made where it is missing; unchanged files are not sent again."""
    return 0 if cxr.model.publish.send(Path(options.folder), options.name, options.private) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cxr",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_predict(commands)
    _add_evaluate(commands)
    _add_publish(commands)
    _add_deploy(commands)
    return parser


def _add_predict(commands) -> None:
    command = commands.add_parser(
        "predict", help="findings on images, most likely first", description=predict.__doc__
    )
    command.add_argument("model", metavar="MODEL", help=_MODEL)
    command.add_argument(
        "images",
        metavar="FILE_OR_DIR",
        nargs="+",
        help="images, or folders that are searched for "
        + ", ".join(imaging.SUFFIXES)
        + ", and DICOM files without a suffix",
    )
    form = command.add_mutually_exclusive_group()
    form.add_argument(
        "--json", dest="form", action="store_const", const="json", help="one JSON object a line"
    )
    form.add_argument(
        "--csv", dest="form", action="store_const", const="csv", help="a table, one row an image"
    )
    command.add_argument("--output", metavar="FILE", help="write there (default: to the screen)")
    command.add_argument(
        "--resume",
        action="store_true",
        help="with --output: go on where an earlier run of the same command was cut off",
    )
    command.add_argument(
        "--ray",
        action="store_true",
        help="share the images out over the Ray cluster in $RAY_ADDRESS, or start one here; needs "
        "requirements-ray.txt, and images and model under the same names on every machine",
    )
    command.add_argument(
        "--prevalence",
        metavar="nih|training|LABEL=SHARE,...",
        type=_prevalence,
        default=DEFAULT,
        help="the share of images with each finding that scores are stated at: of NIH's 112,120 "
        "images, of the training images, or your own, such as Effusion=0.3 (default: %(default)s)",
    )
    command.set_defaults(run=predict, check=_check_predict, form="text")


def _add_evaluate(commands) -> None:
    command = commands.add_parser(
        "evaluate",
        help="measure a model on labelled images: figures, intervals, a report",
        description=evaluate.__doc__,
    )
    command.add_argument("model", metavar="MODEL", help=_MODEL)
    command.add_argument(
        "data",
        metavar="DATA",
        help="folder or zip with images and label table in NIH's layout, and BBox_List_2017.csv for "
        "the boxes",
    )
    command.add_argument("--output", metavar="DIR", required=True, help="folder for the report")
    command.add_argument(
        "--include-training",
        action="store_true",
        help="count in the images of patients that the model was trained on or chosen by",
    )
    command.set_defaults(run=evaluate, check=_check_evaluate)


def _add_publish(commands) -> None:
    command = commands.add_parser(
        "publish", help="send a model folder to the Hub", description=publish.__doc__
    )
    command.add_argument("folder", metavar="FOLDER", help="a model folder, such as runs/sample")
    command.add_argument("name", metavar="OWNER/NAME", type=_repository, help="where on the Hub")
    command.add_argument(
        "--private", action="store_true", help="make a new repository one that only you can see"
    )
    command.set_defaults(run=publish, check=_check_publish)


def _add_deploy(commands) -> None:
    command = commands.add_parser(
        "deploy", help="put this page on a Hugging Face Space", description=deploy.__doc__
    )
    command.add_argument(
        "space", metavar="OWNER/SPACE", type=_hub_name, help="the Space; made if there is none"
    )
    command.add_argument(
        "--model",
        metavar="OWNER/NAME[@REVISION]",
        type=_hub_name,
        required=True,
        help="the model it serves, pinned to a commit of 40 digits (default: its newest)",
    )
    command.add_argument(
        "--private", action="store_true", help="only you may see it (a new Space: default public)"
    )
    command.add_argument(
        "--hardware",
        metavar="NAME",
        help="such as cpu-basic (default: as it is; the Hub's own choice for a new Space)",
    )
    command.add_argument(
        "--dry-run", action="store_true", help="list what would be sent, and change nothing"
    )
    command.set_defaults(run=deploy, check=_check_deploy)


def _check_predict(options: argparse.Namespace) -> str:
    """What is wrong with the names given, "" when nothing is."""
    if not all([options.model, *options.images]):
        return "a name is empty"
    if options.output and os.path.isdir(options.output):
        return f"--output {options.output!r} is a folder; name a file"
    if options.ray and importlib.util.find_spec("ray") is None:
        return "--ray needs the package 'ray'; install requirements-ray.txt"
    if options.resume and not options.output:
        return "--resume goes on with the answers for --output, which is not given"
    return ""


def _check_evaluate(options: argparse.Namespace) -> str:
    """What is wrong with the names given, "" when nothing is."""
    if not all([options.model, options.data, options.output]):
        return "a name is empty"
    if os.path.isfile(options.output):
        return f"--output {options.output!r} is a file; name a folder"
    return ""


def _check_publish(options: argparse.Namespace) -> str:
    """What is wrong with the names given, "" when nothing is."""
    return "" if options.folder else "a name is empty"


def _repository(text: str) -> HubName:
    try:
        return cxr.model.publish.repository(text)
    except HubError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _check_deploy(options: argparse.Namespace) -> str:
    """What is wrong with the names given, "" when nothing is."""
    from cxr.web.deploy import hardware_names

    if options.space.revision is not None:
        return f"a Space has no revision; name it {options.space.repository}"
    if options.hardware is not None and options.hardware not in hardware_names():
        return f"--hardware {options.hardware!r} is none of {', '.join(hardware_names())}"
    return ""


def _hub_name(text: str) -> HubName:
    try:
        return hub.parse(text)
    except HubError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _prevalence(text: str) -> Prevalence:
    try:
        return cxr.inference.prevalence.parse(text)
    except cxr.inference.prevalence.PrevalenceError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _images_in(folder: Path) -> list[Path]:
    """The images below a folder, by their suffix, in order; DICOM files may have none."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and _is_image(path))


def _is_image(path: Path) -> bool:
    suffix = path.suffix.lower()
    # Many a DICOM file is named by a number, 1.2.840.10008; a disk's DICOMDIR holds no image.
    if (suffix and not suffix[1:].isdigit()) or path.name == "DICOMDIR":
        return suffix in imaging.SUFFIXES
    try:
        with path.open("rb") as file:
            return dicom.looks_like(file.read(dicom.HEAD))
    except OSError:
        return False


def _images(given: list[str]) -> tuple[list[Path], int]:
    """The images that were named, and those of folders; 1 where a folder has none, else 0."""
    images, status = [], 0
    for path in map(Path, given):
        # Path.is_dir raises on a name that is too long; that image's own answer says so.
        found = _images_in(path) if os.path.isdir(path) else [path]
        if not found:
            print(f"There are no images in the folder {str(path)!r}.", file=sys.stderr)
            status = 1
        images += found
    return images, status


def _open(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", errors="backslashreplace", newline="")


def _write(out: TextIO, form: str, answers: Iterable[dict[str, Any]]) -> int:
    """Writes answers as they come; 1 where an image was rejected, which stderr says too, else 0."""
    write, status = _writer(out, form), 0
    for found in answers:
        write(found)
        if found["rejected"] is not None:
            print(f"{found['file']}: {found['rejected']}", file=sys.stderr)
            status = 1
    return status


def _writer(out: TextIO, form: str):
    if form == "csv":
        table = csv.writer(out, lineterminator="\n")
        table.writerow(results.CSV_COLUMNS)
        return lambda found: table.writerow(results.csv_row(found))
    if form == "json":
        return lambda found: print(json.dumps(found), file=out, flush=True)
    return lambda found: print(_as_text(found), file=out, flush=True)


def _as_text(found: dict[str, Any]) -> str:
    if found["rejected"] is not None:
        return f"{found['file']}: {found['rejected']}\n"
    ranked = sorted(found["probabilities"].items(), key=lambda item: -item[1])
    lines = [f"{found['file']} (scores at {_AT.get(at := found['prevalence'], at)})"]
    lines += [
        f"  {cxr_labels.DISPLAY[label]:<20}{100 * p:5.1f} %"
        f"{'  above its threshold' if label in found['flagged'] else ''}"
        for label, p in ranked
    ]
    return "\n".join([*lines, *found["warnings"], found["disclaimer"], ""])


if __name__ == "__main__":
    sys.exit(main())
