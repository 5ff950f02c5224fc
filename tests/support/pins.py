"""The requirements files: the exact version of each dependency."""

from . import ROOT

FILES = sorted(path.name for path in ROOT.glob("requirements*.txt"))


def pins(file: str) -> dict[str, str]:
    """Package -> version in one file, without the files it includes; "" where unpinned."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    named = [line for line in lines if line and not line.startswith(("#", "-r"))]
    parts = (line.partition("==") for line in named)
    return {package.partition("[")[0]: version for package, _, version in parts}
