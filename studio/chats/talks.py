"""The talks of this process, one a conversation, for every tab that asks."""

from __future__ import annotations

import threading
from typing import Any

from studio.chats.shelf import Shelf
from studio.chats.talk import Talk
from studio.workspace import Workspace

_guard = threading.Lock()
_talks: dict[tuple[str, str], Talk] = {}
_engines: dict[str, Any] = {}
_MOST_IDLE = 16


def talk(id: str, workspace: Workspace, lang: str = "en") -> Talk:
    """The talk of a conversation, the same for all; raises InputError conversation_unknown."""
    key = (str(workspace.root), id)
    path = Shelf(workspace).path(id)
    with _guard:
        found = _talks.get(key)
        if found is not None and path.is_file():
            return found
        _talks.pop(key, None)
        made = Talk(Shelf(workspace).open(id), _engine(workspace, lang))
        for old in [one for one, other in _talks.items() if not other.answering()][:-_MOST_IDLE]:
            del _talks[old]
        _talks[key] = made
        return made


def engine(workspace: Workspace, lang: str = "en") -> Any:
    """The engine that answers for this workspace in this process; it starts when it is first asked."""
    with _guard:
        return _engine(workspace, lang)


def stop_all() -> None:
    """Stop every talk and end the engines of this process: the page is closing."""
    with _guard:
        talks, engines = list(_talks.values()), list(_engines.values())
        _talks.clear()
        _engines.clear()
    for one in talks:
        one.stop()
    for one in talks:
        one.wait(2.0)
    for one in engines:
        one.stop()


def _engine(workspace: Workspace, lang: str) -> Any:
    from studio.chats.engine import Engine

    key = str(workspace.root)
    if key not in _engines:
        _engines[key] = Engine(workspace, lang)
    return _engines[key]
