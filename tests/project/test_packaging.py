"""Dependencies: ranges in pyproject.toml, pins in the requirements files, contents of the wheel."""

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from support import ROOT
from support.pins import FILES, pins

import cxr

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
RANGES = {
    "requirements.txt": PROJECT["dependencies"],
    "requirements-train.txt": EXTRAS["train"],
    "requirements-ray.txt": EXTRAS["ray"],
    "requirements-kaggle.txt": EXTRAS["kaggle"],
    "requirements-dev.txt": [line for line in EXTRAS["dev"] if PROJECT["name"] not in line],
}


def test_every_requirements_file_has_ranges():
    """Each requirements file corresponds to the dependencies or to one extra."""
    assert sorted(RANGES) == FILES


@pytest.mark.parametrize("file", FILES)
def test_each_pin_lies_in_its_range(file):
    """pyproject.toml and a requirements file name the same packages, and each range has its pin."""
    ranges = {found.name: found.specifier for found in map(Requirement, RANGES[file])}
    assert ranges.keys() == pins(file).keys()
    for package, pin in pins(file).items():
        assert pin, package
        assert ranges[package].contains(pin), package


@pytest.mark.parametrize("file", FILES)
def test_installed_versions_are_the_pinned_ones(file):
    """This environment has the versions of the requirements files."""
    assert {package: version(package) for package in pins(file)} == pins(file)


def test_runtime_needs_neither_torch_nor_fastai():
    """The packages of training are not among the dependencies of the page and the commands."""
    assert not {"torch", "torchvision", "fastai", "timm"} & pins("requirements.txt").keys()


def test_version_is_that_of_changelog_and_citation():
    """CHANGELOG.md has a section on this version, and CITATION.cff cites it."""
    assert f"\n## [{cxr.__version__}] - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == cxr.__version__
    assert citation["license"] == PROJECT["license"]


def test_each_supported_python_is_tested():
    """The workflow runs on each version of Python that pyproject.toml names."""
    prefix = "Programming Language :: Python :: "
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    jobs = yaml.safe_load(workflow)["jobs"]
    named = [line.removeprefix(prefix) for line in PROJECT["classifiers"] if prefix in line]
    assert jobs["test"]["strategy"]["matrix"]["python"] == named
    assert jobs["install"]["strategy"]["matrix"]["python"] == named


@pytest.mark.slow
def test_wheel_contains_every_file_of_the_package(tmp_path):
    """The wheel has the version, the command, `cxr_labels` and each committed file of cxr/."""
    source = tmp_path / "source"
    files = _tracked("cxr", "cxr_labels.py", "pyproject.toml", "README.md", "LICENSE")
    for path in files:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes((ROOT / path).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    command += ["--quiet", "--wheel-dir", str(tmp_path), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.startswith(f"chest_xray_findings-{cxr.__version__}-")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (points,) = [name for name in names if name.endswith("entry_points.txt")]
        assert "cxr = cxr.cli" in archive.read(points).decode()
    assert {path for path in files if path.startswith("cxr")} == {
        name for name in names if ".dist-info/" not in name
    }


def _tracked(*paths: str) -> list[str]:
    """Committed files at or below these paths that are still there."""
    command = ["git", "ls-files", "-z", *paths]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for path in found.split("\0") if path and Path(ROOT, path).is_file()]
