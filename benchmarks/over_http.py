"""The app over HTTP: what that adds to the time of one image, and images a second of many clients.

The clients use http.client of the standard library, because they run on the app's cores: httpx
takes 8 ms more of a core for each image, a quarter of the time of decoding and the network.
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

from benchmarks import apps, unavoidable
from benchmarks.folders import images_of
from benchmarks.metric import Metric, below
from benchmarks.timing import ROUNDS, seconds
from cxr.inference import results
from cxr.inference.predictor import Predictor

CLIENTS = 16
IMAGES = 192  # of all clients together


def request(data: Path, model: Path) -> list[Metric]:
    """Time of one image over HTTP, minus the time of the predictor itself."""
    predictor, images = Predictor(model), images_of(data)
    with apps.running("app.py", "--model", str(model)) as (address, _):

        def own(image: bytes) -> None:
            results.of_prediction(predictor, "image.png", predictor.analyze(image))

        def sent() -> float:
            connection = connected(address)  # the app closes a connection that is idle for seconds
            return seconds(lambda image: analyze(connection, image), images)

        own(images[0]), sent()
        over = [(sent() - seconds(own, images)) / len(images) for _ in range(ROUNDS)]
    what = "ms of one 1024x1024 PNG over HTTP, minus the predictor's own"
    return [Metric(what, 1000 * statistics.median(over), 60, "lower")]


def rate(data: Path, model: Path) -> list[Metric]:
    """Images a second of 16 clients, relative to decoding and the network alone.

    The clients run on the same cores as the app. The ceiling is what they reach with an app that
    takes the same images and returns an empty result.
    """
    images = images_of(data) * (IMAGES // len(images_of(data)))
    script = data.parent / "no_op.py"
    script.write_text(_NO_OP)
    with (
        apps.running("app.py", "--model", str(model)) as (app, _),
        apps.running(str(script)) as (no_op, _),
    ):
        many_clients(app, data), many_clients(no_op, data)
        rounds = [
            (unavoidable.rate(images, model), many_clients(app, data), many_clients(no_op, data))
            for _ in range(3)
        ]
    ours = statistics.median(ours / raw for raw, ours, _ in rounds)
    ceiling = statistics.median(empty / raw for raw, _, empty in rounds)
    what = f"images/s over HTTP, {CLIENTS} clients / decode + resize + run on all cores"
    return [
        Metric(what, ours, below(ceiling, 0.5), "higher"),
        Metric("the same of a no-op Gradio app (upper bound)", ceiling, None, "higher"),
    ]


def many_clients(address: str, data: Path) -> float:
    """Images a second that 16 clients, in a process of their own, get results for."""
    command = [sys.executable, "-m", "benchmarks.over_http", address, str(data)]
    return float(subprocess.check_output(command, cwd=apps.ROOT, text=True))


def connected(address: str) -> HTTPConnection:
    """A connection to an app, which stays open between requests."""
    return HTTPConnection(urlsplit(address).netloc, timeout=60)


def analyze(connection: HTTPConnection, image: bytes) -> None:
    """Uploads an image and waits for the result of /analyze.

    Raises:
        RuntimeError: The app did not return a result.
    """
    kind = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    path = json.loads(_response(connection, "POST", "upload", _form(image), kind))[0]
    data = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, "nih"]}
    kind = {"Content-Type": "application/json"}
    body = json.dumps(data).encode()
    call = json.loads(_response(connection, "POST", "call/analyze", body, kind))
    events = _response(connection, "GET", f"call/analyze/{call['event_id']}")
    if b"event: complete" not in events:
        raise RuntimeError(f"/analyze failed: {events.decode()}")


def _response(connection: HTTPConnection, method: str, path: str, *content: Any) -> bytes:
    """The body of the app's response. content: the request's body and headers."""
    connection.request(method, f"/gradio_api/{path}", *content)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise RuntimeError(f"The app returned status {response.status}: {body.decode()}")
    return body


_BOUNDARY = "boundary-of-an-image"


def _form(image: bytes) -> bytes:
    """The body of a request that uploads an image, as browsers send it."""
    head = 'Content-Disposition: form-data; name="files"; filename="image.png"'
    kind = "Content-Type: image/png"
    return (
        f"--{_BOUNDARY}\r\n{head}\r\n{kind}\r\n\r\n".encode()
        + image
        + f"\r\n--{_BOUNDARY}--\r\n".encode()
    )


def _clients(address: str, images: list[bytes]) -> float:
    """Images a second of all threads, each with a connection of its own."""
    many = [images[i % len(images)] for i in range(IMAGES)]
    clients = [connected(address) for _ in range(CLIENTS)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        shares = [many[i::CLIENTS] for i in range(CLIENTS)]
        list(
            pool.map(
                lambda client, share: [analyze(client, image) for image in share], clients, shares
            )
        )
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
