"""Whatever value stands in a journal, it is read, shown, exported and counted without an error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio.chats import asking, views
from studio.chats.export import FORMS, exported
from studio.chats.tree import Tree
from studio.chats.votes import _of_vote

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
JOURNAL: list[dict[str, Any]] = [
    {"do": "begin", "id": "x", "title": "t", "at": 1.0},
    {"do": "settings", "values": {"lanes": ["base", "tuned"]}, "at": 1.0},
    {"do": "ask", "id": "m1", "parent": None, "role": "user", "content": "q", "slots": {"A": "base", "B": "tuned"},
     "system": "S", "tools": [{"name": "f", "parameters": {}}], "alone": False, "call": "", "blind": 5, "at": 2.0},
    {"do": "answer", "id": "a1", "message": "m1", "slot": "A", "lane": "base", "content": "x", "thinking": "y",
     "tokens": [["x", 1, -0.1, []]], "sampling": {"seed": 1}, "at": 2.0,
     "writer": {"pid": 1, "birth": "b", "host": "h"}},
    {"do": "answer", "id": "a2", "message": "m1", "slot": "B", "lane": "tuned", "at": 2.0},
    {"do": "more", "answer": "a1", "text": " more", "thinking": "z", "tokens": [["more", 2, None, []]]},
    {"do": "end", "answer": "a1", "state": "done", "code": "", "values": {}, "proof": {"tokens": 2, "seconds": 0.5},
     "tool_calls": [CALL], "finish": "stop", "content": "x more", "thinking": "yz", "at": 3.0},
    {"do": "go", "answer": "a2", "writer": None},
    {"do": "end", "answer": "a2", "state": "failed", "code": "engine_gone", "values": {"a": 1}},
    {"do": "pick", "answer": "a1"},
    {"do": "vote", "message": "m1", "choice": "A", "answers": {"A": "a1", "B": "a2"}, "at": 4.0},
    {"do": "correct", "answer": "a1", "text": "better"},
    {"do": "ask", "id": "m2", "parent": "m1", "role": "tool", "content": "r", "slots": {"A": "base"}, "call": "c"},
    {"do": "answer", "id": "a3", "message": "m2", "slot": "A", "lane": "base", "content": "fin"},
    {"do": "head", "id": "m2"},
    {"do": "title", "title": "new"}]
JUNK = [None, 7, -1.5, 1e300, True, "", "words", "m1", "a1", [], [7], ["a", "b"], [[1, 2]], [{}], {}, {"A": 7},
        {"x": []}]


def used(events: list[dict[str, Any]]) -> Tree:
    """The tree of events, after everything that a page does with one."""
    tree = Tree(id="x")
    for event in json.loads(json.dumps(events)):
        tree.fold(event)
    for since in (0, tree.version):
        views.seen(tree, since, lambda answer: False)
        views.seen(tree, since, lambda answer: True)
    for form in FORMS:
        exported(tree, form)
    for message in tree.messages.values():
        for slot in message.slots:
            asking.body(asking.history(tree, message, slot), "m", {}, message.tools, is_own=True)
        if message.vote is not None:
            list(_of_vote(tree, message.vote["choice"], message.vote["answers"]))
    assert all(answer.tokens is not None for answer in tree.answers.values())
    return tree


def test_the_whole_journal_is_sound() -> None:
    tree = used(JOURNAL)
    assert [message.id for message in tree.path()] == ["m1", "m2"] and tree.title == "new"
    assert tree.answers["a1"].token_count == 2 and tree.messages["m1"].vote["choice"] == "A"


@pytest.mark.parametrize("place", range(len(JOURNAL)), ids=lambda place: f"{place}-{JOURNAL[place]['do']}")
def test_any_value_may_be_damaged_or_missing(place: int) -> None:
    event = JOURNAL[place]
    for key in [key for key in event if key != "do"]:
        used([*JOURNAL[:place], {name: value for name, value in event.items() if name != key}, *JOURNAL[place + 1:]])
        for junk in JUNK:
            used([*JOURNAL[:place], {**event, key: junk}, *JOURNAL[place + 1:]])


@pytest.mark.parametrize("key", ["tokens", "seconds", "step", "adapter_hash", "base_hash"])
def test_another_servers_proof_may_hold_anything(key: str) -> None:
    for junk in JUNK:
        used([{**event, "proof": {"tokens": 2, "seconds": 1, key: junk}} if event["do"] == "end" else event
              for event in JOURNAL])
