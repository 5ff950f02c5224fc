"""README and docs/*.md: their code blocks, and whether a program accepts their commands."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from support import ROOT

README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text(page), flags=re.DOTALL | re.MULTILINE)


def commands(page: Path, *start: str) -> list[str]:
    """The lines of a page's bash blocks that begin with these words."""
    lines = "".join(blocks(page, "bash")).splitlines()
    return [line for line in lines if tuple(line.split()[: len(start)]) == start]


def build() -> ModuleType:
    """docs/build.py as a module."""
    spec = importlib.util.spec_from_file_location("build", DOCS / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(
    command: str, folder: Path = ROOT, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a line in bash, with this environment's `python`."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env={**os.environ, **(environment or {}), "PATH": programs},
        capture_output=True,
        text=True,
        check=False,
    )


def checkout(folder: Path) -> Path:
    """A folder that looks like the project, in which commands may write new files."""
    folder.mkdir()
    for path in ROOT.iterdir():
        (folder / path.name).symlink_to(path)
    return folder


def assert_understood(words: list[str]) -> None:
    """Fails if the program would reject this command line."""
    from accelerate.commands.launch import launch_command_parser

    import train
    from cxr.cli import main

    match words:
        case ["python", "train.py", *options]:
            train.parse(options)
        case ["python", "-m", "cxr", *options]:
            main.make_parser().parse_args(options)
        case ["accelerate", "launch", *options]:
            launched = launch_command_parser().parse_args(options)
            assert launched.training_script == "train.py"
            assert launched.multi_gpu
            train.parse(launched.training_script_args)
        case ["python", "-m", "pip", "install", *options]:
            assert set(options[::2]) == {"-r"}
            assert all((ROOT / name).is_file() for name in options[1::2])
        case ["python", "app.py", *options]:
            assert set(options[::2]) <= {"--model", "--host", "--port"}
        case ["make", target]:
            assert f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
        case ["git", "clone", *_] | ["cd", _]:
            pass
        case _:
            raise AssertionError(f"no test knows {shlex.join(words)!r}")
