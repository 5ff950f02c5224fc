"""A stand-in for the Hugging Face Hub: the part of its API that the real client uses here.

    with hub_standin.running() as hub:
        subprocess.run(command, env=hub.environment(home))

It keeps repositories in memory, stores large files as LFS, checks who may write, and can break the
connection at any request, before or after the request takes effect.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from support.quiet_server import Server

TOKEN = "hf_owner"  # may write to the repositories of OWNER
GUEST = "hf_guest"  # may only read
OWNER = "owner"

_EMPTY = "0" * 40
_SENT_BY_LFS = (".onnx", ".safetensors", ".pkl", ".png", ".jpg", ".npz")


@dataclass(frozen=True)
class Stored:
    """A file of a commit: its bytes, and whether it is stored as LFS."""

    content: bytes
    lfs: bool

    @property
    def oid(self) -> str:
        """The Hub's name of the content: the SHA-1 of the git blob, for LFS files the SHA-256."""
        if self.lfs:
            return hashlib.sha256(self.content).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()


@dataclass(frozen=True)
class Commit:
    """One state of a repository."""

    sha: str
    files: dict[str, Stored]


@dataclass
class Repository:
    """A repository: its commits, oldest first, and its settings."""

    kind: str
    private: bool = False
    gated: bool = False
    sdk: str | None = None
    hardware: str | None = None  # as requested
    current: str | None = None  # what it runs on until it has the requested hardware
    secrets: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=lambda: [Commit(_EMPTY, {})])

    def at(self, revision: str) -> Commit | None:
        """The commit with this name; `main` is the newest."""
        if revision == "main":
            return self.commits[-1]
        return next((commit for commit in self.commits if commit.sha == revision), None)


class Rejected(Exception):
    """An error response: its status, the Hub's error code and the message."""

    def __init__(self, status: int, code: str = "", message: str = ""):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


class Hub(Server):
    """The stand-in.

    Attributes:
        repositories: {"OWNER/NAME": Repository}, of models and Spaces.
        lfs: Contents of LFS files by their SHA-256.
        requests: "METHOD path" of each request, in order.
        tokens: Token -> whether it may write.
        break_at: Number of the request (from 0) at which the connection breaks.
        break_after: Whether that request takes effect before the connection breaks.
        break_for: How many requests in a row break.
        break_silently: Whether the connection stays open without a response instead.
        bad_card: The error that every model card gets; "" for none.
        private_by_default: Whether OWNER's new repositories are private unless a request says not.
        paid: Whether OWNER has a plan with which Spaces may run on a CPU.
    """

    request_queue_size = 64  # the client opens several connections at once

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.lfs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.tokens = {TOKEN: True, GUEST: False}
        self.break_at: int | None = None
        self.break_after = False
        self.bad_card = ""
        self.private_by_default = False
        self.paid = True
        self.break_for = 1
        self.break_silently = False
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def environment(self, home: Path, token: str | None = TOKEN) -> dict[str, str]:
        """Environment variables with which the client uses the stand-in.

        Its cache and its token file are below `home`. The client reads them when it is imported.
        """
        login = {"HF_TOKEN": token} if token else {}
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            **login,
        }

    def put(self, name: str, files: dict[str, bytes], kind: str = "model") -> str:
        """Adds a commit with these files to a repository, and returns its 40 hex digits."""
        repository = self.repositories.setdefault(name, Repository(kind))
        stored = {path: Stored(b, path.endswith(_SENT_BY_LFS)) for path, b in files.items()}
        return self.commit(repository, repository.commits[-1].files | stored)

    def commit(self, repository: Repository, files: dict[str, Stored]) -> str:
        """Adds a commit with exactly these files, and returns its 40 hex digits."""
        state = json.dumps([len(repository.commits), {p: f.oid for p, f in sorted(files.items())}])
        sha = hashlib.sha1(state.encode()).hexdigest()
        repository.commits.append(Commit(sha, files))
        return sha


@contextmanager
def running() -> Iterator[Hub]:
    """Runs a stand-in on a free port until the block ends."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.closing.set()
        hub.shutdown()
        hub.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def _respond(self) -> None:
        body, path = self._body(), unquote(urlsplit(self.path).path)
        with self.server.lock:
            number = len(self.server.requests)
            self.server.requests.append(f"{self.command} {path}")
            first = self.server.break_at
            broken = first is not None and first <= number < first + self.server.break_for
            response = None
            if not broken or self.server.break_after:
                response = self._response_to(path, body)
        if broken or response is None:
            if self.server.break_silently:
                self.server.closing.wait()
            self.close_connection = True
            return
        self._send(response)

    def _response_to(self, path: str, body: bytes) -> "Response":
        try:
            return self._route(path, body)
        except Rejected as rejected:
            error = {"error": rejected.code or str(rejected.status)}
            named = {"X-Error-Code": rejected.code, "X-Error-Message": rejected.message}
            headers = {name: value for name, value in named.items() if value}
            return Response(json.dumps(error).encode(), rejected.status, headers)

    do_GET = do_HEAD = do_POST = do_PUT = _respond

    def _route(self, path: str, body: bytes) -> "Response":
        for method, pattern, respond in _ROUTES:
            if self.command in method and (found := re.fullmatch(pattern, path)):
                return respond(self, body, **found.groupdict())
        raise Rejected(404, "NotFound")

    def _send(self, response: "Response") -> None:
        self.send_response(response.status)
        sent = {"Content-Length": str(len(response.content)), **response.headers}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def token(self) -> str | None:
        """The token of the request. Raises Rejected if it is unknown."""
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        if token is not None and token not in self.server.tokens:
            # The client recognises a wrong token by this message.
            raise Rejected(401, message="Invalid credentials in Authorization header")
        return token

    def writer(self, name: str = f"{OWNER}/") -> None:
        """Raises Rejected unless the token may write to the repository."""
        token = self.token()
        if token is None:
            raise Rejected(401)
        if not self.server.tokens[token] or not name.startswith(f"{OWNER}/"):
            raise Rejected(403)

    def repository(self, name: str) -> Repository:
        """A repository that the token may read. Raises Rejected."""
        token = self.token()
        found = self.server.repositories.get(name)
        if found is None or (found.private and not self.server.tokens.get(token or "")):
            # Like the real Hub, which does not reveal to others whether a repository exists.
            raise Rejected(404 if token else 401, "RepoNotFound")
        if found.gated and not self.server.tokens.get(token or ""):
            raise Rejected(403, "GatedRepo")
        return found

    def commit(self, name: str, revision: str) -> Commit:
        """A commit of a repository. Raises Rejected."""
        found = self.repository(name).at(revision)
        if found is None:
            raise Rejected(404, "RevisionNotFound")
        return found


@dataclass(frozen=True)
class Response:
    """A response: its body, status and headers."""

    content: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def _json(content: Any, status: int = 200) -> Response:
    return Response(json.dumps(content).encode(), status, {"Content-Type": "application/json"})


def _who(handler: _Handler, _: bytes) -> Response:
    if handler.token() is None:
        raise Rejected(401)
    return _json({"type": "user", "name": OWNER, "orgs": [], "auth": {}})


def _valid_card(handler: _Handler, _: bytes) -> Response:
    errors = [{"message": handler.server.bad_card}] if handler.server.bad_card else []
    return _json({"errors": errors, "warnings": []}, 400 if errors else 200)


def _is_private(wish: dict[str, Any], otherwise: bool) -> bool:
    if "visibility" in wish:
        return wish["visibility"] == "private"
    return bool(wish.get("private", otherwise))


def _create(handler: _Handler, body: bytes) -> Response:
    handler.writer()
    wish = json.loads(body)
    owner = wish.get("organization") or OWNER
    name = f"{owner}/{wish['name']}"
    known = handler.server.repositories.get(name)
    if known is None and owner != OWNER:
        raise Rejected(403)
    if known is None and wish.get("sdk") in ("gradio", "docker"):
        _pay(handler, wish.get("hardware") or "cpu-basic")
    if known is None:
        handler.server.repositories[name] = Repository(
            wish.get("type") or "model",
            private=_is_private(wish, handler.server.private_by_default),
            sdk=wish.get("sdk"),
            hardware=wish.get("hardware"),
            variables={v["key"]: v["value"] for v in wish.get("variables") or []},
        )
    return _json(
        {"url": f"{handler.server.url}/{name}", "name": name}, 200 if known is None else 409
    )


def _preupload(handler: _Handler, body: bytes, name: str, revision: str) -> Response:
    handler.writer(name)
    files = handler.commit(name, revision).files

    def plan(path: str) -> dict[str, Any]:
        mode = "lfs" if path.endswith(_SENT_BY_LFS) else "regular"
        known = {"oid": files[path].oid} if path in files else {}
        return {"path": path, "uploadMode": mode, "shouldIgnore": False, **known}

    return _json({"files": [plan(file["path"]) for file in json.loads(body)["files"]]})


def _lfs_batch(handler: _Handler, body: bytes, name: str) -> Response:
    handler.writer(name)
    handler.repository(name)

    def plan(wanted: dict[str, Any]) -> dict[str, Any]:
        known = {"oid": wanted["oid"], "size": wanted["size"]}
        if wanted["oid"] in handler.server.lfs:
            return known
        href = f"{handler.server.url}/lfs/{wanted['oid']}"
        return {**known, "actions": {"upload": {"href": href}}}

    return _json({"transfer": "basic", "objects": [plan(o) for o in json.loads(body)["objects"]]})


def _lfs_put(handler: _Handler, body: bytes, oid: str) -> Response:
    if hashlib.sha256(body).hexdigest() != oid:
        raise Rejected(400)
    handler.server.lfs[oid] = body
    return Response(b"")


def _commit(handler: _Handler, body: bytes, name: str, revision: str) -> Response:
    handler.writer(name)
    newest = handler.commit(name, revision)
    files = dict(newest.files)
    for line in body.splitlines():
        entry = json.loads(line)
        value = entry["value"]
        if entry["key"] == "header" and value.get("parentCommit") not in (None, newest.sha):
            raise Rejected(412)
        if entry["key"] == "file":
            files[value["path"]] = Stored(base64.b64decode(value["content"]), lfs=False)
        elif entry["key"] == "lfsFile":
            files[value["path"]] = Stored(handler.server.lfs[value["oid"]], lfs=True)
        elif entry["key"] == "deletedFile":
            files.pop(value["path"], None)
    sha = handler.server.commit(handler.server.repositories[name], files)
    url = f"{handler.server.url}/{name}/commit/{sha}"
    return _json({"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""})


def _variable(handler: _Handler, body: bytes, name: str) -> Response:
    handler.writer(name)
    entry = json.loads(body)
    handler.repository(name).variables[entry["key"]] = entry["value"]
    return _json({})


def _variables(handler: _Handler, _: bytes, name: str) -> Response:
    handler.writer(name)
    return _json(
        {key: {"value": value} for key, value in handler.repository(name).variables.items()}
    )


def _secret(handler: _Handler, body: bytes, name: str) -> Response:
    handler.writer(name)
    entry = json.loads(body)
    handler.repository(name).secrets[entry["key"]] = entry["value"]
    return _json({})


def _duplicate(handler: _Handler, body: bytes, name: str) -> Response:
    handler.writer()
    one, to = handler.repository(name), json.loads(body)["repository"]
    if one.kind == "space":
        _pay(handler, json.loads(body).get("hardware") or "cpu-basic")
    # Like on the real Hub: private, with the variables, without the secrets.
    handler.server.repositories[to] = Repository(
        one.kind, True, sdk=one.sdk, variables=dict(one.variables), commits=list(one.commits)
    )
    return _json({"url": f"{handler.server.url}/{one.kind}s/{to}"})


def _hardware(handler: _Handler, body: bytes, name: str) -> Response:
    handler.writer(name)
    wanted = json.loads(body)["flavor"]
    _pay(handler, wanted)
    handler.repository(name).hardware = wanted
    return _json({"stage": "RUNNING", "hardware": {"current": None, "requested": wanted}})


def _pay(handler: _Handler, hardware: str) -> None:
    """Raises Rejected if the hardware needs a plan: only ZeroGPU is free."""
    if hardware != "zero-a10g" and not handler.server.paid:
        raise Rejected(402)


def _info(handler: _Handler, _: bytes, name: str, revision: str | None = None) -> Response:
    commit, repository = handler.commit(name, revision or "main"), handler.repository(name)
    sizes = "blobs=" in urlsplit(handler.path).query
    listed = [
        {"rfilename": path, **({"size": len(file.content), "blobId": file.oid} if sizes else {})}
        for path, file in commit.files.items()
    ]
    facts = {"id": name, "modelId": name, "sha": commit.sha, "private": repository.private}
    facts["gated"] = "auto" if repository.gated else False
    if repository.kind == "space":
        hardware = {
            "current": repository.current or repository.hardware,
            "requested": repository.hardware,
        }
        facts["runtime"] = {"stage": "RUNNING", "hardware": hardware}
    return _json({**facts, "tags": [], "siblings": listed})


def _tree(handler: _Handler, _: bytes, name: str, revision: str) -> Response:
    def entry(path: str, file: Stored) -> dict[str, Any]:
        size = len(file.content)
        regular = {"type": "file", "path": path, "size": size, "oid": file.oid}
        large = {"lfs": {"oid": file.oid, "size": size, "pointerSize": 134}}
        return regular | large if file.lfs else regular

    files = handler.commit(name, revision).files
    return _json([entry(path, file) for path, file in files.items()])


def _resolve(handler: _Handler, _: bytes, name: str, revision: str, path: str) -> Response:
    commit = handler.commit(name, revision)
    if path not in commit.files:
        raise Rejected(404, "EntryNotFound")
    file = commit.files[path]
    return Response(file.content, 200, {"X-Repo-Commit": commit.sha, "ETag": f'"{file.oid}"'})


_REPOSITORY = r"(?P<name>[\w.-]+/[\w.-]+)"
_API = rf"/api/(?:models|spaces)/{_REPOSITORY}"
_ROUTES: list[tuple[tuple[str, ...], str, Callable[..., Response]]] = [
    (("GET",), "/api/whoami-v2", _who),
    (("POST",), "/api/validate-yaml", _valid_card),
    (("POST",), "/api/repos/create", _create),
    (("POST",), rf"{_API}/preupload/(?P<revision>.+)", _preupload),
    (("POST",), rf"/(?:spaces/)?{_REPOSITORY}\.git/info/lfs/objects/batch", _lfs_batch),
    (("PUT",), r"/lfs/(?P<oid>\w{64})", _lfs_put),
    (("POST",), rf"{_API}/commit/(?P<revision>.+)", _commit),
    (("POST",), rf"{_API}/variables", _variable),
    (("GET",), rf"{_API}/variables", _variables),
    (("POST",), rf"{_API}/secrets", _secret),
    (("POST",), rf"{_API}/hardware", _hardware),
    (("POST",), rf"{_API}/duplicate", _duplicate),
    (("GET",), rf"{_API}/tree/(?P<revision>[^/]+)/?.*", _tree),
    (("GET",), rf"{_API}(?:/revision/(?P<revision>.+))?", _info),
    (
        ("GET", "HEAD"),
        rf"/(?:spaces/)?{_REPOSITORY}/resolve/(?P<revision>[^/]+)/(?P<path>.+)",
        _resolve,
    ),
]
