"""A small server that speaks the hub's protocol over a real socket, with faults on demand."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

PATHS = re.compile(
    r"/api/models/(?P<api>[^/]+/[^/]+)(?:/revision/(?P<at>.+))?"
    r"|/(?P<repo>[^/]+/[^/]+)/resolve/(?P<commit>[^/]+)/(?P<file>.+)"
)
LARGE = (".safetensors", ".bin", ".gguf", ".ckpt")


@dataclass
class Repo:
    """A repository at one commit; the faults are for one test to set."""

    files: dict[str, bytes]
    card: dict[str, Any] = field(default_factory=lambda: {"license": "openrail++"})
    gated: bool = False
    wrong: frozenset[str] = frozenset()  # files whose bytes are not those that the hub names
    cut_at: int | None = None  # bytes of the next transfers after which the connection ends
    busy: int = 0  # so many requests are answered 429

    @cached_property
    def commit(self) -> str:
        content = json.dumps({name: digest(data) for name, data in sorted(self.files.items())})
        return hashlib.sha1(content.encode()).hexdigest()


class HubServer:
    """Serves repositories by id; `sent` counts the bytes of each file that went out."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.sent: Counter[str] = Counter()
        self.asked: list[str] = []
        self.on_sent: Callable[[int], None] = lambda total: None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self._server.daemon_threads = True

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def offer(self, name: str, folder: Path, **other: Any) -> Repo:
        """A folder's files as a repository."""
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        repo = self.repos[name] = Repo(files, **other)
        return repo

    def __enter__(self) -> HubServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


def handler_of(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self.answer(body=True)

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def answer(self, body: bool) -> None:
            hub.asked.append(f"{self.command} {self.path}")
            found = PATHS.fullmatch(self.path.partition("?")[0])
            repo = found and hub.repos.get(found["api"] or found["repo"])
            if not found or not repo:
                self.reply(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            elif repo.busy:
                repo.busy -= 1
                self.reply(429, b"{}", {"Retry-After": "1"})
            elif found["api"]:
                self.info(found["api"], repo, found["at"])
            elif repo.gated and not self.headers.get("Authorization"):
                self.reply(401, b"{}", {"X-Error-Code": "GatedRepo"})
            else:
                self.file(repo, found["file"], body)

        def info(self, name: str, repo: Repo, revision: str | None) -> None:
            if revision not in (None, "main", repo.commit):
                self.reply(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
                return
            siblings = [sibling(path, data) for path, data in repo.files.items()]
            said = {
                "id": name,
                "modelId": name,
                "sha": repo.commit,
                "private": False,
                "gated": "auto" if repo.gated else False,
                "tags": [],
                "downloads": 0,
                "likes": 0,
                "cardData": repo.card,
                "siblings": siblings,
            }
            self.reply(200, json.dumps(said).encode(), {"Content-Type": "application/json"})

        def file(self, repo: Repo, path: str, body: bool) -> None:
            if path not in repo.files:
                self.reply(404, b"{}", {"X-Error-Code": "EntryNotFound"})
                return
            data = repo.files[path]
            headers = {
                "ETag": f'"{hash_of(path, data)}"',
                "X-Repo-Commit": repo.commit,
                "X-Linked-Size": str(len(data)),
            }
            if path in repo.wrong:
                data = bytes(len(data))
            start = 0
            if asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
                start = int(asked[1])
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.begin(206 if asked else 200, len(data) - start, headers)
            if body:
                self.send(path, data[start:], repo)

        def send(self, path: str, data: bytes, repo: Repo) -> None:
            for offset in range(0, len(data), 1024):
                piece = data[offset : offset + 1024]
                if repo.cut_at is not None:
                    piece = piece[: repo.cut_at]
                    repo.cut_at -= len(piece)
                self.wfile.write(piece)
                self.wfile.flush()
                hub.sent[path] += len(piece)
                hub.on_sent(hub.sent.total())
                if repo.cut_at == 0:
                    repo.cut_at = None
                    self.close_connection = True
                    return

        def reply(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
            self.begin(status, len(data), headers)
            if self.command == "GET":
                self.wfile.write(data)

        def begin(self, status: int, length: int, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

    return Handler


def sibling(path: str, data: bytes) -> dict[str, Any]:
    said: dict[str, Any] = {"rfilename": path, "size": len(data), "blobId": git_hash(data)}
    if path.endswith(LARGE):
        said["lfs"] = {"sha256": digest(data), "size": len(data), "pointerSize": 130}
    return said


def hash_of(path: str, data: bytes) -> str:
    return digest(data) if path.endswith(LARGE) else git_hash(data)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
