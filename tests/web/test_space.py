"""The files of a Space: which they are, their header, and their limits."""

import csv
import re
import shutil
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from huggingface_hub import metadata_load
from PIL import Image
from support import IMAGE, ROOT, STARTER
from support.deploying import MODEL, SPACE, deployed, header, newest, tree
from support.served import app

from cxr.model import model_folder
from cxr.model.hub import HubName
from cxr.web import space
from cxr.web.space import ServedModel, Space, SpaceError


def _space() -> Space:
    model = ServedModel(HubName(MODEL, "0" * 40), ("config.json", "model.onnx"))
    return Space(HubName(SPACE), model, "https://hub")


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A copy of the files that a Space is made of, which tests change."""
    for name in space.contents(_space()):
        source = f"docs/{name}" if name == space.THUMBNAIL else name
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, tmp_path / source)
    monkeypatch.setattr(space, "ROOT", tmp_path)
    assert space.contents(_space())
    return tmp_path


def test_app_starts_from_the_files_of_a_space(tmp_path):
    """Everything that app.py imports is among them."""
    for path, content in space.contents(_space()).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    with app("--model", str(STARTER), folder=tmp_path) as address:
        client = Client(address, verbose=False)
        assert client.predict(handle_file(str(IMAGE)), api_name="/predict")


def test_tree_above_10_mb_is_not_sent(project):
    """The message names the size and the largest file."""
    image = project / "examples" / "large.png"
    image.write_bytes(bytes(9_800_000))
    with (project / "examples" / "examples.csv").open("a", newline="") as table:
        csv.writer(table).writerow(["large.png", "", "none"])
    with pytest.raises(SpaceError, match=r"1\d\.\d MB, .* largest file is 'examples/large.png'"):
        space.contents(_space())


def test_too_many_files_are_not_sent(project):
    """The message names their number and the limit."""
    for number in range(200):
        (project / "cxr" / f"stray{number}.py").touch()
    with pytest.raises(SpaceError, match=r"would have \d+ files, and 200 are the most"):
        space.contents(_space())


def test_table_of_examples_may_begin_with_a_mark_of_its_encoding(project):
    """As spreadsheet programs write it."""
    table = project / "examples" / "examples.csv"
    before = list(space.contents(_space()))
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    assert list(space.contents(_space())) == before
    assert before[0] == "README.md"


def test_missing_file_is_named(project):
    """If a file of the project is missing, the message names it."""
    (project / "LICENSE").unlink()
    with pytest.raises(SpaceError, match="'LICENSE' cannot be read"):
        space.contents(_space())


@pytest.mark.parametrize("name", ["examples/an image.png", "examples/a,b.png"])
def test_file_name_that_the_header_cannot_write_is_not_preloaded(name):
    """Spaces and commas separate names in `preload_from_hub`."""
    odd = ServedModel(HubName(MODEL, "0" * 40), ("config.json", name))
    text = space.header(Space(HubName(SPACE), odd, "https://hub"))
    assert "preload_from_hub" not in text


def test_space_is_small_and_has_no_model(hub, tmp_path):
    """A Space has under 10 MB, no weights, no training code, and no script that makes examples."""
    deployed(hub, tmp_path)
    files = tree(hub)
    total = sum(map(len, files.values()))
    print(f"{total / 1e6:.2f} MB in {len(files)} files")
    assert total < 10e6
    assert not [path for path in files if path.endswith((".onnx", ".npz", ".safetensors", ".pkl"))]
    left_out = re.compile(r"^cxr/(datasets|evaluation|training)/|make_examples|^tests/")
    assert not [path for path in files if left_out.search(path)]
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
    commit = newest(hub, MODEL).sha
    assert f"[{MODEL}]({hub.url}/{MODEL})" in text
    assert f"[`{commit}`]({hub.url}/{MODEL}/tree/{commit})" in text
    assert model_folder.NOT_FOR_CLINICAL_USE in text
    assert len(text) < 2000
    assert "make demo" not in text


def test_zero_gpu_keeps_a_python_that_it_has(hub, tmp_path):
    """ZeroGPU gets Python 3.12, also in a later deploy without --hardware."""
    deployed(hub, tmp_path, "--hardware", "zero-a10g")
    assert header(hub, tmp_path)["python_version"] == "3.12"
    deployed(hub, tmp_path)
    assert header(hub, tmp_path)["python_version"] == "3.12"
    deployed(hub, tmp_path, "--hardware", "cpu-basic")
    assert header(hub, tmp_path)["python_version"] == "3.11"


def test_requested_zero_gpu_counts_before_the_space_has_it(hub, tmp_path):
    """A later deploy keeps Python 3.12 while the Space still runs on its old hardware."""
    deployed(hub, tmp_path, "--hardware", "zero-a10g")
    hub.repositories[SPACE].current = "cpu-basic"
    deployed(hub, tmp_path)
    assert header(hub, tmp_path)["python_version"] == "3.12"


def test_zero_gpu_is_told_of_one_function(tmp_path):
    """On ZeroGPU the page declares one function for the GPU before it starts.

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
    with app(PYTHONPATH=str(tmp_path), SPACES_ZERO_GPU="true") as address:
        assert declared.read_text() == "one\n"
        assert Client(address, verbose=False).predict(handle_file(str(IMAGE)), api_name="/predict")
