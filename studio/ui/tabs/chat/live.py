"""What grows while it is being said: a small route that gives the blocks of answers which have changed since a version.

The page asks five times a second while somebody answers and is seen, and every few seconds otherwise, so that a second
tab notices what the first one asked. Whatever is not a growing answer is drawn by the tab itself (`redraw`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any
from urllib.parse import quote

from studio.chats import export, prompt_files, prompts, talks
from studio.chats.tree import ANSWERING
from studio.chats.views import AnswerView
from studio.errors import StudioError
from studio.texts import LANGUAGES, say
from studio.ui.tabs.chat import answer as drawn
from studio.workspace import Workspace

PATH, TABLES = "/studio/talk/{chat}", "/studio/prompts/{name}/{form}"
_MOST_KEPT = 64


class Grown:
    """For the answers in sight, since which version each block has been what it is."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], list[tuple[str, int]]] = OrderedDict()
        self._guard = threading.Lock()

    def since(self, lang: str, one: AnswerView, since: int, version: int) -> dict[str, Any]:
        """{from, blocks}: the blocks of an answer's text that changed after `since`, and the first one's place."""
        blocks = drawn.blocks(lang, one.content)
        with self._guard:
            before = self._known.pop((one.id, lang), [])
            now = [
                before[place] if place < len(before) and before[place][0] == block else (str(block), version)
                for place, block in enumerate(blocks)
            ]
            self._known[(one.id, lang)] = now
            while len(self._known) > _MOST_KEPT:
                self._known.popitem(last=False)
        start = next((place for place, (_, version) in enumerate(now) if version > since), len(now))
        return {"from": start, "blocks": [block for block, _ in now[start:]]}


_GROWN = Grown()


def changes(chat: str, workspace: Workspace, lang: str, since: int) -> dict[str, Any]:
    """What changed in a conversation after a version; {redraw: true} when it is more than growing answers.

    Raises InputError conversation_unknown.
    """
    seen = talks.talk(chat, workspace, lang).look(since)
    answers = [one for turn in seen.turns for one in turn.answers
               if one.version > since or (turn.hidden and one.state == ANSWERING)]
    grown = [one for one in answers if one.state == ANSWERING]
    asked = any(turn.version > since and not turn.answers for turn in seen.turns)
    parts = []
    for one in grown:
        part = {"id": one.id, **_GROWN.since(lang, one, since, seen.version)}
        foot = drawn.foot(lambda key, **values: say(lang, f"page.chat.{key}", **values), one) if one.lane else ""
        parts.append({**part, "foot": foot})
    return {"version": seen.version, "busy": seen.is_live, "answers": parts,
            "redraw": seen.version > since and (not seen.turns or asked or len(grown) < len(answers))}


def route(app: Any, workspace: Workspace) -> None:
    """Let `app` tell what grows, and give conversations and tables as files; it stands behind the guard as all does."""
    from fastapi.responses import JSONResponse, Response

    def spoken(lang: str) -> str:
        return lang if lang in LANGUAGES else "en"  # an address may say anything

    def look(chat: str, since: int = 0, lang: str = "en") -> Any:
        try:
            return JSONResponse(changes(chat, workspace, spoken(lang), since))
        except StudioError:
            return Response(status_code=404)

    def conversation(chat: str, form: str, lang: str = "en") -> Any:
        try:
            with talks.talk(chat, workspace, spoken(lang)).conversation.held() as tree:
                return file(export.file_name(tree, form), export.exported(tree, form, spoken(lang)))
        except (StudioError, KeyError):
            return Response(status_code=404)

    def table(name: str, form: str, lang: str = "en") -> Any:
        try:
            found = prompts.open_set(workspace, name)
            return file(f"{found.id}.{form}", prompt_files.exported(found, form, spoken(lang)))
        except (StudioError, KeyError):
            return Response(status_code=404)

    def file(name: str, text: str) -> Any:
        headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}", "cache-control": "no-store",
                   "x-content-type-options": "nosniff"}
        return Response(text, media_type="application/octet-stream", headers=headers)

    for path, answer in ((PATH, look), (f"{PATH}/{{form}}", conversation), (TABLES, table)):
        app.add_api_route(path, answer, methods=["GET"], include_in_schema=False)
