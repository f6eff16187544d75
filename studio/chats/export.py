"""A conversation as a file: Markdown to read, JSON and ShareGPT that the studio and others read as datasets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

from studio.chats import samples
from studio.chats.tree import Answer, Message, Tree
from studio.chats.views import places
from studio.errors import InputError
from studio.sample import Sample
from studio.texts import say

FORMS = ("markdown", "json", "sharegpt")
_ENDINGS = {"markdown": "md", "json": "json", "sharegpt": "json"}
_STRANGE = re.compile(r"[^\w.-]+")
_LONGEST_NAME = 60


def exported(tree: Tree, form: str, lang: str = "en") -> str:
    """The branch in sight in one of FORMS; names that are hidden stay hidden. Raises InputError export_form."""
    if form not in _WRITERS:
        raise InputError("export_form", value=form, known=FORMS)
    return _WRITERS[form](tree, lang)


def file_name(tree: Tree, form: str) -> str:
    """A name for the file: the title, or the id, in signs that every system takes; never a path."""
    stem = _STRANGE.sub("-", tree.title)[:_LONGEST_NAME].strip("-.") or tree.id
    return f"{stem}.{_ENDINGS[form]}" if form != "sharegpt" else f"{stem}.sharegpt.json"


def _json(tree: Tree, lang: str) -> str:
    """A list of conversations in OpenAI's words, one a lane."""
    found = []
    for name, sample in _sides(tree):
        row = samples.row(sample, samples.OPENAI)
        found += [{**row, "lane": name, "title": tree.title}] if row is not None else []
    return json.dumps(found, ensure_ascii=False, indent=1)


def _sharegpt(tree: Tree, lang: str) -> str:
    """A list of conversations as ShareGPT has them; thinking has no place there and is left out."""
    plain = [replace(sample, messages=tuple(replace(turn, thinking="") for turn in sample.messages))
             for _, sample in _sides(tree)]
    rows = [row for sample in plain if (row := samples.row(sample, "sharegpt")) is not None]
    return json.dumps(rows, ensure_ascii=False, indent=1)


def _sides(tree: Tree) -> list[tuple[str, Sample]]:
    """(lane, its side of the branch) of each column."""
    last: dict[str, Message] = {}
    for message in reversed(tree.path()):
        for _, slot in places(message):  # in the order in which they are shown: columns would tell blind lanes apart
            last.setdefault(slot, message)
    sides = ((_name(tree, message, slot), samples.side(tree, slot)) for slot, message in last.items())
    return [(name, sample) for name, sample in sides if sample is not None]


def _markdown(tree: Tree, lang: str) -> str:
    path = tree.path()
    parts = [f"# {tree.title}"] if tree.title else []
    system = next((message.system for message in path if message.system.strip()), "")
    if system:
        parts.append(f"## {say(lang, 'chats.export.system')}\n\n{system}")
    for message in path:
        word = "tool" if message.role == "tool" else "you"
        parts.append(f"## {say(lang, f'chats.export.{word}')}\n\n{message.content}")
        for _, slot in places(message):
            answer = tree.picked(message, slot)
            if answer is not None:
                parts.append(_answer(tree, message, answer, lang))
    return "\n\n".join(parts) + "\n"


def _answer(tree: Tree, message: Message, answer: Answer, lang: str) -> str:
    parts = [f"### {_name(tree, message, answer.slot)}"]
    if answer.thinking:
        quoted = "\n".join(f"> {line}" for line in answer.thinking.splitlines())
        parts.append(f"> {say(lang, 'chats.export.thinking')}\n>\n{quoted}")
    parts += [answer.words] if answer.words else []
    for call in answer.tool_calls:
        said = call.get("function") or {}
        parts.append(f"```json\n{said.get('name')} {said.get('arguments')}\n```")
    if answer.correction is not None:
        parts.append(f"*{say(lang, 'chats.export.corrected')}*")
    return "\n\n".join(parts)


def _name(tree: Tree, message: Message, slot: str) -> str:
    """The lane's name, or its place while names are hidden."""
    if tree.is_hidden(message):
        return next((place for place, one in places(message) if one == slot), slot)
    return message.slots.get(slot, slot)


_WRITERS: dict[str, Callable[[Tree, str], str]] = {"markdown": _markdown, "json": _json, "sharegpt": _sharegpt}
