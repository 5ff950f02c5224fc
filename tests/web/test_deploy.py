"""Deploying to a Space: what is sent, what is set, what is rejected, and that it then runs.

Each test runs the command and the Hub's real client against a stand-in on this machine.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from huggingface_hub import constants, metadata_load
from PIL import Image
from support import IMAGE, ROOT, hub_standin
from support.hub_standin import GUEST, TOKEN, Hub
from support.published import published
from support.served import app

from cxr.model import model_folder
from cxr.model.errors import HubError
from cxr.model.hub import UNREACHABLE, HubName
from cxr.web import deploy as deploying
from cxr.web import space
from cxr.web.space import ServedModel, Space, SpaceError

SPACE, MODEL = "owner/space", "owner/model"
NOBODY = "http://127.0.0.1:9"  # where no Hub listens


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A Hub with a model on it."""
    with hub_standin.running() as running:
        running.put(MODEL, published())
        yield running


def deploy(
    hub: Hub, home: Path, *options: str, token: str | None = TOKEN, **environment: str
) -> subprocess.CompletedProcess:
    """`python -m cxr deploy`, with the options behind it."""
    inherited = {name: value for name, value in os.environ.items() if name != "HF_TOKEN"}
    return subprocess.run(
        [sys.executable, "-m", "cxr", "deploy", *options],
        cwd=ROOT,
        env={**inherited, **hub.environment(home, token), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def deployed(hub: Hub, home: Path, *options: str, **more) -> str:
    """The same, which must succeed; what it printed."""
    done = deploy(hub, home, SPACE, "--model", MODEL, *options, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rejected(done: subprocess.CompletedProcess) -> str:
    """The one sentence with which it was rejected."""
    assert done.returncode != 0, done.stdout
    (sentence,) = done.stderr.strip().splitlines()
    return sentence


def newest(hub: Hub, name: str) -> hub_standin.Commit:
    return hub.repositories[name].commits[-1]


def tree(hub: Hub, name: str = SPACE) -> dict[str, bytes]:
    """The files of a repository's newest commit."""
    return {path: file.content for path, file in newest(hub, name).files.items()}


def header(hub: Hub, folder: Path) -> dict:
    """The Space's header as the Hub's own client reads it."""
    (folder / "README.md").write_bytes(tree(hub)["README.md"])
    return dict(metadata_load(folder / "README.md") or {})


def test_dry_run_lists_what_is_then_sent_and_changes_nothing(hub, tmp_path):
    """Names and sizes are those of the deploy that follows; the Hub is only read."""
    before = set(hub.repositories)
    told = deployed(hub, tmp_path, "--dry-run", token=None)
    assert {request.split()[0] for request in hub.requests} <= {"GET", "HEAD"}
    assert set(hub.repositories) == before

    deployed(hub, tmp_path)
    sent = {path: len(content) for path, content in tree(hub).items()}
    listed = re.findall(r"^ *([\d,]+)  (\S+)$", told, re.M)
    assert {path: int(size.replace(",", "")) for size, path in listed} == sent
    assert f"{sum(sent.values()):,}  bytes in {len(sent)} files" in told
    assert f"CXR_MODEL={MODEL}@{newest(hub, MODEL).sha}" in told
    assert tree(hub)["README.md"].decode().split("---\n")[1] in told


def test_dry_run_of_a_pinned_model_needs_no_hub(hub, tmp_path):
    """Without a token and without a network it lists all the same, and says what it did not do."""
    pinned = f"{MODEL}@{'0' * 40}"
    done = deploy(
        hub, tmp_path, SPACE, "--model", pinned, "--dry-run", token=None, HF_ENDPOINT=NOBODY
    )
    assert done.returncode == 0, done.stderr
    assert f"CXR_MODEL={pinned}" in done.stdout
    assert "The Hub could not be asked" in done.stdout


def test_dry_run_of_the_newest_commit_needs_the_hub(hub, tmp_path):
    """What is not pinned cannot be known without the Hub, and that is said."""
    done = deploy(hub, tmp_path, SPACE, "--model", MODEL, "--dry-run", HF_ENDPOINT=NOBODY)
    assert "The Hub cannot be reached" in rejected(done)


def test_space_arrives_in_one_commit(hub, tmp_path):
    """One commit brings all files, and the answer names address, commit and model."""
    told = deployed(hub, tmp_path)
    assert sum("/commit/" in request for request in hub.requests) == 1
    assert told.splitlines() == [
        f"Space:  {hub.url}/spaces/{SPACE}",
        f"Commit: {newest(hub, SPACE).sha}",
        f"Model:  {MODEL}@{newest(hub, MODEL).sha}",
    ]


def test_space_is_small_and_has_no_model(hub, tmp_path):
    """Less than 10 MB, no weights, none of the training half, no script that makes examples."""
    deployed(hub, tmp_path)
    files = tree(hub)
    total = sum(map(len, files.values()))
    print(f"{total / 1e6:.2f} MB in {len(files)} files")
    assert total < 10e6
    assert not [path for path in files if path.endswith((".onnx", ".npz", ".safetensors", ".pkl"))]
    assert not [path for path in files if "training" in path or "make_examples" in path]
    assert {"app.py", "LICENSE", "requirements.txt", "examples/examples.csv"} < set(files)


def test_header_pins_model_and_versions(hub, tmp_path):
    """The header has the project's fields, the pinned Gradio, and the model at its commit."""
    deployed(hub, tmp_path)
    found = header(hub, tmp_path)
    ours = dict(metadata_load(ROOT / "README.md") or {})
    assert {name: found[name] for name in ours} == ours
    assert found["python_version"] == "3.11"
    assert f"gradio=={found['sdk_version']}\n" in (ROOT / "requirements.txt").read_text()
    assert 0 < len(found["short_description"]) <= 60
    assert found["models"] == [MODEL]
    (preloaded,) = found["preload_from_hub"]
    repository, files, commit = preloaded.split(" ")
    assert (repository, commit) == (MODEL, newest(hub, MODEL).sha)
    assert {"config.json", "model.onnx", "input_check.npz"} <= set(files.split(","))
    assert not [name for name in files.split(",") if name.endswith((".pkl", ".safetensors"))]


def test_thumbnail_is_a_small_picture_in_the_space(hub, tmp_path):
    """The thumbnail's address is that of an image in the Space, below 100 kB."""
    deployed(hub, tmp_path)
    address = header(hub, tmp_path)["thumbnail"]
    start = f"{hub.url}/spaces/{SPACE}/resolve/main/"
    assert address.startswith(start)
    picture = tmp_path / "thumbnail.jpg"
    picture.write_bytes(tree(hub)[address.removeprefix(start)])
    assert picture.stat().st_size < 100_000
    with Image.open(picture) as opened:
        assert opened.size == (1200, 648)


def test_page_about_the_space_is_short_and_honest(hub, tmp_path):
    """Its text names the pinned commit, says what it is not for, and leaves out what is for
    developers."""
    deployed(hub, tmp_path)
    text = tree(hub)["README.md"].decode().split("---\n", 2)[2]
    assert model_folder.NOT_FOR_CLINICAL_USE in text
    assert newest(hub, MODEL).sha in text
    assert len(text) < 2000
    assert "make demo" not in text


def test_new_space_has_its_model_from_the_start(hub, tmp_path):
    """The request that makes the Space already sets the variable."""
    deployed(hub, tmp_path)
    made = hub.repositories[SPACE]
    assert (made.kind, made.sdk, made.private) == ("space", "gradio", False)
    assert made.variables == {"CXR_MODEL": f"{MODEL}@{newest(hub, MODEL).sha}"}
    assert not [request for request in hub.requests if request.endswith("/variables")]


def test_older_commit_can_be_pinned(hub, tmp_path):
    """OWNER/NAME@REVISION serves that commit, not the newest."""
    older = newest(hub, MODEL).sha
    hub.put(MODEL, {"README.md": b"newer"})
    done = deploy(hub, tmp_path, SPACE, "--model", f"{MODEL}@{older}")
    assert done.returncode == 0, done.stderr
    assert hub.repositories[SPACE].variables == {"CXR_MODEL": f"{MODEL}@{older}"}
    assert header(hub, tmp_path)["preload_from_hub"][0].endswith(older)


def test_repeating_sends_and_sets_nothing(hub, tmp_path):
    """A second deploy of the same changes nothing, and names the commit that is there."""
    first = deployed(hub, tmp_path)
    hub.requests.clear()
    assert deployed(hub, tmp_path) == first
    writing = ("POST /api/repos/create", "PUT /lfs/", f"POST /api/spaces/{SPACE}/")
    sent = [request for request in hub.requests if request.startswith(writing)]
    assert sent == [f"POST /api/spaces/{SPACE}/preupload/main"]  # which asks what is there
    assert len(hub.repositories[SPACE].commits) == 2


def test_another_model_takes_the_place_of_the_first(hub, tmp_path):
    """The variable is set before the commit, of which README is the one file that changed."""
    deployed(hub, tmp_path)
    before = tree(hub)
    other = hub.put("owner/other", published())
    hub.requests.clear()
    done = deploy(hub, tmp_path, SPACE, "--model", "owner/other")
    assert done.returncode == 0, done.stderr
    assert hub.repositories[SPACE].variables == {"CXR_MODEL": f"owner/other@{other}"}
    changed = {path for path, content in tree(hub).items() if before[path] != content}
    assert changed == {"README.md"}
    assert len(hub.repositories[SPACE].commits) == 3
    assert hub.requests.index(f"POST /api/spaces/{SPACE}/variables") < hub.requests.index(
        f"POST /api/spaces/{SPACE}/commit/main"
    )


def test_files_no_longer_there_are_deleted(hub, tmp_path):
    """What the project has no more goes in the same commit; the Hub's own file stays."""
    stale = {"cxr/gone.py": b"", "models/starter/model.onnx": b"x", ".gitattributes": b"*.png"}
    hub.put(SPACE, stale, kind="space")
    deployed(hub, tmp_path)
    assert set(tree(hub)) & set(stale) == {".gitattributes"}
    assert len(hub.repositories[SPACE].commits) == 3


@pytest.mark.parametrize("fresh", [True, False], ids=["new Space", "Space with another model"])
def test_cut_off_anywhere_and_repeated_it_ends_right(fresh, hub, monkeypatch):
    """After each request, done or not: never new code with the old model; repeated, it is whole."""
    # Without a process for each, of which there would be a hundred.
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    name, files = HubName(SPACE), ("config.json", "model.onnx")
    model = ServedModel(HubName(MODEL, newest(hub, MODEL).sha), files)
    old = ServedModel(HubName("owner/old", "0" * 40), files)

    def attempt(number: int, after: bool) -> bool:
        """One deploy that is cut, and one that is not; whether the cut ended the first."""
        hub.repositories.pop(SPACE, None)
        hub.lfs.clear()
        if not fresh:
            deploying.deploy(name, old)
        hub.requests.clear()
        hub.break_at, hub.break_after = number, after
        said = ""
        try:
            deploying.deploy(name, model)
        except HubError as error:
            said = str(error)
        assert said in ("", UNREACHABLE)
        cut.append(len(hub.requests) > number)
        hub.break_at = None
        there = hub.repositories.get(SPACE)
        if there is not None and str(model.name) in tree(hub).get("README.md", b"").decode():
            assert there.variables == {"CXR_MODEL": str(model.name)}
        deploying.deploy(name, model)
        assert tree(hub) == space.contents(Space(name, model, hub.url))
        assert hub.repositories[SPACE].variables == {"CXR_MODEL": str(model.name)}
        assert len(hub.repositories[SPACE].commits) == (2 if fresh else 3)
        return bool(said)

    cut: list[bool] = []
    ended = 0
    while not cut or cut[-1]:
        ended += sum(attempt(len(cut) // 2, after) for after in (False, True))
    print(f"{len(cut) // 2 - 1} requests; {ended} of {sum(cut)} cuts ended it")
    assert ended > 4  # the client itself tries again where files are sent


@pytest.mark.parametrize(
    ("options", "token", "sentence"),
    [
        ((SPACE, "--model", MODEL), None, "You are not signed in to the Hub"),
        ((SPACE, "--model", MODEL), "hf_unknown", "does not accept your token"),
        ((SPACE, "--model", MODEL), GUEST, f"no right to write to '{SPACE}'"),
        (("other/space", "--model", MODEL), TOKEN, "no right to write to 'other/space'"),
        ((SPACE, "--model", "owner/nothing"), TOKEN, "The Hub has no 'owner/nothing'"),
        ((SPACE, "--model", f"{MODEL}@{'1' * 40}"), TOKEN, f"'{MODEL}' has no commit"),
    ],
    ids=["no token", "wrong token", "reader", "another's", "no model", "no commit"],
)
def test_what_the_hub_rejects_is_said_in_one_sentence(options, token, sentence, hub, tmp_path):
    """Exit status 1, one sentence, and no Space."""
    done = deploy(hub, tmp_path, *options, token=token)
    assert done.returncode == 1
    assert sentence in rejected(done)
    assert set(hub.repositories) == {MODEL}


def test_no_network_is_said_in_one_sentence(hub, tmp_path):
    """Where no Hub answers, that is what is said."""
    done = deploy(hub, tmp_path, SPACE, "--model", MODEL, HF_ENDPOINT=NOBODY)
    assert done.returncode == 1
    assert "The Hub cannot be reached" in rejected(done)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("space", "--model", MODEL), "'space' is not a name on the Hub"),
        ((f"{SPACE}@{'0' * 40}", "--model", MODEL), "a Space has no revision"),
        ((SPACE, "--model", "models/starter/x"), "is not a name on the Hub"),
        ((SPACE, "--model", f"{MODEL}@0123abc"), "is not a full commit"),
        ((SPACE, "--model", MODEL, "--hardware", "cpu"), "'cpu' is none of cpu-basic,"),
        ((SPACE,), "--model"),
    ],
    ids=["Space", "Space's revision", "model", "revision", "hardware", "none"],
)
def test_wrong_names_are_wrong_usage(options, sentence, hub, tmp_path):
    """Exit status 2, before anything is asked of the Hub."""
    done = deploy(hub, tmp_path, *options)
    assert done.returncode == 2
    assert sentence in done.stderr.splitlines()[-1]
    assert hub.requests == []


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (published(format_version=2), "has format version 2"),
        (published(labels=["Hernia"]), "are not the 15 of this program"),
        ({"README.md": b"# A text model"}, "is no model folder of this project"),
        ({k: v for k, v in published().items() if k != "model.onnx"}, "has no model.onnx"),
        (
            {k: v for k, v in published().items() if k != "input_check.npz"},
            "has no input_check.npz",
        ),
    ],
    ids=["version", "labels", "no config", "no model", "no input check"],
)
def test_what_is_no_model_folder_is_not_deployed(files, sentence, hub, tmp_path):
    """A model that the page could not serve is rejected, and no Space is made."""
    hub.put("owner/odd", files)
    done = deploy(hub, tmp_path, SPACE, "--model", "owner/odd")
    assert sentence in rejected(done)
    assert SPACE not in hub.repositories


def test_space_on_a_cpu_needs_a_plan_and_zero_gpu_none(hub, tmp_path):
    """Without a plan the Hub rejects a CPU; the sentence says what is needed and where to read."""
    hub.paid = False
    sentence = rejected(deploy(hub, tmp_path, SPACE, "--model", MODEL))
    assert "PRO or Team" in sentence
    assert "docs/hosting.md" in sentence
    assert SPACE not in hub.repositories
    deployed(hub, tmp_path, "--hardware", "zero-a10g")
    assert hub.repositories[SPACE].hardware == "zero-a10g"


def test_zero_gpu_keeps_a_python_that_it_has(hub, tmp_path):
    """ZeroGPU has no Python 3.11; a later deploy without --hardware remembers."""
    deployed(hub, tmp_path, "--hardware", "zero-a10g")
    assert header(hub, tmp_path)["python_version"] == "3.12"
    deployed(hub, tmp_path)
    assert header(hub, tmp_path)["python_version"] == "3.12"
    deployed(hub, tmp_path, "--hardware", "cpu-basic")
    assert header(hub, tmp_path)["python_version"] == "3.11"


def test_rejected_hardware_leaves_the_space_as_it_was(hub, tmp_path):
    """Hardware that must be paid for is asked for first; rejected, nothing else has changed."""
    deployed(hub, tmp_path)
    before, variables = newest(hub, SPACE), dict(hub.repositories[SPACE].variables)
    hub.put("owner/other", published())
    hub.paid = False
    done = deploy(hub, tmp_path, SPACE, "--model", "owner/other", "--hardware", "cpu-upgrade")
    assert "wants to be paid" in rejected(done)
    assert newest(hub, SPACE) == before
    assert hub.repositories[SPACE].variables == variables


def test_private_space_is_private(hub, tmp_path):
    """--private makes a new Space private, and it stays so."""
    deployed(hub, tmp_path, "--private")
    assert hub.repositories[SPACE].private
    deployed(hub, tmp_path, "--private")
    assert hub.repositories[SPACE].private


def test_public_space_is_not_taken_for_a_private_one(hub, tmp_path):
    """--private on a Space that everybody sees is rejected before anything is sent."""
    deployed(hub, tmp_path)
    before = newest(hub, SPACE)
    done = deploy(hub, tmp_path, SPACE, "--model", MODEL, "--private")
    assert "is public already" in rejected(done)
    assert newest(hub, SPACE) == before


def test_private_model_needs_a_secret_and_is_not_preloaded(hub, tmp_path):
    """A build that may not fetch the model would fail; the answer says which secret is needed."""
    hub.repositories[MODEL].private = True
    assert "a secret HF_TOKEN" in deployed(hub, tmp_path)
    assert "preload_from_hub" not in header(hub, tmp_path)


def test_header_that_the_hub_rejects_is_said(hub, tmp_path, monkeypatch):
    """What the Hub finds wrong with the header ends it before a file is sent."""
    hub.bad_card = "colorFrom must be a colour"
    done = deploy(hub, tmp_path, SPACE, "--model", MODEL)
    assert "does not take the header of README.md" in rejected(done)
    assert tree(hub) == {}


def _space() -> Space:
    model = ServedModel(HubName(MODEL, "0" * 40), ("config.json", "model.onnx"))
    return Space(HubName(SPACE), model, "https://hub")


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A copy of what a Space is made of, to spoil."""
    for name in space.contents(_space()):
        source = f"docs/{name}" if name == space.THUMBNAIL else name
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, tmp_path / source)
    monkeypatch.setattr(space, "ROOT", tmp_path)
    assert space.contents(_space())
    return tmp_path


def test_tree_above_10_mb_is_not_sent(project):
    """The sentence has the weight and the largest file."""
    image = project / "examples" / "large.png"
    image.write_bytes(bytes(9_800_000))
    with (project / "examples" / "examples.csv").open("a", newline="") as table:
        csv.writer(table).writerow(["large.png", "", "none"])
    with pytest.raises(SpaceError, match=r"10\.\d MB, .* largest file is 'examples/large.png'"):
        space.contents(_space())


def test_too_many_files_are_not_sent(project):
    """The sentence has their number and the most there may be."""
    for number in range(200):
        (project / "cxr" / f"stray{number}.py").touch()
    with pytest.raises(SpaceError, match=r"would have 2\d\d files, and 200 are the most"):
        space.contents(_space())


def test_missing_file_is_named(project):
    """A project that is not whole is not deployed."""
    (project / "LICENSE").unlink()
    with pytest.raises(SpaceError, match="'LICENSE' cannot be read"):
        space.contents(_space())


def test_file_name_that_the_header_cannot_write_is_not_preloaded():
    """An entry of `preload_from_hub` parts at spaces and commas."""
    odd = ServedModel(HubName(MODEL, "0" * 40), ("config.json", "examples/an image.png"))
    text = space.header(Space(HubName(SPACE), odd, "https://hub"))
    assert "preload_from_hub" not in text


def test_zero_gpu_is_told_of_one_function(tmp_path):
    """On ZeroGPU the page declares one function for the GPU before it launches; else none.

    The platform's package stands in for itself here: it asks a service of the platform.
    """
    (tmp_path / "spaces.py").write_text(
        "import pathlib\n"
        "def GPU(function):\n"
        "    with (pathlib.Path(__file__).parent / 'declared').open('a') as file:\n"
        "        file.write('one\\n')\n"
        "    return function\n"
    )
    declared = tmp_path / "declared"
    with app(PYTHONPATH=str(tmp_path)) as address:
        assert not declared.exists()
    with app(PYTHONPATH=str(tmp_path), SPACES_ZERO_GPU="true") as address:
        assert declared.read_text() == "one\n"
        assert Client(address, verbose=False).predict(handle_file(str(IMAGE)), api_name="/predict")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that any user of this machine may enter, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="space"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def fetch(python: str | Path, environment: dict[str, str], name: str, kind: str, **more) -> None:
    """Downloads from the Hub, as a Space's build does, into the cache or `local_dir`."""
    code = (
        f"__import__('huggingface_hub').snapshot_download({name!r}, repo_type={kind!r}, **{more})"
    )
    subprocess.run(
        [str(python), "-c", code],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="module")
def live() -> Iterator[Hub]:
    """A Hub with a model and a Space that serves it."""
    with hub_standin.running() as running, tempfile.TemporaryDirectory() as home:
        running.put(MODEL, published())
        deployed(running, Path(home))
        yield running


@pytest.fixture(scope="module")
def checkout(live: Hub, place: Path) -> Path:
    """The Space's tree in a folder of its own, as the Hub's client fetches it."""
    folder = place / "app"
    fetch(
        sys.executable, live.environment(place / "x", None), SPACE, "space", local_dir=str(folder)
    )
    shutil.rmtree(folder / ".cache")
    assert {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    } == tree(live)
    return folder


@pytest.fixture(scope="module")
def python(checkout: Path, place: Path) -> Path:
    """Python of a fresh environment with the Space's requirements.txt and nothing else."""
    subprocess.run([sys.executable, "-m", "venv", str(place / "env")], check=True)
    python = place / "env" / "bin" / "python"
    start = time.perf_counter()
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "-q", "-r", str(checkout / "requirements.txt")],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and re.search("new connection|name resolution|timed out", done.stderr):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    print(f"installed in {time.perf_counter() - start:.0f} s")
    return python


def environment(hub: Hub, home: Path) -> dict[str, str]:
    """What a Space has: its variable, a home, no token, nothing of this machine's Python."""
    home.mkdir(exist_ok=True)
    home.chmod(0o777)
    return {
        **hub.environment(home / "hub", None),
        **hub.repositories[SPACE].variables,
        "HOME": str(home),
        "GRADIO_TEMP_DIR": str(home / "gradio"),
        "GRADIO_ANALYTICS_ENABLED": "False",
    }


def test_deployed_space_serves_its_model(live, checkout, python, place):
    """Fetched from the Hub, installed without torch, the page answers with the pinned model."""
    for package in ("torch", "fastai", "timm", "pytest"):
        found = subprocess.run([str(python), "-c", f"import {package}"], capture_output=True)
        assert b"ModuleNotFoundError" in found.stderr

    live.requests.clear()
    start = time.perf_counter()
    with app(python=python, folder=checkout, **environment(live, place / "home")) as address:
        client = Client(address, verbose=False)
        answer = client.predict(handle_file(str(IMAGE)), api_name="/analyze")
        print(f"first answer after {time.perf_counter() - start:.1f} s, model fetched")
        label = client.predict(handle_file(str(IMAGE)), api_name="/predict")
    assert (answer["model"], answer["revision"]) == (MODEL, newest(live, MODEL).sha)
    assert len(label["confidences"]) == 15
    assert "Mass" in answer["flagged"]
    assert not [request for request in live.requests if "model.pkl" in request]


def test_preloaded_space_asks_the_hub_for_nothing(live, checkout, python, place):
    """With the cache that the header lets the build fill, the page starts without the Hub."""
    (entry,) = (metadata_load(checkout / "README.md") or {})["preload_from_hub"]
    repository, files, commit = entry.split(" ")
    here = environment(live, place / "preloaded")
    fetch(python, here, repository, "model", revision=commit, allow_patterns=files.split(","))
    live.requests.clear()
    start = time.perf_counter()
    with app(python=python, folder=checkout, **here) as address:
        client = Client(address, verbose=False)
        answer = client.predict(handle_file(str(IMAGE)), api_name="/analyze")
        print(f"first answer after {time.perf_counter() - start:.1f} s, model preloaded")
    assert answer["revision"] == commit
    assert live.requests == []


def may_run(python: Path, user: int) -> bool:
    """Whether this test may become that user, and that user may run this Python."""
    try:
        return subprocess.run([str(python), "-c", ""], user=user, check=False).returncode == 0
    except PermissionError:
        return False


def test_container_serves_what_it_copies(live, python, place):
    """What the Dockerfile copies, started by its last line and where possible as its user,
    answers."""
    dockerfile = (ROOT / "docs" / "Dockerfile").read_text()
    (uid,) = re.findall(r"--uid (\d+) user\nUSER user\n", dockerfile)
    folder = place / "container"
    folder.mkdir()
    for names in re.findall(r"^COPY --chown=user (.+) \S+$", dockerfile, re.M):
        for name in names.split():
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
    command = json.loads(re.findall(r"^CMD (.+)$", dockerfile, re.M)[0])
    assert command[:2] == ["python", "app.py"]
    assert command[-2:] == ["--port", "7860"]
    user = int(uid) if may_run(python, int(uid)) else None
    here = environment(live, place / "container home")
    with app(*command[2:-2], python=python, folder=folder, user=user, **here) as address:
        assert address.startswith("http://0.0.0.0:")
        client = Client(address, verbose=False)
        answer = client.predict(handle_file(str(IMAGE)), api_name="/analyze")
    assert answer["revision"] == newest(live, MODEL).sha


def test_space_without_its_variable_says_what_is_missing(live, checkout, python, place):
    """A Space has no model of its own; without a name it ends with a sentence, and no page."""
    here = environment(live, place / "unnamed") | {"CXR_MODEL": ""}
    with pytest.raises(RuntimeError, match="No model was named") as ended:
        app(python=python, folder=checkout, **here).__enter__()
    assert "Traceback" not in str(ended.value)
