"""A hub on this machine: the few answers of the Hugging Face and ModelScope hubs that a download needs."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Faults:
    """What goes wrong: each file is cut once after `cut` bytes, or sent with another content, or slowly."""

    cut: int = 0
    wrong: tuple[str, ...] = ()
    seconds: float = 0.0
    was_cut: set[str] = field(default_factory=set)
    ranges: list[str] = field(default_factory=list)


@contextmanager
def hub(models: dict[str, dict[str, bytes]], gated: tuple[str, ...] = (),
        datasets: dict[str, dict[str, bytes]] | None = None,
        faults: Faults | None = None) -> Iterator[tuple[str, list[str]]]:
    """Serve models and datasets (files by name) on a free port, as both hubs do: (address, the paths asked for)."""
    asked: list[str] = []
    faults = faults or Faults()

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
            path, _, query = self.path.partition("?")
            if path.startswith("/api/v1/datasets/"):
                return self.modelscope(path.removeprefix("/api/v1/datasets/"), dict(parse_qsl(query)))
            of_datasets = path.startswith(("/datasets/", "/api/datasets/"))
            served = (datasets or {}) if of_datasets else models
            name = next((one for one in (*served, *gated) if f"/{one}/" in path + "/"), None)
            if name is None:
                return self.answer(404, X_Error_Code="RepoNotFound")
            if name in gated:
                return self.answer(403, X_Error_Code="GatedRepo")
            files = served[name]
            rest = unquote(path).partition(name)[2]
            if "/refs/convert/parquet" in rest:
                files = {one: content for one, content in files.items() if one.startswith("converted/")}
                if not files:
                    return self.answer(404, X_Error_Code="RevisionNotFound")
            if path.startswith("/api/") and "/tree/" in rest:
                listing = [{"type": "file", "path": one, "size": len(content), "oid": self.tag(content)}
                           for one, content in files.items()]
                return self.answer(200, json.dumps(listing).encode(), Content_Type="application/json")
            if path.startswith("/api/"):
                about = {"id": name, "modelId": name, "sha": COMMIT, "private": False, "gated": False, "tags": [],
                         "siblings": [self.sibling(one, content) for one, content in files.items()]}
                return self.answer(200, json.dumps(about).encode(), Content_Type="application/json")
            file = rest.replace("/refs/convert/parquet", "/parquet").split("/", 3)[-1]
            if file not in files:
                return self.answer(404, X_Error_Code="EntryNotFound")
            return self.send(file, files[file], ETag=f'"{self.tag(files[file])}"', X_Repo_Commit=COMMIT)

        def modelscope(self, path: str, about: dict[str, str]) -> None:
            """The answers of ModelScope's hub for a dataset: what a folder holds, page by page, and a file."""
            name = "/".join(path.split("/")[:2])
            files = (datasets or {}).get(name)
            if name in gated:
                return self.answer(403, b'{"Code": 10020101001, "Success": false}')
            if files is None or about.get("Revision") != "master":
                return self.answer(404, b'{"Code": 10010205001, "Message": "not found", "Success": false}')
            if path.endswith("/repo/tree"):
                root = about.get("Root", "").strip("/")
                below = f"{root}/" if root else ""
                names = dict.fromkeys(one.removeprefix(below).partition("/")[0] for one in sorted(files)
                                      if one.startswith(below))
                page, size = int(about["PageNumber"]) - 1, int(about["PageSize"])
                found = [self.listed(f"{root}/{one}".lstrip("/"), files) for one in names]
                body = {"Code": 200, "Success": True, "Data": {"Files": found[page * size:(page + 1) * size]}}
                return self.answer(200, json.dumps(body).encode(), Content_Type="application/json")
            file = about.get("FilePath", "")
            return self.send(file, files[file]) if file in files else self.answer(404)

        @staticmethod
        def sibling(name: str, content: bytes) -> dict[str, object]:
            lfs = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 1}
            return {"rfilename": name, "size": len(content), **({"lfs": lfs} if len(content) > 1000 else {})}

        @staticmethod
        def listed(path: str, files: dict[str, bytes]) -> dict[str, object]:
            if path not in files:
                return {"Path": path, "Name": path.rpartition("/")[2], "Type": "tree", "Size": 0}
            content = files[path]
            return {"Path": path, "Name": path.rpartition("/")[2], "Type": "blob", "Size": len(content),
                    "Sha256": hashlib.sha256(content).hexdigest()}

        def send(self, name: str, content: bytes, **headers: str) -> None:
            """A file or the rest of it, with the faults it is to have."""
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
            if name in faults.wrong:
                content = content[::-1]
            body, status = content, 200
            if wanted:
                faults.ranges.append(f"{name} {wanted[1]}")
                body, status = content[int(wanted[1]):], 206
                headers["Content-Range"] = f"bytes {wanted[1]}-{len(content) - 1}/{len(content)}"
            if not (faults.cut or faults.seconds) or self.command == "HEAD":
                return self.answer(status, body, Accept_Ranges="bytes", **headers)
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), "Accept-Ranges": "bytes", **headers}.items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()
            if faults.cut and name not in faults.was_cut and len(body) > faults.cut:
                faults.was_cut.add(name)
                self.wfile.write(body[:faults.cut])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return None
            with suppress(ConnectionError):
                for place in range(0, len(body), 1 << 16):
                    self.wfile.write(body[place:place + (1 << 16)])
                    time.sleep(faults.seconds)
            return None

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
