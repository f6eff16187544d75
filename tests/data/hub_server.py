"""A hub on this machine: the few answers of the Hugging Face hub that a download needs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub(models: dict[str, dict[str, bytes]], gated: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    """Serve models (files by name) on a free port: (address, the paths asked for)."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_GET(self) -> None:
            asked.append(self.path)
            path, _, _ = self.path.partition("?")
            name = next((one for one in (*models, *gated) if f"/{one}/" in path + "/"), None)
            if name is None:
                return self.answer(404, X_Error_Code="RepoNotFound")
            if name in gated:
                return self.answer(403, X_Error_Code="GatedRepo")
            files = models[name]
            rest = path.partition(name)[2]
            if path.startswith("/api/models/") and "/tree/" in rest:
                listing = [{"type": "file", "path": one, "size": len(content), "oid": self.tag(content)}
                           for one, content in files.items()]
                return self.answer(200, json.dumps(listing).encode(), Content_Type="application/json")
            if path.startswith("/api/models/"):
                about = {"id": name, "modelId": name, "sha": COMMIT, "private": False, "gated": False, "tags": [],
                         "siblings": [{"rfilename": one, "size": len(content)} for one, content in files.items()]}
                return self.answer(200, json.dumps(about).encode(), Content_Type="application/json")
            file = rest.split("/", 3)[-1]
            if file not in files:
                return self.answer(404, X_Error_Code="EntryNotFound")
            return self.answer(200, files[file], ETag=f'"{self.tag(files[file])}"', X_Repo_Commit=COMMIT,
                               Accept_Ranges="bytes")

        do_HEAD = do_GET

        @staticmethod
        def tag(content: bytes) -> str:
            return hashlib.sha1(content).hexdigest()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
