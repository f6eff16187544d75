"""Replies over HTTP: JSON and server-sent events that stop working when nobody listens any more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from studio.engine.server import errors
from studio.engine.server.errors import Refusal
from studio.errors import StudioError

MOST_BODY_BYTES = 8 * 2**20
_DRAINED_BYTES = 8 * MOST_BODY_BYTES
_BODY_SECONDS = 60.0
DONE = b"data: [DONE]\n\n"
_EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]


async def body(request: Request) -> bytes:
    """The request's body; raises Refusal body_too_large (413) as soon as it is, body_slow (408)."""
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > MOST_BODY_BYTES:
        await _drain(request, int(said))
        raise _too_large()
    data = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            stream = request.stream()
            async for part in stream:
                data += part
                if len(data) > MOST_BODY_BYTES:
                    break
    except TimeoutError:
        raise Refusal("body_slow", 408, seconds=round(_BODY_SECONDS)) from None
    if len(data) > MOST_BODY_BYTES:
        await _drain_stream(stream)
        raise _too_large()
    return bytes(data)


def _too_large() -> Refusal:
    return Refusal("body_too_large", 413, most=MOST_BODY_BYTES // 2**20)


async def _drain(request: Request, size: int) -> None:
    """Read away what a client is sending anyway, so that it hears the answer; not without end."""
    if size <= _DRAINED_BYTES:
        await _drain_stream(request.stream())


async def _drain_stream(stream: AsyncIterator[bytes]) -> None:
    left = _DRAINED_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5.0):
            async for part in stream:
                left -= len(part)
                if left < 0:
                    return


class Json(Response):
    """A JSON reply."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of the reply."""
        return orjson.dumps(content)


def refused(error: StudioError, lang: str) -> Json:
    """An error in OpenAI's form."""
    found = errors.refusal(error)
    return Json(errors.body(found, lang), found.status, dict(errors.headers(found)))


class Later(Response):
    """A reply that takes its time; the work is cancelled when the client goes away."""

    def __init__(self, work: Awaitable[Response]) -> None:
        super().__init__()
        self.work = work

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Work, and send the reply unless nobody is there."""
        async def do() -> None:
            await (await self.work)(scope, receive, send)

        await unless_gone(do(), receive)


class Events(Response):
    """Server-sent events; an error before the first of them is a reply of its own, one after it an event."""

    def __init__(self, source: AsyncIterator[bytes], lang: str) -> None:
        super().__init__()
        self.source = source
        self.lang = lang

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send what comes until it ends or the client goes away."""
        await unless_gone(self._tell(scope, receive, send), receive)

    async def _tell(self, scope: Any, receive: Any, send: Any) -> None:
        begun = False
        try:
            async with contextlib.aclosing(self.source) as source:  # type: ignore[type-var]
                async for data in source:
                    if not begun:
                        begun = True
                        await begin_events(send)
                    await send({"type": "http.response.body", "body": data, "more_body": True})
        except StudioError as error:
            if not begun:
                await refused(error, self.lang)(scope, receive, send)
                return
            await end_events(send, error, self.lang)
            return
        await send({"type": "http.response.body", "body": DONE})


async def begin_events(send: Any) -> None:
    """The head of a stream of events."""
    await send({"type": "http.response.start", "status": 200, "headers": _EVENTS})


async def end_events(send: Any, error: StudioError, lang: str) -> None:
    """The end of a stream that an error ends: the error is its last event."""
    await send({"type": "http.response.body", "body": event(errors.body(error, lang)) + DONE})


def event(value: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + orjson.dumps(value) + b"\n\n"


async def unless_gone(work: Any, receive: Any) -> None:
    """Do the work; a client that goes away cancels it."""
    working = asyncio.create_task(work)
    watching = asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        watching.cancel()
        if not working.done():
            working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
