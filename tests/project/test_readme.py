"""README: every command and snippet runs as written."""

import os
import re
import signal
import subprocess
import urllib.request
import zipfile

import pytest
from support import ROOT, documents, hub_standin, planted
from support.served import app

README = documents.README


def test_python_in_process_prints_what_readme_shows(monkeypatch, capsys):
    """The first Python block, run from the project's folder."""
    monkeypatch.chdir(ROOT)
    exec(documents.blocks(README, "python")[0], {})
    assert capsys.readouterr().out == documents.blocks(README, "text")[0]


def test_gradio_client_in_readme_runs(monkeypatch, capsys):
    """The second Python block, against a running page."""
    monkeypatch.chdir(ROOT)
    _, code = documents.blocks(README, "python")
    with app() as address:
        exec(code.replace("http://127.0.0.1:7860", address), {})
    last = capsys.readouterr().out.splitlines()[-1]  # the client prints a line of its own before
    assert re.fullmatch(r"0\.\d+ \[\[\d+, \d+, \d+, \d+\]\]", last)


@pytest.mark.parametrize("command", documents.commands(README, "python", "-m", "cxr", "predict"))
def test_predict_in_readme_runs(command):
    """Each predict command gives a result."""
    done = documents.run(command)
    assert done.returncode == 0, done.stderr
    assert "chest_rg1.png" in done.stdout


@pytest.mark.parametrize("command", documents.commands(README, "python", "-m", "cxr", "publish"))
def test_publish_in_readme_runs(command, tmp_path):
    """Each publish command sends the folder."""
    with hub_standin.running() as hub:
        done = documents.run(
            command.replace("OWNER", hub_standin.OWNER), environment=hub.environment(tmp_path)
        )
        assert done.returncode == 0, done.stderr
        assert "config.json" in hub.repositories["owner/NAME"].commits[-1].files


@pytest.mark.parametrize("command", documents.commands(README, "python", "-m", "cxr", "evaluate"))
def test_evaluate_in_readme_only_lacks_the_data(command):
    """Each evaluate command ends with the message that there is no sample.zip here."""
    done = documents.run(command)
    assert done.returncode == 1
    assert "'sample.zip'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_deploy_in_readme_is_on_the_hosting_page():
    """README's deploy commands are run by the test of docs/hosting.md."""
    start = ("python", "-m", "cxr", "deploy")
    commands = documents.commands(README, *start)
    assert commands
    assert set(commands) <= set(documents.commands(documents.DOCS / "hosting.md", *start))


@pytest.mark.slow
def test_train_in_readme_runs(tmp_path):
    """`python train.py --data sample.zip` without other options, on a small sample.zip."""
    data = planted.make_folder(tmp_path / "images", patients=8)
    project = documents.checkout(tmp_path / "project")
    with zipfile.ZipFile(project / "sample.zip", "w") as archive:
        for path in sorted(data.rglob("*.*")):
            archive.write(path, path.relative_to(data))
    (project / "runs").unlink(missing_ok=True)
    (command,) = documents.commands(README, "python", "train.py")
    done = documents.run(command, project)
    assert done.returncode == 0, done.stderr
    assert "UserWarning" not in done.stderr
    (folder,) = (project / "runs").iterdir()
    assert (folder / "figures" / "learning_rate.png").is_file()


@pytest.mark.slow
def test_virtual_environment_in_readme_is_made_and_activated(tmp_path):
    """The line for Linux and macOS; `python` is then the one of .venv."""
    unix, windows, install, start = documents.blocks(README, "sh")[0].splitlines()
    done = documents.run(f"{unix}\nwhich python", tmp_path)
    assert done.stdout.strip() == str(tmp_path / ".venv" / "bin" / "python"), done.stderr
    assert re.match(r"py -m venv \.venv; \.venv\\Scripts\\Activate\.ps1 ", windows)
    for line in (install, start):
        documents.assert_understood(line.split())


def test_make_demo_serves_the_page():
    """`make demo` starts the page with the starter."""
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
            assert "chest X-ray" in answer.read().decode()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
