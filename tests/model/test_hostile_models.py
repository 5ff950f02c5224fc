"""Hostile models: none of their code runs, and models that cannot be used are rejected."""

import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from onnx import TensorProto, helper, numpy_helper
from support.fetching import (
    FETCHED,
    IMAGE,
    NAME,
    ROOT,
    predict,
    revision_of,
    sentence_of,
    with_network,
)
from support.hub_standin import Hub
from support.served import app

from cxr.deadline import run_with_timeout
from cxr.inference.predictor import Predictor
from cxr.model import examples
from cxr.model.download import MAX_FILES
from cxr.model.errors import ModelFolderError
from cxr.web.page import texts


class Evil:
    """Unpickled, it writes a file."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return Path.write_text, (self.marker, "I ran")


@pytest.fixture
def hostile(hub, tmp_path) -> Path:
    """A model with a pickle, other code and odd paths; returns the file that running it writes."""
    marker = tmp_path / "marker"
    pickled = pickle.dumps(Evil(marker))
    code = f"open({str(marker)!r}, 'w').write('I ran')\n".encode()
    names = ["model.pkl", "model.safetensors", "examples/evil.pkl", "figures/evil.npz"]
    hub.put(NAME, dict.fromkeys(names, pickled))
    hub.put(NAME, dict.fromkeys(["pyproject.toml", "app.py", "cxr/hub.py", "setup.py"], code))
    odd = [
        "../out.png",
        "examples/../../out.png",
        "/out.png",
        "examples/.hid.png",
        "figures//a.png",
    ]
    odd += [
        "examples/a\\..\\b.png",
        "examples/c:evil.png",
        "examples/deep/d.png",
        "figures/a\n.png",
    ]
    hub.put(NAME, dict.fromkeys(odd, IMAGE.read_bytes()))
    return marker


def fetched_files(hub: Hub) -> set[str]:
    """The files that the stand-in was asked for."""
    return {r.split("/resolve/")[1].split("/", 1)[1] for r in hub.requests if "/resolve/" in r}


def test_planted_pickle_is_live(tmp_path):
    """The pickle of these tests runs when it is loaded."""
    pickle.loads(pickle.dumps(Evil(tmp_path / "marker")))
    assert (tmp_path / "marker").read_text() == "I ran"


def test_command_line_neither_fetches_nor_runs_what_is_planted(hub, hostile, tmp_path):
    """`predict` gives a result; pickle, code and odd paths are not downloaded."""
    assert revision_of(predict(hub, tmp_path / "home"))
    assert fetched_files(hub) == FETCHED
    assert not hostile.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_page_neither_fetches_nor_runs_what_is_planted(hub, hostile, tmp_path):
    """The page gives a result; pickle, code and odd paths are not downloaded."""
    with app("--model", NAME, **hub.environment(tmp_path / "home")) as address:
        found = Client(address, verbose=False).predict(handle_file(IMAGE), api_name="/analyze")
    assert found["revision"] == hub.repositories[NAME].commits[-1].sha
    assert fetched_files(hub) == FETCHED
    assert not hostile.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


class Huge(bytes):
    """Bytes that claim a length of 3 GB."""

    def __len__(self) -> int:
        return 3 * 2**30


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"model.onnx": Huge(b"x")}, "is too large: its model folder has 3,07"),
        ({"examples/1.png": Huge(b"x")}, "is too large: its model folder has 3,08"),
        (
            {f"examples/{image}.png": b"x" for image in range(MAX_FILES)},
            "has too many files: 2",
        ),
    ],
)
def test_model_that_is_too_much_is_not_fetched(hub, tmp_path, more, words):
    """Gigabytes, or hundreds of images, are rejected before anything is downloaded."""
    hub.put(NAME, more)
    assert words in sentence_of(predict(hub, tmp_path))
    assert fetched_files(hub) == set()


@pytest.mark.parametrize(
    "table",
    [
        b"file\n" + b"x" * 200_000,
        b"file\n\0.png\n",
        b"file\n" + b"a/" * 60_000 + b"\n",
        b"file\n" + b"image.png\n" * 200_000,
        b"\xff\xfe\0\0",
        b"labels,source\nMass,nobody\n",
    ],
)
def test_odd_table_of_examples_offers_nothing(tmp_path, table):
    """A table that is too long, damaged or no table is ignored."""
    (tmp_path / "image.png").write_bytes(IMAGE.read_bytes())
    (tmp_path / "examples.csv").write_bytes(table)
    assert examples.listed(tmp_path) == []


def test_example_that_cannot_be_read_is_not_offered(tmp_path, monkeypatch):
    """The page starts with the others."""
    folder = tmp_path / "examples"
    folder.mkdir()
    (folder / "image.png").write_bytes(IMAGE.read_bytes())
    (folder / "broken.png").write_bytes(IMAGE.read_bytes()[:1000])
    (folder / "examples.csv").write_text("file\nbroken.png\nimage.png\n")
    monkeypatch.setattr(examples, "PROJECT", tmp_path / "none")
    assert [image.path.name for image in examples.find(tmp_path)] == ["image.png"]


def test_table_of_examples_offers_no_more_than_a_page_holds(tmp_path):
    """Of a long table only the first MOST images are offered."""
    (tmp_path / "image.png").write_bytes(IMAGE.read_bytes())
    (tmp_path / "examples.csv").write_bytes(b"file\n" + b"image.png\n" * 1000)
    assert len(examples.listed(tmp_path)) == examples.MOST


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<img src=//evil.example>", "&lt;img src=//evil.example&gt;"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
    ],
)
def test_texts_of_a_model_folder_are_shown_letter_by_letter(text, shown):
    """HTML in the texts of a model is escaped, so that it loads and runs nothing."""
    assert texts.linked(text) == shown


# Networks. The smallest that answers as this project's do, and what could be wrong with it.

SIZE = 64


def network(nodes=(), values=(), domains=(), heatmaps: int = 15, outputs: int = 3) -> bytes:
    """A network whose outputs are the mean of the image plus the value `extra`.

    nodes, values: what makes `extra`, float32 [1, 1, 1, 1]. domains: of operators it claims to use.
    heatmaps: how many. outputs: how many of the three it has.
    """
    repeats = {"logits": [1, 15, 1, 1], "heatmaps": [1, heatmaps, 2, 2], "embedding": [1, 4, 1, 1]}
    tiles = [helper.make_node("Tile", ["sum", f"by_{n}"], [f"{n}_4d"]) for n in repeats]
    ends = {"logits": "Flatten", "heatmaps": "Identity", "embedding": "Flatten"}
    graph = helper.make_graph(
        [
            *nodes,
            helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
            helper.make_node("Add", ["mean", "extra"], ["sum"]),
            *tiles,
            *(helper.make_node(end, [f"{n}_4d"], [n]) for n, end in ends.items()),
        ],
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, SIZE, SIZE])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 15]),
            helper.make_tensor_value_info("heatmaps", TensorProto.FLOAT, ["n", heatmaps, 2, 2]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 4]),
        ][:outputs],
        [*(integers(f"by_{name}", by) for name, by in repeats.items()), *values],
    )
    versions = [helper.make_opsetid("", 17), *(helper.make_opsetid(d, 1) for d in domains)]
    made = helper.make_model(graph, opset_imports=versions, ir_version=9)
    return made.SerializeToString()


def integers(name: str, value: object) -> TensorProto:
    return numpy_helper.from_array(np.array(value, np.int64), name)


def constant(value: float) -> TensorProto:
    return numpy_helper.from_array(np.full((1, 1, 1, 1), value, np.float32), "extra")


def plain() -> bytes:
    """A harmless network."""
    return network(values=[constant(0)])


def with_weights_in(file: str) -> bytes:
    """A network with one weight in the first four bytes of another file."""
    weight = TensorProto(name="extra", data_type=TensorProto.FLOAT, dims=[1, 1, 1, 1])
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", file), ("offset", "0"), ("length", "4")):
        weight.external_data.add(key=key, value=value)
    return network(values=[weight])


def with_own_operator() -> bytes:
    """A network with an operator of a library that is not installed."""
    return network([helper.make_node("Evil", [], ["extra"], domain="evil")], domains=["evil"])


def with_much_memory(numbers: int) -> bytes:
    """A small file whose network allocates so many numbers."""
    return network(
        [
            helper.make_node("ConstantOfShape", ["much"], ["zeros"]),
            helper.make_node("ReduceSum", ["zeros"], ["total"], keepdims=1),
            helper.make_node("Reshape", ["total", "one"], ["extra"]),
        ],
        [integers("much", [numbers]), integers("one", [1, 1, 1, 1])],
    )


def without_end() -> bytes:
    """A network with a loop that practically never ends."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["goes_on"]),
            helper.make_node("Add", ["before", "step"], ["after"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, [1, 1, 1, 1]),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, [1, 1, 1, 1]),
        ],
        [numpy_helper.from_array(np.ones((1, 1, 1, 1), np.float32), "step")],
    )
    return network(
        [helper.make_node("Loop", ["turns", "true", "zero"], ["extra"], body=body)],
        [
            integers("turns", 2**62),
            numpy_helper.from_array(np.array(True), "true"),
            numpy_helper.from_array(np.zeros((1, 1, 1, 1), np.float32), "zero"),
        ],
    )


def folder_of(tmp_path: Path, content: bytes) -> Path:
    """A model folder with this network."""
    for name, data in with_network(content, image_size=SIZE, input_check=None).items():
        if name in ("config.json", "model.onnx"):
            (tmp_path / name).write_bytes(data)
    return tmp_path


def opened(folder: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """Opens the model in a process of its own, for it may crash."""
    script = f"from cxr.inference import predictor; {before}\n"
    script += "try: predictor.Predictor(__import__('sys').argv[1]); print('opened')\n"
    script += "except predictor.ModelFolderError as error: print('rejected:', error)"
    return subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_smallest_network_is_taken(tmp_path):
    """The network is accepted before the next tests change it."""
    assert opened(folder_of(tmp_path, plain())).stdout == "opened\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (network(values=[constant(np.nan)]), "does not give a logit and a heatmap for each"),
        (network(values=[constant(0)], heatmaps=14), "does not give a logit and a heatmap for"),
        (network(values=[constant(0)], outputs=2), "must take one grey 64x64 image and give log"),
    ],
    ids=["no number", "14 heatmaps", "no embedding"],
)
def test_network_with_other_outputs_is_rejected(tmp_path, content, words):
    """It must give 15 finite logits, 15 heatmaps and an embedding."""
    with pytest.raises(ModelFolderError, match=words):
        Predictor(folder_of(tmp_path, content))


@pytest.mark.parametrize("file", ["{out}", "{relative}", "link.bin"])
def test_weights_in_a_file_outside_are_rejected(tmp_path, file):
    """A network with weights outside its folder, also behind a link, is not opened."""
    (tmp_path / "secret").write_bytes(b"\0\0\x80\x3f" * 4)
    folder = tmp_path / "a" / "model"
    folder.mkdir(parents=True)
    (folder / "link.bin").symlink_to(tmp_path / "secret")
    file = file.format(out=tmp_path / "secret", relative="../../secret")
    done = opened(folder_of(folder, with_weights_in(file)))
    assert "is not an ONNX file that can be run" in done.stdout


@pytest.mark.parametrize(
    "content", [with_own_operator(), with_much_memory(10**13)], ids=["operator", "memory"]
)
def test_network_that_cannot_run_is_rejected(tmp_path, content):
    """Unknown operators, and more memory than any machine has, are rejected in one sentence."""
    done = opened(folder_of(tmp_path, content))
    assert done.stdout.startswith("rejected:")
    assert done.stderr == ""


def test_network_without_end_is_given_up(tmp_path):
    """A network that does not end is given up, here after 2 seconds, and the program ends."""
    done = opened(folder_of(tmp_path, without_end()), "predictor._SECONDS_TO_OPEN = 2.0")
    assert "is not open after 2 seconds" in done.stdout


def test_deadline_passes_results_and_errors_on():
    """A call within its time limit returns or raises as usual; after it there is a TimeoutError."""
    assert run_with_timeout(lambda: 7, 5) == 7
    with pytest.raises(ZeroDivisionError):
        run_with_timeout(lambda: 1 / 0, 5)
    with pytest.raises(TimeoutError):
        run_with_timeout(lambda: time.sleep(1), 0.05)
