"""A Hub on this machine, for the real client: as much of it as publishing and fetching ask for.

    with hub_standin.running() as hub:
        subprocess.run(command, env=hub.environment(home))

It keeps repositories in memory, takes large files through LFS, knows who may write, and can break
off at a request of one's choice, before or after what was asked has been done.
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
    """A file of a commit: its bytes, and whether they came through LFS."""

    content: bytes
    lfs: bool

    @property
    def oid(self) -> str:
        """What the Hub names the content by: the git blob's sha1, of LFS files the sha256."""
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
    """A repository's commits, oldest first, and what was asked for when it was made."""

    kind: str
    private: bool = False
    gated: bool = False
    sdk: str | None = None
    hardware: str | None = None
    secrets: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=lambda: [Commit(_EMPTY, {})])

    def at(self, revision: str) -> Commit | None:
        """The commit of that name; `main` is the newest."""
        if revision == "main":
            return self.commits[-1]
        return next((commit for commit in self.commits if commit.sha == revision), None)


class Rejected(Exception):
    """An answer that is no success: its status, the Hub's word for it, and its sentence."""

    def __init__(self, status: int, code: str = "", message: str = ""):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


class Hub(Server):
    """The stand-in. repositories: {"OWNER/NAME": Repository}, of models and Spaces alike.

    requests: "METHOD path" of each, in order. break_at: the number of the request (from 0) at which
    the connection is cut; break_after: whether what it asked for is done first; break_for: how many
    requests in a row; break_silently: whether the connection stays, but nothing is ever said.
    """

    request_queue_size = 64  # the client comes with several connections at once

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.lfs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.tokens = {TOKEN: True, GUEST: False}
        self.break_at: int | None = None
        self.break_after = False
        self.bad_card = ""  # what is wrong with every card, "" when nothing is
        self.paid = True  # whether OWNER has a plan with which Spaces may run on a CPU
        self.break_for = 1
        self.break_silently = False
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def environment(self, home: Path, token: str | None = TOKEN) -> dict[str, str]:
        """Variables that send a client here, its cache and its token's file below `home`.

        The client reads them when it is imported.
        """
        signed_in = {"HF_TOKEN": token} if token else {}
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            **signed_in,
        }

    def put(self, name: str, files: dict[str, bytes], kind: str = "model") -> str:
        """Adds a commit with these files to a repository; returns its 40 digits."""
        repository = self.repositories.setdefault(name, Repository(kind))
        stored = {path: Stored(b, path.endswith(_SENT_BY_LFS)) for path, b in files.items()}
        return self.commit(repository, repository.commits[-1].files | stored)

    def commit(self, repository: Repository, files: dict[str, Stored]) -> str:
        """Makes these files the newest commit."""
        told = json.dumps([len(repository.commits), {p: f.oid for p, f in sorted(files.items())}])
        sha = hashlib.sha1(told.encode()).hexdigest()
        repository.commits.append(Commit(sha, files))
        return sha


@contextmanager
def running() -> Iterator[Hub]:
    """A stand-in on a port of its own, until the block ends."""
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

    def _answer(self) -> None:
        body, path = self._body(), unquote(urlsplit(self.path).path)
        with self.server.lock:
            number = len(self.server.requests)
            self.server.requests.append(f"{self.command} {path}")
            first = self.server.break_at
            broken = first is not None and first <= number < first + self.server.break_for
            answer = None
            if not broken or self.server.break_after:
                answer = self._answer_to(path, body)
        if broken or answer is None:
            if self.server.break_silently:
                self.server.closing.wait()
            self.close_connection = True
            return
        self._send(answer)

    def _answer_to(self, path: str, body: bytes) -> "_Answer":
        try:
            return self._route(path, body)
        except Rejected as rejected:
            error = {"error": rejected.code or str(rejected.status)}
            told = {"X-Error-Code": rejected.code, "X-Error-Message": rejected.message}
            headers = {name: value for name, value in told.items() if value}
            return _Answer(json.dumps(error).encode(), rejected.status, headers)

    do_GET = do_HEAD = do_POST = do_PUT = _answer

    def _route(self, path: str, body: bytes) -> "_Answer":
        for method, pattern, answer in _ROUTES:
            if self.command in method and (found := re.fullmatch(pattern, path)):
                return answer(self, body, **found.groupdict())
        raise Rejected(404, "NotFound")

    def _send(self, answer: "_Answer") -> None:
        self.send_response(answer.status)
        sent = {"Content-Length": str(len(answer.content)), **answer.headers}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.content)

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
        """The token that came along. Raises Rejected when it is unknown."""
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        if token is not None and token not in self.server.tokens:
            # In these words: the client tells a wrong token from a hidden repository by them.
            raise Rejected(401, message="Invalid credentials in Authorization header")
        return token

    def writer(self, name: str = f"{OWNER}/") -> None:
        """Raises Rejected unless whoever asks may write to the repository of that name."""
        token = self.token()
        if token is None:
            raise Rejected(401)
        if not self.server.tokens[token] or not name.startswith(f"{OWNER}/"):
            raise Rejected(403)

    def repository(self, name: str) -> Repository:
        """A repository that whoever asks may see. Raises Rejected."""
        token = self.token()
        found = self.server.repositories.get(name)
        if found is None or (found.private and not self.server.tokens.get(token or "")):
            # As the real one: who is not signed in is not told whether it is there.
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
class _Answer:
    content: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def _json(content: Any, status: int = 200) -> _Answer:
    return _Answer(json.dumps(content).encode(), status, {"Content-Type": "application/json"})


def _who(asks: _Handler, _: bytes) -> _Answer:
    if asks.token() is None:
        raise Rejected(401)
    return _json({"type": "user", "name": OWNER, "orgs": [], "auth": {}})


def _valid_card(asks: _Handler, _: bytes) -> _Answer:
    errors = [{"message": asks.server.bad_card}] if asks.server.bad_card else []
    return _json({"errors": errors, "warnings": []}, 400 if errors else 200)


def _create(asks: _Handler, body: bytes) -> _Answer:
    asks.writer()
    wish = json.loads(body)
    owner = wish.get("organization") or OWNER
    name = f"{owner}/{wish['name']}"
    known = asks.server.repositories.get(name)
    if known is None and owner != OWNER:
        raise Rejected(403)
    if known is None and wish.get("sdk") in ("gradio", "docker"):
        _pay(asks, wish.get("hardware") or "cpu-basic")
    if known is None:
        asks.server.repositories[name] = Repository(
            wish.get("type") or "model",
            private=bool(wish.get("private") or wish.get("visibility") == "private"),
            sdk=wish.get("sdk"),
            hardware=wish.get("hardware"),
            variables={v["key"]: v["value"] for v in wish.get("variables") or []},
        )
    return _json({"url": f"{asks.server.url}/{name}", "name": name}, 200 if known is None else 409)


def _preupload(asks: _Handler, body: bytes, name: str, revision: str) -> _Answer:
    asks.writer(name)
    files = asks.commit(name, revision).files

    def plan(path: str) -> dict[str, Any]:
        mode = "lfs" if path.endswith(_SENT_BY_LFS) else "regular"
        known = {"oid": files[path].oid} if path in files else {}
        return {"path": path, "uploadMode": mode, "shouldIgnore": False, **known}

    return _json({"files": [plan(file["path"]) for file in json.loads(body)["files"]]})


def _lfs_batch(asks: _Handler, body: bytes, name: str) -> _Answer:
    asks.writer(name)
    asks.repository(name)

    def plan(wanted: dict[str, Any]) -> dict[str, Any]:
        known = {"oid": wanted["oid"], "size": wanted["size"]}
        if wanted["oid"] in asks.server.lfs:
            return known
        href = f"{asks.server.url}/lfs/{wanted['oid']}"
        return {**known, "actions": {"upload": {"href": href}}}

    return _json({"transfer": "basic", "objects": [plan(o) for o in json.loads(body)["objects"]]})


def _lfs_put(asks: _Handler, body: bytes, oid: str) -> _Answer:
    if hashlib.sha256(body).hexdigest() != oid:
        raise Rejected(400)
    asks.server.lfs[oid] = body
    return _Answer(b"")


def _commit(asks: _Handler, body: bytes, name: str, revision: str) -> _Answer:
    asks.writer(name)
    newest = asks.commit(name, revision)
    files = dict(newest.files)
    for line in body.splitlines():
        told = json.loads(line)
        value = told["value"]
        if told["key"] == "header" and value.get("parentCommit") not in (None, newest.sha):
            raise Rejected(412)
        if told["key"] == "file":
            files[value["path"]] = Stored(base64.b64decode(value["content"]), lfs=False)
        elif told["key"] == "lfsFile":
            files[value["path"]] = Stored(asks.server.lfs[value["oid"]], lfs=True)
        elif told["key"] == "deletedFile":
            files.pop(value["path"], None)
    sha = asks.server.commit(asks.server.repositories[name], files)
    url = f"{asks.server.url}/{name}/commit/{sha}"
    return _json({"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""})


def _variable(asks: _Handler, body: bytes, name: str) -> _Answer:
    asks.writer(name)
    told = json.loads(body)
    asks.repository(name).variables[told["key"]] = told["value"]
    return _json({})


def _variables(asks: _Handler, _: bytes, name: str) -> _Answer:
    asks.writer(name)
    return _json({key: {"value": value} for key, value in asks.repository(name).variables.items()})


def _secret(asks: _Handler, body: bytes, name: str) -> _Answer:
    asks.writer(name)
    told = json.loads(body)
    asks.repository(name).secrets[told["key"]] = told["value"]
    return _json({})


def _duplicate(asks: _Handler, body: bytes, name: str) -> _Answer:
    asks.writer()
    one, to = asks.repository(name), json.loads(body)["repository"]
    if one.kind == "space":
        _pay(asks, json.loads(body).get("hardware") or "cpu-basic")
    # As the real one: private, with its variables, without its secrets.
    asks.server.repositories[to] = Repository(
        one.kind, True, sdk=one.sdk, variables=dict(one.variables), commits=list(one.commits)
    )
    return _json({"url": f"{asks.server.url}/{one.kind}s/{to}"})


def _hardware(asks: _Handler, body: bytes, name: str) -> _Answer:
    asks.writer(name)
    wanted = json.loads(body)["flavor"]
    _pay(asks, wanted)
    asks.repository(name).hardware = wanted
    return _json({"stage": "RUNNING", "hardware": {"current": None, "requested": wanted}})


def _pay(asks: _Handler, hardware: str) -> None:
    """Raises Rejected where only a plan helps: ZeroGPU is free, and nothing else is."""
    if hardware != "zero-a10g" and not asks.server.paid:
        raise Rejected(402)


def _info(asks: _Handler, _: bytes, name: str, revision: str | None = None) -> _Answer:
    commit, repository = asks.commit(name, revision or "main"), asks.repository(name)
    sizes = "blobs=" in urlsplit(asks.path).query
    listed = [
        {"rfilename": path, **({"size": len(file.content), "blobId": file.oid} if sizes else {})}
        for path, file in commit.files.items()
    ]
    facts = {"id": name, "modelId": name, "sha": commit.sha, "private": repository.private}
    if repository.kind == "space":
        runs_on = {"current": repository.hardware, "requested": repository.hardware}
        facts["runtime"] = {"stage": "RUNNING", "hardware": runs_on}
    return _json({**facts, "tags": [], "siblings": listed})


def _tree(asks: _Handler, _: bytes, name: str, revision: str) -> _Answer:
    def entry(path: str, file: Stored) -> dict[str, Any]:
        size = len(file.content)
        told = {"type": "file", "path": path, "size": size, "oid": file.oid}
        large = {"lfs": {"oid": file.oid, "size": size, "pointerSize": 134}}
        return told | large if file.lfs else told

    files = asks.commit(name, revision).files
    return _json([entry(path, file) for path, file in files.items()])


def _resolve(asks: _Handler, _: bytes, name: str, revision: str, path: str) -> _Answer:
    commit = asks.commit(name, revision)
    if path not in commit.files:
        raise Rejected(404, "EntryNotFound")
    file = commit.files[path]
    return _Answer(file.content, 200, {"X-Repo-Commit": commit.sha, "ETag": f'"{file.oid}"'})


_REPOSITORY = r"(?P<name>[\w.-]+/[\w.-]+)"
_API = rf"/api/(?:models|spaces)/{_REPOSITORY}"
_ROUTES: list[tuple[tuple[str, ...], str, Callable[..., _Answer]]] = [
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
