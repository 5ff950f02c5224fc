"""Rules of the repository: what may be committed, how tests are laid out, no import cycles."""

import ast
import re
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from support import ROOT, STARTER

TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "cxr").rglob("*.py"))
}
MAX_LINES = 400


def test_no_nih_image_and_no_pickle_is_committed():
    """No file is named like an image of NIH ChestX-ray14, and none is a pickle or an archive."""
    command = ["git", "ls-files"]
    tracked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = tracked.stdout.splitlines()
    assert tracked
    assert not [path for path in tracked if re.search(r"\d{8}_\d{3}\.(png|jpe?g)$", path)]
    assert not [path for path in tracked if path.endswith((".pkl", ".pth", ".zip"))]


def test_starter_shows_no_images():
    """The starter has the files that may be committed, and no figure that shows NIH images."""
    assert {path.name for path in STARTER.iterdir() if path.is_file()} == {
        "README.md",
        "config.json",
        "input_check.npz",
        "metrics.json",
        "model.onnx",
        "model.safetensors",
        "ood_images.json",
        "splits.csv",
    }
    assert not (STARTER / "figures" / "batch.png").exists()


def test_example_images_have_a_source():
    """Every example image is listed with its source, and every listed image is there."""
    from cxr.model import examples

    listed = examples.find(STARTER)
    images = {path.name for path in (ROOT / "examples").glob("*.png")}
    assert {image.path.name for image in listed} == images
    assert all("(" in image.source for image in listed)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_no_test_module_is_too_long(path):
    """A test module has at most 400 lines; longer ones are split by topic."""
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_LINES


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_no_test_module_imports_another(path):
    """What several test modules use is in conftest.py or tests/support/."""
    assert [name for name in _imported(path) if re.search(r"(^|\.)test_|conftest", name)] == []


def test_imports_have_no_cycle():
    """The modules of cxr can be put in an order in which each imports only earlier ones."""
    graph = {
        module: {_module(name) for name in _imported(path)} - {None}
        for module, path in MODULES.items()
    }
    assert sum(len(imported) for imported in graph.values()) > len(MODULES)
    TopologicalSorter(graph).prepare()  # raises CycleError, which shows the cycle


def _imported(path: Path) -> set[str]:
    """Full names of all that a file imports, anywhere in it; for `from a import b`, "a.b"."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = _parent(path, node.level) if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def _parent(path: Path, level: int) -> list[str]:
    """The package that a relative import with this many dots starts from."""
    return list(path.relative_to(ROOT).parts[:-level])


def _module(name: str) -> str | None:
    """The module of cxr that holds an imported name; None for other packages."""
    if name in MODULES:
        return name
    return name.rpartition(".")[0] if name.rpartition(".")[0] in MODULES else None


def test_names_of_test_modules_are_unique():
    """pytest imports test modules by their names alone."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
