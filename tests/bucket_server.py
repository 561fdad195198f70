"""As much of S3 as one bucket needs, over real HTTP: put, get, head, list, delete."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

KEYS = {
    "AWS_ACCESS_KEY_ID": "somebody",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "eu-central-1",
    "AWS_ALLOW_HTTP": "true",
}


@dataclass
class Bucket:
    """Its objects by name; while it is `away`, every answer is an error."""

    address: str
    objects: dict[str, bytes] = field(default_factory=dict)
    away: bool = False

    @property
    def environment(self) -> dict[str, str]:
        return {**KEYS, "AWS_ENDPOINT_URL": self.address}


@contextmanager
def bucket_server() -> Iterator[Bucket]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.bucket = Bucket(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.bucket  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self._away():
            return
        self.bucket.objects[self._name()] = data
        self._answer(200)

    def do_GET(self) -> None:
        if self._away():
            return
        asked = parse_qs(urlsplit(self.path).query)
        if "list-type" in asked:
            self._answer(200, self._listed(asked["prefix"][0]))
        elif (data := self.bucket.objects.get(self._name())) is not None:
            self._answer(200, data)
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def _listed(self, prefix: str) -> bytes:
        found = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{len(data)}</Size><ETag>e</ETag>"
            "<LastModified>2026-11-25T00:00:00.000Z</LastModified></Contents>"
            for name, data in self.bucket.objects.items()
            if name.startswith(prefix)
        )
        return f"<ListBucketResult>{found}</ListBucketResult>".encode()

    @property
    def bucket(self) -> Bucket:
        return self.server.bucket  # type: ignore[attr-defined,no-any-return]

    def _name(self) -> str:
        """Less the bucket's own name."""
        return unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]

    def _away(self) -> bool:
        if self.bucket.away:
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        return self.bucket.away

    def _answer(self, status: int, data: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", '"e"')
        self.send_header("Last-Modified", "Wed, 25 Nov 2026 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(data)
