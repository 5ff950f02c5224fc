"""`python -m cxr publish`: sends a model folder to the Hub."""

import argparse
from pathlib import Path

from cxr.cli import arguments


def add_parser(commands) -> argparse.ArgumentParser:
    """Adds the command. commands: what argparse's add_subparsers returns."""
    command = commands.add_parser(
        "publish", help="send a model folder to the Hub", description=run.__doc__
    )
    command.add_argument(
        "folder", metavar="FOLDER", type=arguments.name, help="a model folder, such as runs/sample"
    )
    command.add_argument(
        "name", metavar="OWNER/NAME", type=arguments.hub_repository, help="the repository"
    )
    command.add_argument(
        "--private", action="store_true", help="create a new repository that only you can see"
    )
    command.set_defaults(requirements="requirements.txt")
    return command


def run(options: argparse.Namespace) -> int:
    """Sends a model folder to the Hugging Face Hub in one commit, and prints the line that pins it.
    A missing repository is created. Unchanged files are not sent again."""
    from cxr.model import publish

    return 0 if publish.send(Path(options.folder), options.name, options.private) else 1
