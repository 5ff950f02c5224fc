"""Findings on chest X-rays, and how good they are, from the command line.

    python -m cxr predict models/starter image.png
    python -m cxr predict models/starter image.png --json
    python -m cxr predict models/starter folder/ --csv --output results.csv
    python -m cxr predict models/starter folder/ --csv --output results.csv --resume
    python -m cxr predict models/starter image.png --prevalence Effusion=0.3
    python -m cxr predict OWNER/NAME image.png
    python -m cxr evaluate models/starter nih/ --output report
    python -m cxr publish models/starter OWNER/NAME --private
    python -m cxr deploy OWNER/SPACE --model OWNER/NAME

Exit status: 0 when everything was done; 1 when something failed, or when any image was rejected or
unreadable (the others still get results); 2 for wrong usage; 130 when stopped by Ctrl-C.
"""

import argparse
import io
import os
import sys
from pathlib import Path

from cxr.cli import deploy, evaluate, predict, publish
from cxr.cli.environment import requires


def main(arguments: list[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The command line without the program's name; by default that of the process.

    Returns:
        The exit status. Wrong usage raises SystemExit with status 2.
    """
    # A file name may contain bytes that are no text; it is printed with escapes.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with requires("requirements.txt"):
        options = make_parser().parse_args(arguments)
    with requires(options.requirements):
        return _run(options)


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="cxr" if Path(sys.argv[0]).stem == "cxr" else "python -m cxr",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (predict, evaluate, publish, deploy):
        command = module.add_parser(commands)
        command.set_defaults(run=module.run, usage_error=command.error)
    return parser


def _run(options: argparse.Namespace) -> int:
    from cxr.model.errors import HubError, ModelFolderError

    try:
        return options.run(options)
    except (ModelFolderError, HubError) as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of stdout, such as `head`, has enough. Python must not flush into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        what = f"{error.filename!r}: {error.strerror}" if error.filename else error.strerror
        print(f"Stopped: a file cannot be read or written ({what or error}).", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped by you.", file=sys.stderr)
        return 130
