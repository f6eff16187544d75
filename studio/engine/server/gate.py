"""Gate: ASGI in front of every route: Host, Origin, CORS, keys; counts what comes and how it was answered.

A browser's page of another origin is refused unless it is named in `cors`. Without keys the Host header must name this
machine, so that a rebound DNS name leads nowhere; a key is nothing that a browser sends by itself, so with keys any
Host will do, as servers behind a proxy need it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from studio.engine.server import errors
from studio.engine.server.errors import Refusal
from studio.engine.server.keys import Keys
from studio.engine.server.metrics import Metrics
from studio.hosts import is_foreign, is_ours, known_names

# What can be seen without a key: whether it lives, and how it is spoken to.
_UNLOCKED = frozenset({"/health", "/docs", "/openapi.json"})
_ALLOWED = (b"authorization, content-type, openai-organization, openai-project, x-stainless-arch, x-stainless-lang, "
            b"x-stainless-os, x-stainless-package-version, x-stainless-retry-count, x-stainless-runtime, "
            b"x-stainless-runtime-version, x-stainless-timeout, x-stainless-async, x-stainless-helper-method")
_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
Send = Callable[[Any], Awaitable[None]]


class Gate:
    """Refuses with 403 and 401 in OpenAI's form; everything else is the app's."""

    def __init__(self, app: Any, host: str, keys: Keys, cors: tuple[str, ...], metrics: Metrics, lang: str) -> None:
        self.app = app
        self.names = known_names(host)
        self.keys = keys
        self.cors = cors
        self.metrics = metrics
        self.lang = lang

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        """Answer or refuse one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        allowed = self._cors_headers(headers.get("origin"))

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS, *allowed]
                self.metrics.answered(scope["path"], message["status"])
            await send(message)

        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _plain(204 if allowed else 403, with_headers)
            return
        refused = self._refusal(scope, headers, bool(allowed))
        if refused is not None:
            await _refuse(refused, self.lang, with_headers)
            return
        await self.app(scope, receive, with_headers)

    def _refusal(self, scope: Mapping[str, Any], headers: Mapping[str, str], named: bool) -> Refusal | None:
        host = headers.get("host", "")
        if not self.keys and not is_ours(host, self.names, False):
            return Refusal("host_foreign", 403, host=host[:100])
        if not named and is_foreign(scope["method"], headers, host):
            return Refusal("origin_foreign", 403, origin=headers.get("origin", "")[:100])
        if scope["path"] in _UNLOCKED or self.keys.open(headers.get("authorization", "")):
            return None
        return Refusal("api_key_wrong" if headers.get("authorization") else "api_key_needed", 401)

    def _cors_headers(self, origin: str | None) -> list[tuple[bytes, bytes]]:
        if origin is None or not (origin in self.cors or "*" in self.cors):
            return []
        return [(b"access-control-allow-origin", origin.encode("latin-1", "replace")), (b"vary", b"Origin"),
                (b"access-control-allow-methods", b"GET, POST, OPTIONS"), (b"access-control-allow-headers", _ALLOWED),
                (b"access-control-expose-headers", b"retry-after"), (b"access-control-max-age", b"600")]


async def _plain(status: int, send: Send) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(refused: Refusal, lang: str, send: Send) -> None:
    data = orjson.dumps(errors.body(refused, lang))
    more = [(name.lower().encode(), value.encode()) for name, value in errors.headers(refused).items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": [
        (b"content-type", b"application/json"), (b"content-length", str(len(data)).encode()), *more]})
    await send({"type": "http.response.body", "body": data})
