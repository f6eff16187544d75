"""Who may talk to the studio: login, Host and Origin, checked in front of every route, mounted ones too."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from typing import Any

from studio.hosts import is_foreign, is_ours, known_names

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
        method = scope["method"] if scope["type"] == "http" else ""
        if not is_ours(host, self.names, self.auth is not None) or is_foreign(method, headers, host):
            return 403
        return 0 if self.auth is None or _has_login(headers.get("authorization", ""), self.auth) else 401


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
