"""docs/training.md and notebooks/train.ipynb: the jobs, the unpacking and the cells run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from support import ROOT, documents, planted
from support.images import RELEASE_HEADER, Row, make_release_folder, write_table

from cxr.datasets import nih

GUIDE = documents.DOCS / "training.md"
NOTEBOOK = json.loads((ROOT / "notebooks" / "train.ipynb").read_text(encoding="utf-8"))
CELLS = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
UNPACKING = ("mkdir", "for", "mv")
JOBS = ("hf", "jobs", "run")
HF = str(Path(sys.executable).with_name("hf"))


def starting(*words: str) -> list[str]:
    """The command lines of the guide that begin with these words."""
    return documents.commands(GUIDE, *words)


@pytest.mark.parametrize("line", starting(*JOBS))
def test_job_in_guide_is_understood(line, tmp_path):
    """The Hub's own client accepts each job, and the programs accept the commands of the job."""
    words = shlex.split(line)
    done = subprocess.run(
        [HF, *JOBS[1:], "--dry-run", *words[len(JOBS) :]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=_no_network(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert "Job not submitted" in done.stdout
    for command in words[-1].split("&&"):
        documents.assert_understood(shlex.split(command))


@pytest.mark.parametrize("line", ["hf auth login", "hf jobs hardware"])
def test_commands_of_the_hubs_client_are_known(line):
    """The Hub's client has the other commands of the guide."""
    assert {*starting("hf")} == {*starting(*JOBS), "hf auth login", "hf jobs hardware"}
    _, *words = line.split()
    subprocess.run([HF, *words, "--help"], check=True, capture_output=True)


def test_release_is_unpacked_as_the_guide_says(tmp_path):
    """NIH's archives and tables, laid out by the guide's commands, are read as one release."""
    rows = [Row(f"{k:08d}_000.png", patient=k) for k in range(1, 5)]
    folder = make_release_folder(tmp_path / "made", rows)
    for part in ("images_001", "images_002"):
        with tarfile.open(tmp_path / f"{part}.tar.gz", "w:gz") as archive:
            archive.add(folder / part / "images", "images")
    write_table(tmp_path / "Data_Entry_2017_v2020.csv", rows, RELEASE_HEADER)
    (tmp_path / "BBox_List_2017.csv").write_text("Image Index,Finding Label,Bbox [x,y,w,h]\n")
    (tmp_path / "test_list.txt").write_text(f"{rows[0].image}\n")
    commands = "\n".join(line for word in UNPACKING for line in starting(word))
    subprocess.run(["bash", "-ec", commands], cwd=tmp_path, check=True)
    data = nih.load(tmp_path / "nih")
    assert data.table.image.tolist() == [row.image for row in rows]
    assert data.test_list == {rows[0].image}
    assert data.box_list is not None


def test_cache_sizes_in_guide_are_right():
    """The table's sizes are images x side x side bytes, in GB."""
    images = {"Kaggle sample": 5_606, "full release": 112_120}
    for name, count in images.items():
        (row,) = [
            line for line in documents.text(GUIDE).splitlines() if line.startswith(f"| {name} |")
        ]
        said = [float(size) for size in re.findall(r"([\d.]+) GB", row)[1:]]
        assert said == pytest.approx([count * side**2 / 1e9 for side in (224, 320, 512)], rel=0.02)


def test_notebook_holds_no_output():
    """The output of a run, which may show images, is not part of the notebook."""
    cells = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)


@pytest.mark.slow
def test_notebook_runs(tmp_path):
    """All cells, on a small data set: clone, install, train, evaluate, predict, pack."""
    data = planted.make_folder(tmp_path / "images", patients=20)
    values = {"SOURCE": f"file://{_repository(tmp_path / 'source')}", "DATA": str(data)}
    values |= {"EPOCHS": 1, "IMAGE_SIZE": 64}
    first, *others = CELLS
    for name, value in values.items():
        first, count = re.subn(rf"^{name} = \S+", f"{name} = {value!r}", first, flags=re.M)
        assert count == 1
    script = tmp_path / "cells.py"
    script.write_text("\n".join([_PRELUDE, *map(_as_python, [first, *others])]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=_no_network(tmp_path),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    project = tmp_path / "chest-xray"
    assert (project / "model.zip").is_file()
    assert (project / "runs" / "report" / "report.html").is_file()
    assert "chest_rg1.png" in done.stdout


# Runs the lines of a notebook that begin with !; a failure ends the script.
_PRELUDE = """\
import os, subprocess
def _shell(command):
    subprocess.run(command, shell=True, check=True)
"""


def _as_python(cell: str) -> str:
    """Returns a cell as plain Python."""
    lines = [
        re.sub(r"^!(.*)", lambda found: f"_shell(f{found[1]!r})", line) for line in cell.split("\n")
    ]
    return "\n".join(re.sub(r"^%cd (.*)", r"os.chdir('\1')", line) for line in lines)


def _repository(folder: Path) -> Path:
    """Makes a repository of this checkout's files in their current state."""
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(git, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "as it is"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def _no_network(home: Path) -> dict[str, str]:
    """Environment variables: a new home, and no package index and no Hub."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9", "PIP_NO_INDEX": "1"}
    return {**os.environ, "PATH": programs, "HOME": str(home), "HF_TOKEN": "hf_none", **nobody}
