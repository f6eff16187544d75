"""The page as it is first served: our stylesheet and script in its head, every word in the visitor's language.

Gradio's page carries the configuration of all components as JSON; the words are put in there, so that nobody sees the
page in another language first.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any

from studio.texts import LANGUAGES, say
from studio.ui.localize import Words, preferred
from studio.ui.markup import tag, text
from studio.ui.theme import stylesheet

ASSETS = Path(__file__).parent / "assets"
COOKIE = "studio_lang"
_CONFIG = "window.gradio_config = "
_FOREIGN = re.compile(r'<meta\s+(?:property|name)="(?:og|twitter):[^>]*>|<link rel="manifest"[^>]*>')


class FirstPage:
    """ASGI middleware that serves `/studio/…` assets and rewrites the answer of `/`."""

    def __init__(self, app: Any, words: Words, switch: int, lang: str, insist: bool = False) -> None:
        self.app, self.words, self.switch, self.lang, self.insist = app, words, switch, lang, insist

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass everything through but the page itself and its assets."""
        path = scope.get("path", "")
        if scope["type"] == "http" and path.startswith("/studio/") and path[8:] in assets():
            await _answer(send, *assets()[path[8:]], cache_control=b"max-age=31536000, immutable")
        elif scope["type"] == "http" and path == "/" and scope["method"] == "GET":
            await self._page(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _page(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        kept: list[dict[str, Any]] = []

        async def keep(message: dict[str, Any]) -> None:
            kept.append(message)

        scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() != b"accept-encoding"]}
        await self.app(scope, receive, keep)
        status = next((message["status"] for message in kept if message["type"] == "http.response.start"), 500)
        body = b"".join(message.get("body", b"") for message in kept)
        if status != 200 or _CONFIG.encode() not in body:
            for message in kept:
                await send(message)
            return
        page = self.rewritten(body.decode(), chosen(scope["headers"], self.lang, self.insist)).encode()
        await _answer(send, page, b"text/html; charset=utf-8", cache_control=b"no-store")

    def rewritten(self, page: str, lang: str) -> str:
        """The page in one language, with our head."""
        begin = page.index(_CONFIG) + len(_CONFIG)
        config, end = json.JSONDecoder().raw_decode(page, begin)
        said = self.words.of_config(lang)
        for component in config["components"]:
            component["props"].update(said.get(component["id"], {}))
            if component["id"] == self.switch:
                component["props"]["value"] = lang
        config["title"] = say(lang, "page.title")
        written = json.dumps(config, ensure_ascii=False).replace("</", "<\\/").replace("<!--", "<\\u0021--")
        page = page[:begin] + written + page[end:]
        page = page.replace("<head>", f"<head>{head(lang)}", 1)
        return _FOREIGN.sub("", re.sub(r'<html\s+lang="[^"]*"', f'<html lang="{_html_lang(lang)}"', page, count=1))


def chosen(headers: Any, lang: str, insist: bool) -> str:
    """The remembered language, else the browser's first that we speak (unless `lang` is insisted on), else `lang`."""
    found = {name.lower(): value.decode("latin-1") for name, value in headers}
    try:
        kept = SimpleCookie(found.get(b"cookie", "")).get(COOKIE)
    except CookieError:
        kept = None
    if kept is not None and kept.value in LANGUAGES:
        return kept.value
    return lang if insist else preferred(found.get(b"accept-language", ""), lang)


def head(lang: str) -> str:
    """What stands in the page's head: title, mark, stylesheet, and the script before all others."""
    names = {name.split("-")[0]: name for name in assets()}
    spoken = {name: {key: say(name, f"page.script.{key}") for key in ("gone", "back", "copied")} for name in LANGUAGES}
    island = json.dumps(spoken, ensure_ascii=False).replace("<", "\\u003c")
    return (
        f"{tag('title', say(lang, 'page.title'))}"
        f'<link rel="icon" type="image/svg+xml" href="./studio/{names["mark"]}">'
        f'<link rel="stylesheet" href="./studio/{names["page"]}">'
        f"<script>window.studio_words={island};window.studio_lang={json.dumps(str(text(lang)))}</script>"
        f'<script src="./studio/{names["script"]}"></script>'
    )


@cache
def assets() -> dict[str, tuple[bytes, bytes]]:
    """Body and type of every asset by a name that changes with its content."""
    sheets = ("page.css", "data.css", "chat.css", "evaluate.css", "export.css")
    scripts = ("page.js", "view.js", "chat.js")
    sheet = stylesheet() + "".join((ASSETS / name).read_text(encoding="utf-8") for name in sheets)
    script = "".join((ASSETS / name).read_text(encoding="utf-8") for name in scripts)
    found = (
        ("page", ".css", sheet.encode(), b"text/css; charset=utf-8"),
        ("script", ".js", script.encode(), b"text/javascript; charset=utf-8"),
        ("mark", ".svg", (ASSETS / "mark.svg").read_bytes(), b"image/svg+xml"),
    )
    return {f"{name}-{hashlib.sha256(body).hexdigest()[:10]}{end}": (body, kind) for name, end, body, kind in found}


def _html_lang(lang: str) -> str:
    return {"zh": "zh-CN"}.get(lang, lang)


async def _answer(send: Any, body: bytes, kind: bytes, cache_control: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"cache-control", cache_control)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
