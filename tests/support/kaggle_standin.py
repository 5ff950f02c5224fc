"""A stand-in for Kaggle, for its real client: the part of its API that downloads data sets.

    with kaggle_standin.running({"owner/name": archive}) as kaggle:
        monkeypatch.setitem(kaggle_env._env_to_endpoint, KaggleEnv.PROD, kaggle.address)

It responds like https://api.kaggle.com, and fails on request.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from support.quiet_server import Server

TOKEN = "KGAT_owner"
VERSION = 4


@dataclass
class Kaggle:
    """The state of the stand-in.

    Attributes:
        archives: Zip files by OWNER/NAME.
        address: Its address.
        closed: Whether it requires the token.
        status: Status of all responses; None for regular responses.
        cut: Whether the next download breaks off half-way.
        damaged: Whether downloads have a wrong checksum.
        requests: The methods that were requested.
    """

    archives: dict[str, bytes]
    address: str = ""
    closed: bool = False
    status: int | None = None
    cut: bool = False
    damaged: bool = False
    requests: list[str] = field(default_factory=list)


@contextmanager
def running(archives: dict[str, bytes]) -> Iterator[Kaggle]:
    """Runs a stand-in until the block ends."""
    kaggle = Kaggle(archives)

    class Handler(_Handler):
        state = kaggle

    with Server(("127.0.0.1", 0), Handler) as server:
        kaggle.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield kaggle
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    state: Kaggle
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        kaggle = self.state
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method = self.path.rsplit("/", 1)[-1]
        kaggle.requests.append(method)
        archive = kaggle.archives.get(f"{request['ownerSlug']}/{request['datasetSlug']}")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if kaggle.status:
            self._reject(kaggle.status)
        elif token and token != TOKEN:
            self._reject(401)
        elif kaggle.closed and not token:
            self._reject(403)
        elif archive is None:
            self._reject(404)
        elif method == "GetDataset":
            self._send(json.dumps({"currentVersionNumber": VERSION}).encode(), "application/json")
        else:
            self._send_archive(archive)

    def do_GET(self) -> None:
        """Sends the rest of an archive, which the client requests after a download broke off."""
        (archive,) = self.state.archives.values()
        self.state.requests.append("rest")
        start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        self._send(archive[start:], "application/zip")

    def _send_archive(self, archive: bytes) -> None:
        digest = hashlib.md5(archive[1:] if self.state.damaged else archive).digest()
        headers = {
            "Accept-Ranges": "bytes",
            "x-goog-hash": f"md5={base64.b64encode(digest).decode()}",
        }
        if self.state.cut:
            self.state.cut = False
            self._head(len(archive), "application/zip", headers)
            self.wfile.write(archive[: len(archive) // 2])
            self.close_connection = True
        else:
            self._send(archive, "application/zip", headers)

    def _reject(self, status: int) -> None:
        content = json.dumps({"code": status, "message": "no"}).encode()
        self._head(len(content), "application/json", {}, status)
        self.wfile.write(content)

    def _send(self, content: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self._head(len(content), kind, headers or {})
        self.wfile.write(content)

    def _head(self, length: int, kind: str, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": length, **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()

    def log_message(self, *_args) -> None:
        """Logs nothing."""
