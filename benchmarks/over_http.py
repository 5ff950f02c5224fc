"""The page asked over HTTP: what that adds to one image, and how many images a second it answers.

The clients speak through Python's own http.client, because they run on the page's cores: httpx
takes 8 ms more of a core for an image, a quarter of what decoding and network take.
"""

import json
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks import pages, unavoidable
from benchmarks.figure import Figure
from benchmarks.layout import images_of
from benchmarks.timing import ROUNDS, seconds
from cxr.inference import analysis, results
from cxr.inference.predictor import Predictor

CLIENTS = 16
IMAGES = 192  # of all clients together


def request(data: Path, model: Path) -> list[Figure]:
    """One image sent to the page and answered over HTTP, above what the predictor itself takes."""
    predictor, images = Predictor(model), images_of(data)
    with pages.running("app.py", "--model", str(model)) as (address, _):
        asks = connected(address)

        def own(image: bytes) -> None:
            results.of_analysis(predictor, "image.png", analysis.analyze(predictor, image))

        def sent(image: bytes) -> None:
            asked(asks, image)

        own(images[0]), sent(images[0])
        over = [(seconds(sent, images) - seconds(own, images)) / len(images) for _ in range(ROUNDS)]
    what = "ms of one 1024x1024 PNG over HTTP, above the predictor's own"
    return [Figure(what, 1000 * statistics.median(over), 60, "lower")]


def rate(data: Path, model: Path) -> list[Figure]:
    """Images a second that 16 clients get answered, against decoding and the network alone.

    The clients run on the same cores as the page. Beside it stands what they reach at a page that
    takes the same images and answers at once.
    """
    images = images_of(data) * (IMAGES // len(images_of(data)))
    script = data.parent / "no_op.py"
    script.write_text(_NO_OP)
    with (
        pages.running("app.py", "--model", str(model)) as (page, _),
        pages.running(str(script)) as (no_op, _),
    ):
        ask(page, data), ask(no_op, data)
        rounds = [
            (unavoidable.rate(images, model), ask(page, data), ask(no_op, data)) for _ in range(3)
        ]
    against = f"images/s over HTTP, {CLIENTS} clients / decode + resize + run on all cores"
    return [
        Figure(against, statistics.median(ours / raw for raw, ours, _ in rounds), 0.5, "higher"),
        Figure(
            "the same of a page that answers nothing: the ceiling of Gradio and clients",
            statistics.median(empty / raw for raw, _, empty in rounds),
            0.5,
            "higher",
        ),
    ]


def ask(address: str, data: Path) -> float:
    """Images a second that the clients, a process of their own, get answered."""
    command = [sys.executable, "-m", "benchmarks.over_http", address, str(data)]
    return float(subprocess.check_output(command, cwd=pages.ROOT, text=True))


def answer(address: str, image: bytes) -> None:
    """Has one image answered by a page at the address."""
    asked(connected(address), image)


def connected(address: str) -> HTTPConnection:
    """A connection to a page, which stays open from request to request."""
    return HTTPConnection(urlsplit(address).netloc, timeout=60)


def asked(connection: HTTPConnection, image: bytes) -> None:
    """Uploads an image and waits for the answer of /analyze. Raises RuntimeError without one."""
    kind = {"Content-Type": f"multipart/form-data; boundary={_BETWEEN}"}
    path = json.loads(_said(connection, "POST", "upload", _form(image), kind))[0]
    data = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, "nih"]}
    kind = {"Content-Type": "application/json"}
    call = json.loads(_said(connection, "POST", "call/analyze", json.dumps(data).encode(), kind))
    answered = _said(connection, "GET", f"call/analyze/{call['event_id']}")
    if b"event: complete" not in answered:
        raise RuntimeError(f"An image was not answered: {answered.decode()}")


def _said(connection: HTTPConnection, method: str, place: str, *content: Any) -> bytes:
    """The page's answer. content: the body and its headers."""
    connection.request(method, f"/gradio_api/{place}", *content)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"The page answered {answer.status}: {said.decode()}")
    return said


_BETWEEN = "a-image-ends-here"


def _form(image: bytes) -> bytes:
    """An image as browsers send a file."""
    head = 'Content-Disposition: form-data; name="files"; filename="image.png"'
    kind = "Content-Type: image/png"
    return (
        f"--{_BETWEEN}\r\n{head}\r\n{kind}\r\n\r\n".encode()
        + image
        + f"\r\n--{_BETWEEN}--\r\n".encode()
    )


def _clients(address: str, images: list[bytes]) -> float:
    """Images a second that threads get answered, each with a connection of its own."""
    many = [images[i % len(images)] for i in range(IMAGES)]
    clients = [connected(address) for _ in range(CLIENTS)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        shares = [many[i::CLIENTS] for i in range(CLIENTS)]
        list(pool.map(lambda client, share: [asked(client, f) for f in share], clients, shares))
    return IMAGES / (time.perf_counter() - begun)


_NO_OP = """
import sys

import gradio

with gradio.Blocks() as page:
    image, prevalence = gradio.File(visible=False), gradio.Textbox(visible=False)
    gradio.Button(visible=False).click(
        lambda image, prevalence: {},
        [image, prevalence],
        gradio.JSON(visible=False),
        api_name="analyze",
        concurrency_limit=2,
    )
page.launch(server_port=int(sys.argv[-1]))
"""

if __name__ == "__main__":
    print(_clients(sys.argv[1], images_of(Path(sys.argv[2]))))
