"""docs/hosting.md: its commands run against a stand-in for the Hub."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support import ROOT, documents, hub_standin
from support.hub_standin import Hub
from support.published import published

PAGE = documents.DOCS / "hosting.md"
COMMIT = "0123456789abcdef0123456789abcdef01234567"  # the commit on the page, which does not exist


def blocks(language: str) -> list[str]:
    """The fenced blocks of the page in a language."""
    return documents.blocks(PAGE, language)


def block(words: str) -> str:
    """The one block of commands that contains these words."""
    (found,) = [text for text in blocks("bash") if words in text]
    return found


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A stand-in for the Hub with the model that the page calls OWNER/NAME."""
    with hub_standin.running() as running:
        running.put("owner/NAME", published())
        yield running


def run(commands: str, hub: Hub, folder: Path) -> str:
    """Runs lines of the page with the names and the commit of the stand-in; returns the output."""
    project = folder / "project"
    if not project.exists():
        documents.checkout(project)
    newest = hub.repositories["owner/NAME"].commits[-1].sha
    commands = commands.replace("OWNER/", "owner/").replace(COMMIT, newest)
    done = documents.run(commands, project, hub.environment(folder / "home"))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_block_of_commands_is_run_here():
    """No block of commands is on the page without a test below."""
    known = ("--dry-run", "--hardware", "docker-space", "secrets add", "duplicate")
    assert len(blocks("bash")) == len({block(words) for words in known})


def test_deploying_on_the_page_deploys(hub, tmp_path):
    """The first line lists files, the second creates the Space."""
    rehearsal, real = block("--dry-run").splitlines()
    assert "Nothing was sent" in run(rehearsal, hub, tmp_path)
    assert "owner/SPACE" not in hub.repositories
    assert "Commit: " in run(real, hub, tmp_path)
    assert "app.py" in hub.repositories["owner/SPACE"].commits[-1].files


@pytest.mark.parametrize("line", block("--hardware").splitlines())
def test_options_on_the_page_deploy(line, hub, tmp_path):
    """Each of the further lines, on a fresh Hub."""
    run(line, hub, tmp_path)
    made = hub.repositories["owner/SPACE"]
    assert made.private == ("--private" in line)
    assert made.hardware == ("zero-a10g" if "--hardware" in line else None)


def test_docker_space_on_the_page_is_complete(hub, tmp_path):
    """The Docker Space has what its Dockerfile copies."""
    run(block("docker-space"), hub, tmp_path)
    made = hub.repositories["owner/SPACE"]
    assert (made.sdk, made.variables) == ("docker", {"CXR_MODEL": "owner/NAME"})
    files = made.commits[-1].files
    _, header, _ = files["README.md"].content.decode().split("---\n")
    assert yaml.safe_load(header)["sdk"] == "docker"
    assert yaml.safe_load(header)["app_port"] == 7860
    copied = re.findall(r"^COPY --chown=user (.+) \S+$", files["Dockerfile"].content.decode(), re.M)
    for name in " ".join(copied).split():
        assert [path for path in files if path == name or path.startswith(f"{name}/")], name


def test_secrets_and_variables_on_the_page_are_set(hub, tmp_path):
    """The client takes the secret from the shell and sets the variable."""
    run(block("--dry-run"), hub, tmp_path)
    run(block("secrets add"), hub, tmp_path)
    made = hub.repositories["owner/SPACE"]
    assert made.secrets == {"HF_TOKEN": hub_standin.TOKEN}
    newest = hub.repositories["owner/NAME"].commits[-1].sha
    assert made.variables == {"CXR_MODEL": f"owner/NAME@{newest}"}


def test_duplicating_on_the_page_is_understood(hub, tmp_path):
    """The client requests a copy of the Space."""
    run(block("--dry-run"), hub, tmp_path)
    run(block("duplicate"), hub, tmp_path)
    one, copy = hub.repositories["owner/SPACE"], hub.repositories["owner/COPY"]
    assert copy.commits[-1] == one.commits[-1]
    assert copy.variables == one.variables


def test_container_commands_name_files_that_exist():
    """The files that the container's commands name are in the project."""
    commands = blocks("sh")[0]
    assert (ROOT / re.findall(r"--file (\S+)", commands)[0]).is_file()
    assert (ROOT / re.findall(r"\$PWD/(\S+?):", commands)[0]).is_dir()
    assert "docker build --tag chest-xray --file docs/Dockerfile ." in commands
    dockerfile = (ROOT / "docs" / "Dockerfile").read_text()
    assert "docker build --tag chest-xray --file docs/Dockerfile ." in dockerfile


def test_python_on_the_page_is_valid():
    """The snippet for ZeroGPU can be compiled; it needs a platform that is not here."""
    (snippet,) = blocks("python")
    compile(snippet, PAGE, "exec")
