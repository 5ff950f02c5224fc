"""The patch of Gradio's import: what it removes, and that only app.py loads it."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

# Imports a module in a fresh Python, and says what of Gradio and of the import system it changed.
IMPORT = """
import sys
before = list(sys.meta_path)
import {module}
print("cxr.web.lean_gradio" in sys.modules, "gradio" in sys.modules, sys.meta_path == before)
"""
PACKAGES = ("imaging", "model", "inference", "datasets", "evaluation", "cli")
BELOW_WEB = [
    f"cxr.{package}.{path.stem}"
    for package in PACKAGES
    for path in sorted((ROOT / "cxr" / package).glob("*.py"))
    if path.stem not in ("__init__", "__main__", "ray_cluster")  # an optional extra
]


def _imports(path: Path) -> set[str]:
    """All modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def _import(module: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT.format(module=module)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_packages_below_web_touch_neither_gradio_nor_the_import_system():
    """All their modules together."""
    assert _import(", ".join(BELOW_WEB)) == "False False True"


def test_only_app_imports_the_patch():
    """No other file of the project."""
    sources = [ROOT / "app.py", ROOT / "train.py", *(ROOT / "cxr").rglob("*.py")]
    using = {path.name for path in sources if "cxr.web.lean_gradio" in _imports(path)}
    assert using == {"app.py"}


def test_patch_leaves_out_the_stubs_and_the_summaries(tmp_path):
    """No stub is written beside a component of one's own, and no request is summarised."""
    (tmp_path / "component.py").write_text("import gradio as gr\nclass Own(gr.Textbox): pass\n")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import cxr.web.lean_gradio, component, os\n"
        "print(os.environ['GRADIO_ANALYTICS_MAX_EVENTS'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"
    assert not list(tmp_path.glob("*.pyi"))


@pytest.mark.parametrize(
    "name", ["GRADIO_ANALYTICS_MAX_EVENTS", "GRADIO_ANALYTICS_CACHE_FREQUENCY"]
)
def test_gradio_still_reads_the_settings(name):
    """An update of Gradio that renames them is noticed."""
    (folder,) = importlib.util.find_spec("gradio").submodule_search_locations
    assert any(name in path.read_text(encoding="utf-8") for path in Path(folder).glob("*.py"))
