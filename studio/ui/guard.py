"""Who may talk to the studio: login, Host and Origin, checked in front of every route, mounted ones too."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import secrets
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_SAFE = ("GET", "HEAD", "OPTIONS")
_POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    b"object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"content-security-policy", _POLICY),
)


class Guard:
    """ASGI middleware: 403 for a foreign Host or Origin, 401 without the right login, else the app's own answer."""

    def __init__(self, app: Any, host: str, auth: tuple[str, str] | None) -> None:
        self.app = app
        self.names = known_names(host)
        self.auth = f"{auth[0]}:{auth[1]}".encode() if auth else None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer or refuse one request."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        status = self._refusal(scope)
        if status:
            await _refuse(status, scope, send)
            return

        async def with_headers(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        await self.app(scope, receive, with_headers)

    def _refusal(self, scope: Mapping[str, Any]) -> int:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if not self._is_ours(host) or self._is_foreign(scope, headers, host):
            return 403
        return 0 if self.auth is None or _has_login(headers.get("authorization", ""), self.auth) else 401

    def _is_ours(self, host: str) -> bool:
        """A rebound DNS name is neither a number nor one of this machine's names."""
        name = (urlsplit(f"//{host}").hostname or "") if host else ""
        if name in self.names:
            return True
        return self.auth is not None and _is_number(name)

    @staticmethod
    def _is_foreign(scope: Mapping[str, Any], headers: Mapping[str, str], host: str) -> bool:
        if scope["type"] == "http" and scope["method"] in _SAFE:
            return False
        if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return True
        origin = headers.get("origin")
        return origin is not None and urlsplit(origin).netloc.lower() != host.lower()


def known_names(host: str) -> frozenset[str]:
    """The names under which a studio bound to `host` is rightly reached."""
    names = {"localhost", "127.0.0.1", "::1", host.strip("[]").lower()}
    if not is_loopback(host):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(names - {"0.0.0.0", "::", ""})


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _has_login(header: str, wanted: bytes) -> bool:
    kind, _, code = header.partition(" ")
    if kind.lower() != "basic":
        return False
    try:
        return secrets.compare_digest(base64.b64decode(code, validate=True), wanted)
    except (binascii.Error, ValueError):
        return False


async def _refuse(status: int, scope: Mapping[str, Any], send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-length", b"0"), *_HEADERS]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="studio", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
