"""`python -m cxr deploy`: puts the page on a Space."""

import argparse
import sys

from cxr.cli import arguments


def add_parser(commands) -> argparse.ArgumentParser:
    """Adds the command. commands: what argparse's add_subparsers returns."""
    command = commands.add_parser(
        "deploy", help="put the page on a Hugging Face Space", description=run.__doc__
    )
    command.add_argument(
        "space",
        metavar="OWNER/SPACE",
        type=arguments.hub_name,
        help="the Space; it is created when missing",
    )
    command.add_argument(
        "--model",
        metavar="OWNER/NAME[@REVISION]",
        type=arguments.hub_name,
        required=True,
        help="the model to serve; REVISION is a commit of 40 digits (default: the newest)",
    )
    command.add_argument(
        "--private",
        action="store_true",
        help="create a Space that only you can see (default: a public one)",
    )
    command.add_argument(
        "--hardware",
        metavar="NAME",
        help="such as cpu-basic (default: unchanged; for a new Space the Hub chooses)",
    )
    command.add_argument(
        "--dry-run", action="store_true", help="list what would be sent, and change nothing"
    )
    command.set_defaults(requirements="requirements.txt")
    return command


def run(options: argparse.Namespace) -> int:
    """Puts the page on a Hugging Face Space, where it serves one commit of a model on the Hub."""
    from cxr.web import deploy
    from cxr.web.space import SpaceError

    if options.space.revision is not None:
        options.usage_error(f"a Space has no revision; name it {options.space.repository}")
    if options.hardware is not None and options.hardware not in deploy.hardware_names():
        known = ", ".join(deploy.hardware_names())
        options.usage_error(f"--hardware {options.hardware!r} is none of {known}")
    settings = {"private": options.private, "hardware": options.hardware}
    try:
        if options.dry_run:
            print(deploy.rehearse(options.space, options.model, **settings))
        else:
            print(deploy.deploy(options.space, deploy.look_up(options.model), **settings))
    except SpaceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
