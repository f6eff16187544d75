"""A conversation written to a file: Markdown to read, JSON to send on, ShareGPT to train on."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from studio.cli.terminal.dialogue import Dialogue
from studio.errors import InputError, WorkError

KINDS = (".md", ".json", ".jsonl")


def save(dialogue: Dialogue, name: str, lane: str = "") -> tuple[Path, int]:
    """(the file, how many turns are in it); the name's end chooses the form, and nothing is overwritten.

    Raises InputError chat_save_kind, chat_save_exists, chat_save_empty and WorkError file_unwritable.
    """
    if not dialogue.turns:
        raise InputError("chat_save_empty")
    path = Path(name or time.strftime("chat-%Y%m%d-%H%M%S.md")).expanduser()
    if path.suffix.lower() not in KINDS:
        raise InputError("chat_save_kind", value=str(path), kinds=", ".join(KINDS))
    text = {".md": _markdown, ".json": _json, ".jsonl": _sharegpt}[path.suffix.lower()](dialogue)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError("chat_save_exists", path=str(path)) from None
    except OSError as error:
        raise WorkError("chat_save_failed", path=str(path), reason=error.strerror or str(error)) from None
    return path.resolve(), len(dialogue.turns)


def _markdown(dialogue: Dialogue) -> str:
    parts = [f"> {line}" for line in dialogue.system.splitlines()]
    for turn in dialogue.turns:
        parts += ["", f"**{turn.question}**"]
        for lane, answer in turn.answers.items():
            parts += ["", f"*{lane}*", "", answer.text]
    return "\n".join(parts).strip() + "\n"


def _json(dialogue: Dialogue) -> str:
    """OpenAI's messages of each lane that answered the last question."""
    return json.dumps({lane: whole(dialogue, lane) for lane in _lanes(dialogue)}, ensure_ascii=False, indent=1) + "\n"


def _sharegpt(dialogue: Dialogue) -> str:
    """One row a lane, as the studio reads datasets of conversations."""
    rows = []
    for lane in _lanes(dialogue):
        said = whole(dialogue, lane)
        names = {"user": "human", "assistant": "gpt"}
        row: dict[str, Any] = {"conversations": [{"from": names[one["role"]], "value": one["content"]}
                                                 for one in said if one["role"] in names]}
        rows.append({**row, "system": dialogue.system} if dialogue.system else row)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _lanes(dialogue: Dialogue) -> list[str]:
    return list(dialogue.turns[-1].answers)


def whole(dialogue: Dialogue, lane: str) -> list[dict[str, str]]:
    """Every message with the lane's last answer."""
    return [*dialogue.messages(lane), {"role": "assistant", "content": dialogue.turns[-1].answers[lane].text}]
