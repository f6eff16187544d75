"""The routes of answers when vLLM makes them: checked here as always, then handed on as they came."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import Response

from studio.chats import lanes
from studio.engine.server import messages, metrics, protocol, replies, routes_chat, vllm
from studio.engine.server.errors import Refusal
from studio.engine.server.protocol import CHAT_KEYS, TEXT_KEYS
from studio.engine.server.server import Server
from studio.errors import StudioError, WorkError


async def chat(request: Request, server: Server) -> Response:
    """Answer a conversation."""
    raw = await replies.body(request)
    said = protocol.parse(raw)
    protocol.common(said, CHAT_KEYS)
    messages.talk(said)
    return _handed(server, "/v1/chat/completions", said)


async def completions(request: Request, server: Server) -> Response:
    """Go on with texts."""
    said = protocol.parse(await replies.body(request))
    protocol.common(said, TEXT_KEYS, least_tokens=0)
    protocol.prompts(said, "prompt")
    return _handed(server, "/v1/completions", said)


async def embeddings(request: Request, server: Server) -> Response:
    """Vectors, where the model that vLLM serves makes them."""
    said = protocol.parse(await replies.body(request))
    protocol.prompts(said, "input")
    return _handed(server, "/v1/embeddings", said)


async def plain(request: Request, server: Server) -> Response:
    """The plain form of older servers."""
    said = protocol.parse(await replies.body(request))
    talk, history = routes_chat.plain_talk(said)
    name = server.registry.listed_name(said.get("model") or server.registry.names()[0])
    body = {"model": name, "messages": [
        {"role": one.role, "content": one.content} for one in talk.messages], "top_p": said.get("top_p", 0.7),
        "temperature": said.get("temperature", 0.95)}
    protocol.common(body, CHAT_KEYS)

    async def work() -> Response:
        reply = await _whole(server, "/v1/chat/completions", body)
        if reply.status_code != 200:
            return reply
        answer = orjson.loads(bytes(reply.body))["choices"][0]["message"]["content"]
        return replies.Json({"response": answer, "history": [*history, [talk.messages[-1].content, answer]],
                             "status": 200, "time": datetime.now().strftime("%Y-%m-%d %H:%M:%S")})

    return replies.Later(work())


async def health(request: Request, server: Server) -> Response:
    """200 when vLLM answers, 503 before."""
    assert server.vllm is not None
    if server.vllm.ready.done():
        return replies.Json({"status": "ok", "loading": [], "loaded": server.registry.names()})
    return replies.Json({"status": "loading", "loading": server.registry.names(), "loaded": []}, 503,
                        {"Retry-After": "10"})


async def counted(request: Request, server: Server) -> Response:
    """Our figures, then vLLM's."""
    assert server.vllm is not None
    return Response(server.metrics.text({}) + await server.vllm.metrics(), media_type=metrics.TYPE)


def _handed(server: Server, path: str, said: dict[str, Any]) -> Response:
    """The request handed on under the name by which vLLM knows the model; an unknown one is refused here."""
    registry = server.registry
    name = registry.listed_name(protocol.model_name(said))
    if name not in registry.listed and name != lanes.BASE:  # another checkpoint of a run: vLLM was not told of it
        raise Refusal("lane_unserved", 404, "model", name=name, known=registry.names())
    said = {**said, "model": name}
    if said.get("stream"):
        return Passed(server, path, said)
    return replies.Later(_whole(server, path, said))


async def _whole(server: Server, path: str, said: dict[str, Any]) -> Response:
    assert server.vllm is not None
    began = time.monotonic()
    try:
        async with server.vllm.send(path, orjson.dumps(said)) as reply:
            data = await reply.aread()
    except httpx.HTTPError:
        return replies.refused(WorkError("engine_ended"), server.lang)
    except StudioError as error:
        return replies.refused(error, server.lang)
    if reply.status_code != 200:
        return replies.Json(vllm.error_of(reply, data), reply.status_code)
    server.metrics.answer.add(time.monotonic() - began)
    return Response(data, media_type="application/json")


class Passed(Response):
    """A streamed reply of vLLM, passed on as it comes."""

    def __init__(self, server: Server, path: str, said: dict[str, Any]) -> None:
        super().__init__()
        self.server, self.path, self.said = server, path, said

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on until it ends or the client goes away, which vLLM hears."""
        await replies.unless_gone(self._pass(scope, receive, send), receive)

    async def _pass(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        assert self.server.vllm is not None
        try:
            async with self.server.vllm.send(self.path, orjson.dumps(self.said)) as reply:
                if reply.status_code != 200:
                    said = vllm.error_of(reply, await reply.aread())
                    await replies.Json(said, reply.status_code)(scope, receive, send)
                    return
                await replies.begin_events(send)
                async for data in vllm.lines(reply):
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        except httpx.HTTPError:
            await replies.refused(WorkError("engine_ended"), self.server.lang)(scope, receive, send)
        except StudioError as error:
            if error.code == "engine_ended":
                await replies.end_events(send, error, self.server.lang)
            else:
                await replies.refused(error, self.server.lang)(scope, receive, send)
