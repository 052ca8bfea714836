"""A stand-in for the Hugging Face Hub on this machine, which its real client can make repositories at, upload to and
download from. It keeps everything in memory, and can be told to lose connections and to damage files.
"""

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from huggingface_hub import constants

TOKENS = {"hf_of_someone": "someone", "hf_of_nobody": "nobody"}  # who has which
COLORS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def point_at(address: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, the Hub's client talks to this address, as someone, and caches in this folder.

    It reads its settings when it is imported; `settings` are the same for a process that is started.
    """
    for name, value in settings(address, home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants._HF_DEFAULT_ENDPOINT, address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)


def settings(address: str, home: Path) -> dict[str, str]:
    """The environment variables with which the Hub's client talks to this address, as someone."""
    return {
        "HF_ENDPOINT": address,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",  # the stand-in knows the older way to send large files only
        "HF_TOKEN": "hf_of_someone",
    }


class Refusal(Exception):
    """An answer that is an error: a status, a message and a code as the Hub's client knows them."""

    def __init__(self, status: int, message: str, code: str = "", body: dict | None = None):
        super().__init__(message)
        self.status, self.code, self.body = status, code, body or {"error": message}


@dataclass
class Repository:
    """Files by name, and which of them are large (LFS)."""

    private: bool = False
    sdk: str | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    large: set[str] = field(default_factory=set)
    commits: int = 0

    @property
    def sha(self) -> str:
        return hashlib.sha1(repr((self.commits, sorted(self.files.items()))).encode()).hexdigest()

    def oid(self, name: str) -> str:
        """What the Hub names a file's content by: SHA-256 for a large one, Git's SHA-1 for another."""
        content = self.files[name]
        if name in self.large:
            return hashlib.sha256(content).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Hub:
    """The repositories, by "models/owner/name" or "spaces/owner/name", and what goes wrong.

    Attributes:
        requests: each so far, such as "GET /someone/captioner/resolve/0123/config.json", without its query.
        ranges: of the downloads that went on in the middle of a file, such as "bytes=512-".
        damaged: names of files that are served with one bit flipped.
        losses: patterns of requests whose connection will be lost; see `lose`.
    """

    def __init__(self):
        self.address = ""
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}  # large files by SHA-256
        self.requests: list[str] = []
        self.ranges: list[str] = []
        self.damaged: set[str] = set()
        self.losses: list[str] = []

    def lose(self, pattern: str, times: int = 1) -> None:
        """The connection of the next requests that match is lost: of downloads, in the middle of the file."""
        self.losses += [pattern] * times

    def loses(self, request: str) -> bool:
        for pattern in self.losses:
            if re.search(pattern, request):
                self.losses.remove(pattern)
                return True
        return False

    def create(self, question: dict, owner: str) -> dict:
        wanted = question["organization"] or owner
        if wanted != owner:
            raise Refusal(403, f"You don't have the rights to create a repository under {wanted}")
        kind = question.get("type", "model") + "s"
        name = f"{wanted}/{question['name']}"
        address = f"{self.address}/{'' if kind == 'models' else kind + '/'}{name}"
        if f"{kind}/{name}" in self.repositories:
            raise Refusal(409, "You already created this repository", body={"url": address})
        private = question.get("visibility") == "private"
        self.repositories[f"{kind}/{name}"] = Repository(private, question.get("sdk"))
        return {"url": address}

    def batch(self, question: dict) -> dict:
        """Git LFS's batch API: where to put which large file; nowhere, if its content is here already."""
        assert "basic" in question["transfers"]
        objects = [
            wanted
            if wanted["oid"] in self.objects
            else {**wanted, "actions": {"upload": {"href": f"{self.address}/put/{wanted['oid']}"}}}
            for wanted in question["objects"]
        ]
        return {"transfer": "basic", "objects": objects}

    def put(self, oid: str, content: bytes) -> dict:
        if hashlib.sha256(content).hexdigest() != oid:
            raise Refusal(400, "the content does not match its hash")
        self.objects[oid] = content
        return {}


def preupload(repository: Repository, question: dict) -> dict:
    answers = []
    for file in question["files"]:
        name, large = file["path"], b"\0" in base64.b64decode(file["sample"])
        oid = repository.oid(name) if name in repository.files else None
        answers.append({"path": name, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid})
    return {"files": answers}


def commit(hub: Hub, repository: Repository, lines: list[dict]) -> None:
    for line in lines:
        value = line["value"]
        match line["key"]:
            case "file":
                repository.files[value["path"]] = base64.b64decode(value["content"])
            case "lfsFile":
                if value["oid"] not in hub.objects:
                    raise Refusal(400, f"{value['path']} was not uploaded")
                repository.files[value["path"]] = hub.objects[value["oid"]]
                repository.large.add(value["path"])
            case "deletedFile":
                del repository.files[value["path"]]
    repository.commits += 1


def validate_card(question: dict) -> dict:
    """As the Hub: the YAML head of a README.md must be readable, and that of a Space what Spaces know."""
    found = re.match(r"---\n(.*?)\n---\n", question["content"], re.DOTALL)
    head = yaml.safe_load(found[1]) if found else {}
    errors = []
    if question["repoType"] == "space":
        errors = [
            *([] if head.get("sdk") in ("gradio", "docker", "static") else ["sdk must be one of those known"]),
            *([] if {head.get("colorFrom"), head.get("colorTo")} <= COLORS else ["no such color"]),
            *([] if len(head.get("short_description", "")) <= 60 else ["short_description is too long"]),
        ]
    if errors:
        raise Refusal(400, "Bad card", body={"errors": [{"message": message} for message in errors]})
    return {"errors": [], "warnings": [] if head else [{"message": "empty or missing yaml metadata in repo card"}]}


@contextmanager
def serve_hub() -> Iterator[Hub]:
    """Yields a Hub, whose `address` is what ``HF_ENDPOINT`` must be."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            path = unquote(urlsplit(self.path).path)
            request = f"{self.command} {path}"
            hub.requests.append(request)
            content = self._content()
            lost = hub.loses(request)
            if lost and (self.command == "HEAD" or "/resolve/" not in path):
                return self._hang_up()
            try:
                self._route(path, content, lost)
            except Refusal as refusal:
                headers = {"X-Error-Message": str(refusal), "X-Error-Code": refusal.code}
                self._send(json.dumps(refusal.body).encode(), refusal.status, headers)

        do_GET = do_HEAD = do_POST = do_PUT = do

        def _route(self, path: str, content: bytes, lost: bool) -> None:
            who = self._who()
            if path == "/api/repos/create":
                return self._answer(hub.create(json.loads(content), self._writer(who)))
            if path == "/api/validate-yaml":
                return self._answer(validate_card(json.loads(content)))
            if found := re.fullmatch(r"/put/(\w+)", path):  # a signed address: without a token
                return self._answer(hub.put(found[1], content))
            if found := re.fullmatch(r"/(spaces/)?([\w.-]+/[\w.-]+)\.git/info/lfs/objects/batch", path):
                self._repository(found[1] or "models/", found[2], self._writer(who), write=True)
                return self._answer(hub.batch(json.loads(content)))
            if found := re.fullmatch(r"/(spaces/)?([\w.-]+/[\w.-]+)/resolve/\w+/(.+)", path):
                return self._file(self._repository(found[1] or "models/", found[2], who), found[3], lost)
            found = re.fullmatch(r"/api/(models/|spaces/)([\w.-]+/[\w.-]+)/(revision|tree|preupload|commit)/\w+", path)
            if not found:
                raise Refusal(404, f"The stand-in has no {path}")
            kind, name, action = found.groups()
            if action in ("preupload", "commit"):
                repository = self._repository(kind, name, self._writer(who), write=True)
                if action == "preupload":
                    return self._answer(preupload(repository, json.loads(content)))
                commit(hub, repository, [json.loads(line) for line in content.splitlines()])
                address = f"{hub.address}/{name}/commit/{repository.sha}"
                return self._answer({"commitUrl": address, "commitOid": repository.sha})
            repository = self._repository(kind, name, who)
            if action == "revision":
                return self._answer({"id": name, "sha": repository.sha, "private": repository.private})
            return self._answer([self._entry(repository, file) for file in repository.files])

        @staticmethod
        def _entry(repository: Repository, name: str) -> dict:
            size, oid = len(repository.files[name]), repository.oid(name)
            large = {"lfs": {"oid": oid, "size": size, "pointerSize": 134}} if name in repository.large else {}
            return {"type": "file", "path": name, "size": size, "oid": oid[:40], **large}

        def _who(self) -> str | None:
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if token and token not in TOKENS:
                raise Refusal(401, "Invalid credentials in Authorization header")
            return TOKENS.get(token)

        @staticmethod
        def _writer(who: str | None) -> str:
            if who is None:
                raise Refusal(401, "Invalid username or password.")
            return who

        @staticmethod
        def _repository(kind: str, name: str, who: str | None, write: bool = False) -> Repository:
            repository = hub.repositories.get(kind + name)
            owns = who == name.partition("/")[0]
            if repository is None or (repository.private and not owns):  # one must not learn which are private
                raise Refusal(404 if who else 401, "Repository not found", "RepoNotFound")
            if write and not owns:
                raise Refusal(403, "Forbidden: you must use a write token")
            return repository

        def _file(self, repository: Repository, name: str, lost: bool) -> None:
            if name not in repository.files:
                raise Refusal(404, "Entry not found", "EntryNotFound")
            content, oid = repository.files[name], repository.oid(name)
            headers = {"X-Repo-Commit": repository.sha, "ETag": f'"{oid}"'}
            if name in repository.large:
                headers |= {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(len(content))}
            if name in hub.damaged:
                content = content[:-1] + bytes([content[-1] ^ 1])
            status, wanted = 200, self.headers.get("Range")
            if wanted:
                hub.ranges.append(wanted)
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
                status, content = 206, content[start:]
            self._send(content, status, headers, part=len(content) // 2 if lost else None)
            if lost:
                self._hang_up()

        def _content(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content

        def _answer(self, value: dict | list) -> None:
            self._send(json.dumps(value).encode(), 200, {"Content-Type": "application/json"})

        def _send(self, body: bytes, status: int, headers: dict[str, str], part: int | None = None) -> None:
            self.send_response(HTTPStatus(status))
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[:part])

        def _hang_up(self) -> None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
