"""A program in an environment without its packages names the requirements file and the command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import IMAGE, ROOT, STARTER

PAGE_PYTHON = ROOT / ".venv" / "bin" / "python"


def run(python: Path | str, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
        check=False,
    )


def check(done: subprocess.CompletedProcess[str], requirements: str) -> None:
    """Status 1, and one line that names the file and the command."""
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert f"of {requirements} is not installed in this environment" in line
    assert line.endswith(f"run `python -m pip install -r {requirements}`.")


@pytest.mark.parametrize(
    ("words", "requirements"),
    [
        (["app.py"], "requirements.txt"),
        (["train.py", "--data", "sample.zip"], "requirements-train.txt"),
        (["-m", "cxr", "predict", STARTER, IMAGE], "requirements.txt"),
        (["-m", "cxr", "predict", STARTER, IMAGE, "--prevalence", "nih"], "requirements.txt"),
        (["-m", "cxr", "evaluate", STARTER, "nih", "--output", "report"], "requirements-train.txt"),
    ],
    ids=["app.py", "train.py", "predict", "prevalence", "evaluate"],
)
def test_empty_environment(words, requirements):
    """With the standard library alone."""
    check(run(sys.executable, "-I", "-S", "-c", _program(words)), requirements)


@pytest.mark.parametrize(
    "words",
    [
        ["train.py", "--data", "sample.zip"],
        ["-m", "cxr", "evaluate", STARTER, "nih", "--output", "report"],
    ],
    ids=["train.py", "evaluate"],
)
def test_environment_of_the_page(words):
    """Training and evaluation need more packages than the page."""
    if not PAGE_PYTHON.is_file():
        pytest.skip("there is no .venv; `make test` makes it")
    check(run(PAGE_PYTHON, *words), "requirements-train.txt")


def test_help_needs_no_package():
    """The commands can be listed before anything is installed."""
    done = run(sys.executable, "-I", "-S", "-c", _program(["-m", "cxr", "--help"]))
    assert done.returncode == 0, done.stderr
    assert "evaluate" in done.stdout


def test_missing_module_of_the_project_is_no_missing_package():
    """It is a fault of the program, and shows as one."""
    script = "from cxr.cli.environment import requires\nwith requires('requirements.txt'):\n    "
    done = run(sys.executable, "-c", f"{script}import cxr.nothing")
    assert "Traceback" in done.stderr


def _program(words: list[object]) -> str:
    """Python code that runs a command line, for an interpreter that finds no packages."""
    *module, name = (words[0],) if words[0] != "-m" else ("-m", words[1])
    run = "run_module" if module else "run_path"
    options = [str(word) for word in words[len(module) + 1 :]]
    return (
        f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[1:] = {options!r}; "
        f"runpy.{run}({str(name)!r}, run_name='__main__')"
    )
