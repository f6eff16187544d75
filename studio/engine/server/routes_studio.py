"""What is served and how it fares: /v1/models, /health, /metrics, and the studio's own /studio/…"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Mapping
from typing import Any

import psutil
from starlette.requests import Request
from starlette.responses import Response

from studio.chats import lanes
from studio.chats.lanes import Lane
from studio.engine.server import metrics, protocol, replies
from studio.engine.server.registry import Base
from studio.engine.server.server import Server
from studio.errors import StudioError

STARTED = int(time.time())


async def models(request: Request, server: Server) -> Response:
    """Every name that is answered to; 503 until what is listed can answer."""
    server.registry.refuse_beginning()
    names = await _names(server)
    return replies.Json({"object": "list", "data": [_model(server, name) for name in names]})


async def model(request: Request, server: Server) -> Response:
    """One name; 404 with the nearest ones when there is no such name."""
    name = request.path_params["name"]
    server.registry.lane(name)
    return replies.Json(_model(server, name))


async def _names(server: Server) -> list[str]:
    registry = server.registry
    if not server.settings.is_open:
        return registry.names()
    offered = await asyncio.to_thread(lanes.offered, registry.workspace)
    loaded = [one.lane.name for base in registry.bases.values() for one in base.adapters.values()]
    return list(dict.fromkeys([*registry.names(), *(one.name for one in offered), *loaded]))


def _model(server: Server, name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": STARTED, "owned_by": "studio"}


async def health(request: Request, server: Server) -> Response:
    """200 when what is listed can answer, 503 while it is being loaded."""
    bases = server.registry.bases.values()
    loading = [base.lane.name for base in bases if not base.worker.ready.done()]
    waiting = server.registry.beginning
    found = {"status": "loading" if waiting else "ok", "loading": loading,
             "loaded": [base.lane.name for base in bases if base.worker.facts and base.worker.alive]}
    return replies.Json(found, 503 if waiting else 200, {"Retry-After": "2"} if waiting else None)


async def counted(request: Request, server: Server) -> Response:
    """Prometheus's text form."""
    figures = dict(await asyncio.gather(
        *(_figures(base) for base in server.registry.bases.values())))
    figures["front"] = {"rss": psutil.Process().memory_info().rss}
    return Response(server.metrics.text(figures), media_type=metrics.TYPE)


async def _figures(base: Base) -> tuple[str, Mapping[str, Any]]:
    said = await base.worker.look() if base.worker.facts else {}
    return base.lane.name, {**said, "adapters": len(base.adapters) - 1}


async def offered(request: Request, server: Server) -> Response:
    """Everything that can be talked to, and what of it is in memory."""
    found = await asyncio.to_thread(lanes.offered, server.registry.workspace) if server.settings.is_open \
        else list(server.registry.listed.values())
    return replies.Json({"lanes": [{**described(one), "state": _state(server, one)} for one in found],
                         "bases": [_base(base) for base in server.registry.bases.values()]})


def described(lane: Lane) -> dict[str, Any]:
    """A lane as JSON."""
    return {name: str(value) if name in ("base", "adapter") and value is not None else value
            for name, value in dataclasses.asdict(lane).items()}


def _state(server: Server, lane: Lane) -> str:
    if server.vllm is not None:
        return "loaded" if server.vllm.ready.done() else "loading"
    base = server.registry.bases.get(lane.base)
    if base is None or not base.worker.alive:
        return "unloaded"
    if not base.worker.facts:
        return "loading"
    is_there = lane.adapter is None or lane.kind == "whole" or any(
        one.lane.adapter == lane.adapter and not one.is_old for one in base.adapters.values())
    return "loaded" if is_there else "unloaded"


def _base(base: Base) -> dict[str, Any]:
    return {"name": base.lane.name, "folder": str(base.folder), "facts": base.worker.facts, "pid": base.worker.pid,
            "rows": base.rows, "adapters": [{"name": one.lane.name, **one.facts, "answers": one.answers}
                                            for one in base.adapters.values() if one.key]}


async def load(request: Request, server: Server) -> Response:
    """Load `{"model": name, "force": bool}` and say what that made."""
    said = protocol.parse(await replies.body(request))
    name, force = protocol.model_name(said), protocol.wanted(said, "force", bool, False)

    async def work() -> Response:
        try:
            served = await server.registry.load(name, force)
        except StudioError as error:
            return replies.refused(error, server.lang)
        return replies.Json({"model": name, "lane": described(served.lane), "base": served.worker.facts,
                             "adapter": served.adapter.facts, "template": served.spoken.template,
                             "tools": served.spoken.chat.takes_tools, "system": served.spoken.chat.takes_system})

    return replies.Later(work())


async def unload(request: Request, server: Server) -> Response:
    """Take `{"model": name}` out of memory."""
    name = protocol.model_name(protocol.parse(await replies.body(request)))
    await server.registry.unload(name)
    return replies.Json({"model": name, "state": "unloaded"})


async def estimate(request: Request, server: Server) -> Response:
    """What `?model=` takes in memory, before it is loaded."""
    name = request.query_params.get("model", "")
    lane = server.registry.lane(protocol.model_name({"model": name}))
    cost = await asyncio.to_thread(lanes.estimate, lane, server.settings.quantization_bit,
                                   server.settings.compute_type)
    return replies.Json({"model": name, **dataclasses.asdict(cost), "fits": cost.fits, "state": _state(server, lane)})
