"""/docs: the routes as a page that loads nothing from anywhere, written from /openapi.json's own content."""

from __future__ import annotations

import html
import json
import shlex
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse

from studio.specs.chat import SAMPLING
from studio.texts import say

_STYLE = ("body{font:16px/1.6 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;"
          "background:#fff}code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{background:#f4f4f6;"
          "padding:.8rem;white-space:pre-wrap;overflow-wrap:anywhere;border-radius:6px}"
          "h2{margin-top:2rem}table{border-collapse:collapse}"
          "td,th{border-bottom:1px solid #ddd;padding:.3rem .8rem .3rem 0;text-align:left;vertical-align:top}"
          "@media(prefers-color-scheme:dark){body{background:#16181c;color:#ddd}pre{background:#23262c}"
          "td,th{border-color:#333}a{color:#8ab4ff}}")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
_TYPES = {"bool": "boolean", "int": "integer", "float": "number", "text": "string", "list": "array", "dict": "object"}
_EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "/v1/chat/completions": {"model": "base", "messages": [{"role": "user", "content": "1 + 1 ="}]},
    "/v1/completions": {"model": "base", "prompt": "1 + 1 =", "max_tokens": 8},
    "/v1/embeddings": {"model": "base", "input": ["one", "two"]},
    "/": {"prompt": "1 + 1 =", "history": []},
    "/studio/load": {"model": "base"}, "/studio/unload": {"model": "base"},
}
_ANSWERS = ("/v1/chat/completions", "/v1/completions")


def described(lang: str, path: str, locked: bool) -> dict[str, Any]:
    """What a route says of itself in /openapi.json: a sentence, an example, the arguments of an answer."""
    extra: dict[str, Any] = {"security": [{"key": []}]} if locked else {}
    example = _EXAMPLES.get(path)
    if example is not None:
        schema: dict[str, Any] = {"type": "object", "example": dict(example)}
        if path in _ANSWERS:
            schema["properties"] = _properties(lang)
        extra["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    name = path.strip("/").replace("/{name:path}", "_one").replace("/", "_") or "plain"
    return {"summary": say(lang, f"serve.routes.{name}"), "openapi_extra": extra}


def _properties(lang: str) -> dict[str, Any]:
    found = {}
    for a in SAMPLING.values():
        bounds = {"minimum": a.ge, "exclusiveMinimum": a.gt, "maximum": a.le, "exclusiveMaximum": a.lt}
        found[a.aliases[0] if a.aliases else a.name] = {
            "type": _TYPES[a.kind.value], "description": say(lang, f"arguments.{a.name}.tip"),
            **({} if a.default is None else {"default": a.default}),
            **{key: value for key, value in bounds.items() if value is not None}}
    return found


def page(app: FastAPI, lang: str) -> Callable[[Request], Awaitable[HTMLResponse]]:
    """The route of the page."""
    async def answer(request: Request) -> HTMLResponse:
        text = rendered(app.openapi(), lang, str(request.base_url).rstrip("/"))
        return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY})

    return answer


def rendered(schema: Mapping[str, Any], lang: str, url: str) -> str:
    """The page's HTML."""
    parts = [(f"<!doctype html><html lang=\"{lang}\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
             f"content=\"width=device-width\"><title>{html.escape(say(lang, 'serve.title'))}</title>"
             f"<style>{_STYLE}</style><h1>{html.escape(say(lang, 'serve.title'))}</h1>"
             f"<p>{html.escape(say(lang, 'serve.intro'))} <a href=\"openapi.json\">openapi.json</a></p>")]
    for path, methods in schema["paths"].items():
        for method, about in methods.items():
            parts.append(_route(lang, url, path, method.upper(), about))
    return "".join(parts) + "</html>"


def _route(lang: str, url: str, path: str, method: str, about: Mapping[str, Any]) -> str:
    found = [f"<h2><code>{method} {html.escape(path)}</code></h2><p>{html.escape(about.get('summary', ''))}</p>"]
    body = about.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if body:
        example = json.dumps(body.get("example", {}), ensure_ascii=False)
        command = shlex.join(["curl", f"{url}{path}", "-H", "Content-Type: application/json", "-d", example])
        found.append(f"<pre>{html.escape(command)}</pre>")
    if body.get("properties"):
        rows = "".join(f"<tr><td><code>{html.escape(name)}</code><td>{html.escape(one['description'])}"
                       for name, one in body["properties"].items())
        found.append(f"<table>{rows}</table>")
    return "".join(found)
