"""The application: routes, their errors in OpenAI's form, a page at /docs that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from studio import __version__
from studio.engine.server import docs_page, replies, routes_chat, routes_studio, routes_texts, routes_vllm
from studio.engine.server.errors import Refusal
from studio.engine.server.gate import Gate
from studio.engine.server.keys import Keys
from studio.engine.server.server import Server
from studio.errors import StudioError, WorkError

Route = Callable[[Request, Server], Awaitable[Response]]
ROUTES: tuple[tuple[str, str, Route], ...] = (
    ("GET", "/v1/models", routes_studio.models),
    ("GET", "/v1/models/{name:path}", routes_studio.model),
    ("POST", "/v1/chat/completions", routes_chat.chat),
    ("POST", "/v1/completions", routes_texts.completions),
    ("POST", "/v1/embeddings", routes_texts.embeddings),
    ("POST", "/", routes_chat.plain),
    ("GET", "/health", routes_studio.health),
    ("GET", "/metrics", routes_studio.counted),
    ("GET", "/studio/lanes", routes_studio.offered),
    ("POST", "/studio/load", routes_studio.load),
    ("POST", "/studio/unload", routes_studio.unload),
    ("GET", "/studio/estimate", routes_studio.estimate),
)
# What is answered otherwise when vLLM answers; it has no use for what stands in LEFT_OUT.
VLLM: Mapping[str, Route] = {
    "/v1/chat/completions": routes_vllm.chat, "/v1/completions": routes_vllm.completions,
    "/v1/embeddings": routes_vllm.embeddings, "/": routes_vllm.plain, "/health": routes_vllm.health,
    "/metrics": routes_vllm.counted}
LEFT_OUT = frozenset({"/studio/load", "/studio/unload"})


def application(server: Server, keys: Keys) -> Gate:
    """The whole server as ASGI."""
    app = FastAPI(title="fine-tuning-studio", version=__version__, docs_url=None, redoc_url=None,
                  openapi_url="/openapi.json")
    for method, path, route in ROUTES:
        if server.vllm is not None:
            if path in LEFT_OUT:
                continue
            route = VLLM.get(path, route)
        app.add_api_route(path, _bound(route, server), methods=[method], response_class=replies.Json,
                          name=route.__name__, **docs_page.described(server.lang, path, bool(keys)))
    app.add_api_route("/docs", docs_page.page(app, server.lang), include_in_schema=False)
    app.add_exception_handler(StudioError, _studio_error(server.lang))
    app.add_exception_handler(HTTPException, _http_error(server.lang))
    app.add_exception_handler(Exception, _unforeseen(server.lang))
    asked = server.settings
    return Gate(app, asked.host, keys, asked.cors, server.metrics, server.lang)


def _bound(route: Route, server: Server) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await route(request, server)

    return answer


def _studio_error(lang: str) -> Any:
    async def answer(request: Request, error: StudioError) -> Response:
        return replies.refused(error, lang)

    return answer


def _http_error(lang: str) -> Any:
    async def answer(request: Request, error: HTTPException) -> Response:
        code = "method_unknown" if error.status_code == 405 else "route_unknown"
        return replies.refused(Refusal(code, error.status_code, method=request.method, path=request.url.path), lang)

    return answer


def _unforeseen(lang: str) -> Any:
    async def answer(request: Request, error: Exception) -> Response:
        return replies.refused(WorkError("unexpected", kind=type(error).__name__, reason=str(error)[:300]), lang)

    return answer
