"""docs/predict.md: every command and snippet runs as written, and its tables are complete."""

import json
import re
from pathlib import Path

import pytest
from support import KEYS, documents

from cxr.evaluation import thresholds

PAGE = documents.DOCS / "predict.md"


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """The current folder: what the snippets name, and a place where they may write."""
    folder = documents.checkout(tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("command", documents.commands(PAGE))
def test_command_on_the_page_runs(command, project):
    """Each command gives a result for the example image."""
    done = documents.run(command, project)
    assert done.returncode == 0, done.stderr
    table = project / "results.csv"
    written = table.read_text() if table.is_file() else ""
    assert "chest_rg1.png" in done.stdout + written


def test_python_on_the_page_runs(project, capsys):
    """One block after the other; the first prints what the page shows."""
    first, *others = documents.blocks(PAGE, "python")
    names: dict = {}
    exec(first, names)
    assert capsys.readouterr().out == documents.blocks(PAGE, "text")[0]
    assert (project / "mass.png").is_file()
    for block in others:
        exec(block, names)
    code, *many = capsys.readouterr().out.splitlines()
    assert code == "not_a_chest_xray"
    assert [line.split()[0] for line in many] == [path.name for path in names["paths"]]
    assert "not_chest_rg3.png not_a_chest_xray" in many


def test_keys_on_the_page_are_those_of_the_result():
    """The table of keys and the example have each key, in order."""
    section = documents.text(PAGE).partition("## JSON and CSV")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", section, re.M)
    assert [key for row in rows for key in re.findall(r"`(\w+)`", row)] == KEYS
    assert list(json.loads(documents.blocks(PAGE, "json")[0])) == KEYS


def test_rules_on_the_evaluation_page_are_known():
    """Each rule for thresholds that docs/evaluation.md explains is one, and none is missing."""
    section = documents.text(documents.DOCS / "evaluation.md").partition("## Thresholds")[2]
    rules = re.findall(r"^\| `([\w=.]+)` \|", section, re.M)
    assert tuple(rules) == thresholds.RULES
