"""README and the generated documents: commands run, and generated parts equal their sources."""

import importlib.util
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest
from support import ROOT, hub_standin, planted
from support.pins import pins
from support.served import app

README = (ROOT / "README.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    """The fenced blocks of README in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands(start: str) -> list[str]:
    """The lines of README's bash blocks that begin so."""
    lines = "\n".join(snippets("bash")).splitlines()
    return [line for line in lines if line.startswith(start)]


def _build():
    """docs/build.py as a module."""
    spec = importlib.util.spec_from_file_location("build", ROOT / "docs" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    return build


@pytest.mark.parametrize("page", _build().PAGES, ids=lambda page: page.name)
def test_generated_parts_of_documents_are_current(page):
    """What stands between the marks of a document is what the code and measured files say."""
    text = page.read_text(encoding="utf-8")
    assert _build().render(text) == text


def test_space_header_names_the_pinned_gradio():
    """sdk_version in README's header equals the Gradio of requirements.txt."""
    assert re.findall(r"^sdk_version: (.+)$", README, re.M) == [pins("requirements.txt")["gradio"]]


def test_starter_card_is_made_of_its_metrics():
    """The starter's card is generated from its config, its metrics and the OOD measurement."""
    card = (ROOT / "models" / "starter" / "README.md").read_text(encoding="utf-8")
    assert card == _build().starter_card()
    assert "enriched" in card


@pytest.mark.parametrize("command", commands(".venv/bin/python -m cxr"))
def test_command_in_readme_runs(command, tmp_path):
    """Each command line of README answers, as it stands there."""
    words = [sys.executable if w == ".venv/bin/python" else w for w in shlex.split(command)]
    words = [str(tmp_path / w) if w == "answers.csv" else w for w in words]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "chest_rg1.png" in done.stdout + "".join(p.read_text() for p in tmp_path.iterdir())


@pytest.mark.parametrize("command", commands("python -m cxr publish"))
def test_publishing_in_readme_runs(command, tmp_path):
    """Each publishing command of README sends the folder, with an owner's name put in."""
    words = [sys.executable, *shlex.split(command.replace("OWNER", hub_standin.OWNER))[1:]]
    with hub_standin.running() as hub:
        environment = {**os.environ, **hub.environment(tmp_path)}
        done = subprocess.run(
            words, cwd=ROOT, capture_output=True, text=True, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "config.json" in hub.repositories["owner/NAME"].commits[-1].files


@pytest.mark.parametrize("command", commands("python -m cxr evaluate"))
def test_measuring_in_readme_is_understood(command):
    """Each evaluating command of README is wrong in nothing but the data, which is not there."""
    words = [sys.executable, *shlex.split(command)[1:]]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "There is no folder or zip file 'sample.zip'" in done.stderr


def test_training_in_readme_runs(tmp_path):
    """`python train.py --data sample.zip` with nothing else, on a small sample.zip."""
    data = planted.make_folder(tmp_path / "images", patients=8)
    with zipfile.ZipFile(tmp_path / "sample.zip", "w") as archive:
        for path in sorted(data.rglob("*.*")):
            archive.write(path, path.relative_to(data))
    command = commands("python train.py")[0].replace("train.py", str(ROOT / "train.py"))
    words = [sys.executable, *shlex.split(command)[1:]]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "UserWarning" not in done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "figures" / "learning_rate.png").is_file()


@pytest.mark.parametrize("command", commands("python train.py"))
def test_training_options_in_readme_are_known(command):
    """Each training command of README is understood by train.py."""
    sys.path.insert(0, str(ROOT))
    import train

    assert train.parse(shlex.split(command)[2:]).data == Path("sample.zip")


def test_python_in_readme_runs():
    """README's Python calls the running page and gets what its comments say."""
    (code,) = snippets("python")
    with app() as address:
        names: dict = {}
        exec(code.replace("http://127.0.0.1:7860", address), names)
    assert len(names["label"]["confidences"]) == 15
    assert set(names["found"]) >= {"probabilities", "flagged", "boxes", "warnings"}
    assert Path(names["picture"]).is_file()


def test_make_demo_serves_the_page():
    """`make demo` starts the page on the embedded starter."""
    if not (ROOT / ".venv" / "installed").is_file():
        pytest.skip("there is no .venv; `make test` makes it")
    process = subprocess.Popen(
        ["make", "demo"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        line = next(line for line in process.stdout or () if "http://" in line)
        address = re.findall(r"http://\S+", line)[0]
        with urllib.request.urlopen(address, timeout=20) as answer:
            assert "Findings on a chest X-ray" in answer.read().decode()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
