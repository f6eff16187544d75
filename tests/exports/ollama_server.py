"""A server that takes models as Ollama's HTTP API does: version, tags, blobs by sha256, create with its states."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Ollama(ThreadingHTTPServer):
    """What it was given: blobs by digest, models by name; `refuses` is an error that creating ends with."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.blobs: dict[str, bytes] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.refuses = ""

    @property
    def where(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Ollama

    def log_message(self, *said: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        told = {"version": "0.12.0"} if self.path == "/api/version" else {
            "models": [{"name": name} for name in self.server.models]}
        self._say(200, json.dumps(told).encode())

    def do_HEAD(self) -> None:
        known = self.path.rpartition("/")[2] in self.server.blobs
        self.send_response(200 if known else 404)
        self.end_headers()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/api/blobs/"):
            name = self.path.rpartition("/")[2]
            right = name == f"sha256:{hashlib.sha256(body).hexdigest()}"
            self.server.blobs[name] = body
            self._say(201 if right else 400, b"" if right else b'{"error": "digest mismatch"}')
            return
        asked = json.loads(body)
        lacking = [one for one in asked["files"].values() if one not in self.server.blobs]
        last = {"error": self.server.refuses or "unknown blob"} if lacking or self.server.refuses else {
            "status": "success"}
        if "error" not in last:
            self.server.models[f"{asked['model']}:latest"] = asked
        lines = [{"status": "parsing GGUF"}, {"status": "creating system layer"}, last]
        self._say(200, b"".join(json.dumps(one).encode() + b"\n" for one in lines))

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running() -> Iterator[Ollama]:
    """Such a server on a free port."""
    server = Ollama()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
