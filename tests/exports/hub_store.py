"""A hub on this machine that takes models, as Hugging Face and ModelScope do: repositories, large files, commits."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN, READER = "good-token", "read-only-token"
OWNER = "tester"
PART_BYTES = 1 << 17
LARGE_FROM = 1000


@dataclass
class Store:
    """What the hub holds, what it was asked, and what goes wrong: the line breaks after `cut` bytes of a file."""

    address: str = ""
    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    commits: int = 0
    cut: int = 0
    cuts: int = 0
    loses: str = ""
    cookies: list[str] = field(default_factory=list)


@contextmanager
def hub_store() -> Iterator[Store]:
    """Serve on a free port while the block lasts."""
    store = Store()

    class Handler(_Handler):
        shop = store

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    store.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shop: Store

    def do_GET(self) -> None:
        self.handled()

    do_POST = do_PUT = do_GET

    def handled(self) -> None:
        """One request, by its path."""
        path = urlsplit(self.path).path
        self.shop.asked.append(f"{self.command} {path}")
        if path.startswith("/put/"):
            return self.take(path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path.startswith(("/api/v1/", "/api/v1")):
            return self.modelscope(path, body)
        if path.endswith("/complete"):  # as the real one: signed by its address, without the token
            said = json.loads(body)
            parts = self.shop.parts.pop(said["oid"])
            return self.keep(said["oid"], b"".join(parts[one["partNumber"]] for one in said["parts"]))
        who = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if who not in (TOKEN, READER):
            return self.say(401, {"error": "Invalid username or password."})
        if path == "/api/whoami-v2":
            return self.say(200, {"type": "user", "name": OWNER, "orgs": []})
        if path == "/api/validate-yaml":
            return self.say(200, {"errors": [], "warnings": []})
        if self.command == "POST" and who == READER:
            return self.say(403, {"error": "Forbidden: pass a token with write permission."})
        return self.hugging_face(path, body)

    def hugging_face(self, path: str, body: bytes) -> None:
        said: Any = json.loads(body) if body and "/commit/" not in path else {}
        if path == "/api/repos/create":
            repo = f"{said.get('organization') or OWNER}/{said['name']}"
            if repo in self.shop.repos:
                return self.say(409, {"error": "You already created this model repo", "url": self.url(repo)})
            self.shop.repos[repo] = {}
            self.shop.private[repo] = said.get("visibility") == "private" or bool(said.get("private"))
            return self.say(200, {"url": self.url(repo)})
        repo = next((one for one in self.shop.repos if f"/{one}/" in f"{path}/" or f"/{one}.git/" in path), "")
        if not repo:
            return self.say(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        if "/preupload/" in path:
            return self.say(200, {"files": [
                {"path": one["path"], "shouldIgnore": False,
                 "uploadMode": "lfs" if one["size"] > LARGE_FROM else "regular"} for one in said["files"]]})
        if path.endswith(".git/info/lfs/objects/batch"):
            return self.say(200, {"transfer": "multipart", "objects": [self.large(one) for one in said["objects"]]})
        if path.endswith("/verify"):
            good = len(self.shop.blobs.get(said["oid"], b"")) == said["size"]
            return self.say(200 if good else 404, {})
        if "/commit/" in path:
            return self.commit(repo, [json.loads(line) for line in body.splitlines()])
        files = self.shop.repos[repo]
        return self.say(200, {"id": repo, "sha": "0" * 40, "private": self.shop.private[repo], "siblings": [
            {"rfilename": name, "size": len(content)} for name, content in files.items()]})

    def large(self, one: dict[str, Any]) -> dict[str, Any]:
        """What is to be done with the bytes of a large file: nothing when they are here."""
        oid, size = one["oid"], one["size"]
        if oid in self.shop.blobs:
            return {"oid": oid, "size": size}
        repo = next(iter(self.shop.repos))
        upload: dict[str, Any] = {"href": f"{self.shop.address}/put/{oid}"}
        if size > PART_BYTES:
            count = -(-size // PART_BYTES)
            upload = {"href": f"{self.shop.address}/api/{repo}/complete", "header": {"chunk_size": str(PART_BYTES)} | {
                f"{number:05d}": f"{self.shop.address}/put/{oid}/{number}" for number in range(1, count + 1)}}
        return {"oid": oid, "size": size, "actions": {
            "upload": upload, "verify": {"href": f"{self.shop.address}/api/{repo}/verify"}}}

    def commit(self, repo: str, lines: list[dict[str, Any]]) -> None:
        files = self.shop.repos[repo]
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.shop.blobs[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        if self.shop.loses:
            files.pop(self.shop.loses, None)
        self.shop.commits += 1
        return self.say(200, {"commitUrl": f"{self.url(repo)}/commit/1", "commitOid": "0" * 40,
                              "success": True})

    def modelscope(self, path: str, body: bytes) -> None:
        said: Any = json.loads(body) if body else {}
        if path == "/api/v1/login":
            if said.get("AccessToken") not in (TOKEN, READER):
                return self.say(400, {"Code": 10010, "Success": False, "Message": "token is invalid"})
            return self.say(200, self.yes({"Username": OWNER, "Email": "", "AccessToken": "git"}),
                            Set_Cookie=f"m_session_id={said['AccessToken']}; Path=/")
        session = re.search(r"m_session_id=([\w-]+)", self.headers.get("Cookie") or "")
        if session is None:
            return self.say(401, {"Code": 401, "Success": False})
        if session[1] == READER and self.command == "POST":
            return self.say(403, {"Code": 403, "Success": False})
        if path == "/api/v1/models":
            repo = f"{said['Path']}/{said['Name']}"
            self.shop.repos[repo], self.shop.private[repo] = {}, said["Visibility"] == 1
            return self.say(200, self.yes({}))
        repo = next((one for one in self.shop.repos if f"/{one}/" in path + "/"), "")
        if not repo:
            return self.say(404, {"Code": 404, "Success": False, "Message": "not found"})
        files = self.shop.repos[repo]
        if path.endswith("/batch"):
            return self.say(200, self.yes({"objects": [
                {"oid": one["oid"], "actions": {"upload": {"href": f"{self.shop.address}/put/{one['oid']}"}}}
                for one in said["objects"] if one["oid"] not in self.shop.blobs]}))
        if "/commit/" in path:
            for one in said["actions"]:
                files[one["path"]] = (self.shop.blobs[one["sha256"]] if one["type"] == "lfs"
                                      else base64.b64decode(one["content"]))
            if self.shop.loses:
                files.pop(self.shop.loses, None)
            self.shop.commits += 1
            return self.say(200, self.yes({}))
        if path.endswith("/repo/files"):
            assert parse_qs(urlsplit(self.path).query)["Revision"] == ["master"]
            return self.say(200, self.yes({"Files": [{"Path": name, "Type": "blob", "Size": len(content)}
                                                     for name, content in files.items()]}))
        return self.say(200, self.yes({"Visibility": 1 if self.shop.private[repo] else 5}))

    def take(self, path: str) -> None:
        """The bytes of a large file or of one part of it; the line may break on the way."""
        oid, _, number = path.removeprefix("/put/").partition("/")
        size = int(self.headers["Content-Length"])
        self.shop.cookies.append(self.headers.get("Cookie") or "")
        if self.shop.cuts > 0:
            self.shop.cuts -= 1
            self.rfile.read(min(self.shop.cut, size))
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return None
        content = self.rfile.read(size)
        self.shop.received.append(oid)
        if number:
            self.shop.parts.setdefault(oid, {})[int(number)] = content
            return self.say(200, {}, ETag=f'"{number}"')
        return self.keep(oid, content)

    def keep(self, oid: str, content: bytes) -> None:
        """Take a file whose bytes are what its name says."""
        if hashlib.sha256(content).hexdigest() != oid:
            return self.say(400, {"error": "wrong sha256"})
        self.shop.blobs[oid] = content
        return self.say(200, self.yes({}))

    def url(self, repo: str) -> str:
        return f"{self.shop.address}/{repo}"

    @staticmethod
    def yes(data: Any) -> dict[str, Any]:
        return {"Code": 200, "Success": True, "Message": "", "Data": data}

    def say(self, status: int, body: Any, **headers: str) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
