"""Conversations as samples: what one lane's side of a talk, a correction or a vote teaches, and how that is saved.

A saved set is a dataset of the catalogue like any other; saving under its name again adds what it has not got yet.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from studio.chats.asking import Turn, history
from studio.chats.tree import Answer, Message, Tree
from studio.data.aside import refused
from studio.data.catalogue import Catalogue, Entry
from studio.data.make.registered import register
from studio.data.places import written
from studio.errors import InputError
from studio.plugins import plugin
from studio.plugins.formats import Unusable
from studio.sample import Message as Said
from studio.sample import Sample
from studio.workspace import Workspace

MADE_BY, KEY = "chats", "made_by"
OPENAI, PREFERENCE = "openai", "preference"


def side(tree: Tree, slot: str, head: str | None = None) -> Sample | None:
    """One lane's side of the branch that ends in `head` (the one in sight), as far as it answered; None when not."""
    path = [message for message in tree.path(head) if slot in message.slots]
    for message in reversed(path):
        answer = tree.picked(message, slot)
        if answer is not None and (answer.words.strip() or answer.tool_calls):
            return of_answer(tree, answer)
    return None


def of_answer(tree: Tree, answer: Answer) -> Sample:
    """The conversation that ends with this answer, in its corrected words where there are some."""
    message = tree.messages[answer.message]
    turns = [_said(turn) for turn in history(tree, message, answer.slot)]
    return Sample((*turns, _answered(answer)), tools=tools_of(message))


def pair(tree: Tree, better: Answer, worse: Answer) -> Sample | None:
    """The preference of one answer over another to the same message; None where both say the same.

    Where the lanes had said different things before, the conversations part there; where one of them had not been there
    all the time, both answers follow on what the better one had heard.
    """
    good, bad = of_answer(tree, better).messages, of_answer(tree, worse).messages
    if len(good) != len(bad) or good[0] != bad[0]:
        bad = (*good[:-1], bad[-1])
    if good == bad:
        return None
    same = next(place for place, (one, other) in enumerate(zip(good, bad, strict=True)) if one != other)
    return Sample(good, rejected=bad[same:], tools=tools_of(tree.messages[better.message]))


def row(sample: Sample, form: str) -> dict[str, Any] | None:
    """The sample as a row of this format; None where the format has no place for it."""
    try:
        return dict(plugin("formats", form).write(sample))
    except Unusable:
        return None


def save(workspace: Workspace, name: str, rows: Sequence[dict[str, Any]], formatting: str) -> tuple[Entry, int]:
    """(the dataset of this name, how many rows were new); what it has already is not written twice.

    Raises InputError rows_none, dataset_name, make_name_taken for a name that is another dataset's, WorkError
    disk_full and disk_refuses.
    """
    name = name.strip()
    if not rows:
        raise InputError("rows_none")
    own = next((one for one in Catalogue(workspace).entries() if one.name == name), None)
    if own is None:
        lines = list(dict.fromkeys(map(_line, rows)))
        about: dict[str, Any] = {KEY: MADE_BY, "formatting": formatting, "ranking": formatting == PREFERENCE or None}
        kept = {key: value for key, value in about.items() if value is not None}
        return register(workspace, name, map(json.loads, lines), kept), len(lines)
    if own.about.get(KEY) != MADE_BY or own.formatting != formatting or own.path is None:
        raise InputError("make_name_taken", name=name)
    return own, _added(own, rows)


def _added(entry: Entry, rows: Iterable[dict[str, Any]]) -> int:
    """Add to a dataset's file what it has not got; a last line that a killed writer left torn is ended first."""
    assert entry.path is not None
    try:
        with open(entry.path, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            there = file.read()
            known = set(there.splitlines(keepends=True))
            new = [line for line in dict.fromkeys(map(_line, rows)) if line not in known]
            torn = b"" if not there or there.endswith(b"\n") else b"\n"
            file.write(torn + b"".join(new) if new else b"")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise refused(entry.path, error) from error
    return len(new)


def _line(row: dict[str, Any]) -> bytes:
    return written(row)


def tools_of(message: Message) -> tuple[dict[str, Any], ...]:
    """The tools of a message, each as JSON schema within OpenAI's wrapping."""
    return tuple(one if "function" in one else {"type": "function", "function": one} for one in message.tools)


def _said(turn: Turn) -> Said:
    return Said(turn["role"], turn["content"], tuple(_called(call) for call in turn.get("tool_calls") or ()),
                turn.get("reasoning_content") or "")


def _answered(answer: Answer) -> Said:
    thinking = answer.thinking if answer.correction is None else ""
    return Said("assistant", answer.words, tuple(_called(call) for call in answer.tool_calls), thinking)


def _called(call: dict[str, Any]) -> dict[str, Any]:
    """A call as samples have it: arguments that are no JSON object are kept in words."""
    said = call.get("function") or {}
    try:
        arguments = json.loads(said.get("arguments") or "{}")
    except ValueError:
        arguments = None
    return {"name": str(said.get("name") or ""),
            "arguments": arguments if isinstance(arguments, dict) else {"text": said.get("arguments")}}
