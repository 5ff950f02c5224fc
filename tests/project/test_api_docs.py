"""docs/api.md: every snippet runs as written against a running page, and its claims hold."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from PIL import Image
from support import ROOT, documents
from support.served import app

from cxr_labels import LABELS

PAGE = documents.DOCS / "api.md"
WRITTEN = "http://127.0.0.1:7860"  # the address in the snippets


def blocks(language: str) -> list[str]:
    """The fenced blocks of the page in a language."""
    return documents.blocks(PAGE, language)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with app() as found:
        yield found


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """The current folder: what the snippets name, and a place where they may write."""
    for name in ("examples", "README.md"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def printed(address, place) -> list[str]:
    """What each bash block prints; all run one after the other in one shell."""
    mark = "--- block ---"
    script = f"\necho; echo '{mark}'\n".join(blocks("bash")).replace(WRITTEN, address)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={**os.environ, "no_proxy": "*"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(mark)


def data(stream: str):
    """The event's name and the JSON behind it, of a stream as curl prints it."""
    ((event, content),) = re.findall(r"^event: (\w+)\ndata: (.*)$", stream.strip(), re.M)
    return event, json.loads(content)


def test_python_on_the_page_runs(address, place, capsys):
    """One block after the other; each prints or writes what the page says."""
    names: dict = {}
    for block in blocks("python"):
        exec(block.replace(WRITTEN, address), names)
    lines = capsys.readouterr().out.splitlines()
    confidences = [entry["confidence"] for entry in names["label"]["confidences"]]
    assert confidences == sorted(confidences, reverse=True)
    assert len(confidences) == len(LABELS)
    assert names["result"]["disclaimer"].startswith("A research demo, not for clinical use.")
    with Image.open(names["overlay"]) as overlay:
        assert overlay.format == "PNG"
    assert [found["file"] for found in names["results"]] == [p.name for p in names["paths"]]
    assert "This file is not an image that can be read" in lines[-1]
    rejected = [line for line in lines if line.startswith("not_chest_rg3.png ")]
    assert len(rejected) == 1
    assert "nothing flagged" not in rejected[0]


def test_curl_on_the_page_runs(address, place, printed):
    """The blocks print the events that the page shows."""
    analyzed, explained, many, failed = printed
    event, (found,) = data(analyzed)
    assert event == "complete"
    assert found["prevalence"] == "training"
    assert not explained.strip()
    with (
        Image.open(place / "heatmap.png") as overlay,
        Image.open("examples/chest_rg1.png") as image,
    ):
        assert overlay.size == image.size
    event, (results,) = data(many)
    assert [result["file"] for result in results] == ["chest_rg1.png"] * 2
    event, error = data(failed)
    assert event == "error"
    assert error["error"].startswith("There is no such finding; name one of Atelectasis")


def test_events_on_the_page_are_what_curl_prints(printed):
    """The two streams that the page shows are right up to their dots."""
    complete, error = blocks("text")
    for shown, stream in ((complete, printed[0]), (error, printed[3])):
        assert stream.strip().startswith(shown.partition("...")[0])


def test_statuses_on_the_page_are_those_of_the_server(address, place, tmp_path):
    """Errors before an endpoint is reached; tests/web/test_load.py tests the full queue."""
    rows = dict(re.findall(r"^\| (\d{3}) \| (.+?) \|", documents.text(PAGE), re.M))

    def request(path: str, *options: str) -> tuple[str, str]:
        command = ["curl", "-sS", "-w", "\n%{http_code}", f"{address}/gradio_api/{path}", *options]
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        answer, _, status = text.rpartition("\n")
        return status, answer

    json_header = ("-H", "Content-Type: application/json", "-d")
    (tmp_path / "large").write_bytes(bytes(51 * 2**20))
    answers = [
        request("upload", "-F", "files=@large"),
        request("call/v2/analyze", *json_header, "no JSON"),
        request("call/v2/nothing", *json_header, "{}"),
        request("call/v2/analyze", *json_header, "{}"),
        request("call/v2/analyze", *json_header, '{"picture": 1}'),
    ]
    assert [status for status, _ in answers] == ["413", "422", "400", "400", "400"]
    assert "File size exceeded" in answers[0][1]
    assert isinstance(json.loads(answers[1][1])["detail"], list)
    for _, answer in answers[2:]:
        said = json.loads(answer)["detail"]
        assert said.startswith(json.loads(rows["400"].strip("`").replace("...", ""))["detail"])
    assert '"404: Not Found"' in request("call/analyze/unknown")[1]


def test_what_python_raises_is_on_the_page(address, place, tmp_path):
    """A file over the limit is a ValueError, a value that was left out a TypeError."""
    client = Client(address, verbose=False)
    (tmp_path / "large.png").write_bytes(bytes(51 * 2**20))
    with pytest.raises(ValueError, match="exceeds the maximum file size"):
        client.predict(handle_file("large.png"), api_name="/predict")
    with pytest.raises(TypeError, match="finding"):
        client.predict(handle_file("examples/chest_rg1.png"), api_name="/explain")
