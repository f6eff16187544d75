"""Exports: Markdown to read, JSON and ShareGPT that the studio reads again as the same conversation."""

from __future__ import annotations

import json

import pytest

from studio.chats.export import exported, file_name
from studio.chats.shelf import Shelf
from studio.data.catalogue import Entry
from studio.data.walk import walk
from studio.errors import InputError
from studio.sample import Sample
from studio.workspace import Workspace
from tests.chats.test_conversation import LANES, answered


@pytest.mark.parametrize("form", ["json", "sharegpt"])
def test_what_is_exported_reads_as_the_same_conversation(shelf: Shelf, workspace: Workspace, form: str) -> None:
    conversation = shelf.create("春天 / talk")
    first = conversation.ask("天气?", LANES, system="Be brief.", tools=[{"name": "weather", "parameters": {}}])
    for slot in "AB":
        answer = conversation.begin(first.id, slot, LANES[slot])
        conversation.grow(answer.id, "", "let me see")
        conversation.end(answer.id, tool_calls=[{"id": "c1", "type": "function", "function": {
            "name": "weather", "arguments": '{"city": "柏林"}'}}])
    result = conversation.ask("sun", {"A": "base"}, parent=first.id, role="tool", system="Be brief.", alone=True,
                              call="c1", tools=first.tools)
    answer = conversation.begin(result.id, "A", "base")
    conversation.grow(answer.id, "晴\n\"fine\" ```x```")
    conversation.end(answer.id)
    path = workspace.data / file_name(conversation.tree, form)
    path.write_text(exported(conversation.tree, form), encoding="utf-8")
    found = [sample for _, _, sample in walk(Entry("exported", path))]
    assert all(isinstance(sample, Sample) for sample in found) and len(found) == 2
    base = found[0]
    assert [turn.role for turn in base.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert base.messages[2].tool_calls == ({"name": "weather", "arguments": {"city": "柏林"}},)
    assert base.messages[4].content == "晴\n\"fine\" ```x```" and base.tools[0]["function"]["name"] == "weather"
    assert base.messages[2].thinking == ("let me see" if form == "json" else "")


def test_markdown_reads_well_in_both_languages(shelf: Shelf) -> None:
    conversation = shelf.create("Sums")
    answered(conversation, "2+2?", {"A": "4", "B": "5"})
    conversation.correct(conversation.look().turns[0].answers[1].id, "four")
    text = exported(conversation.tree, "markdown", "en")
    assert text.startswith("# Sums\n\n## You\n\n2+2?\n\n### base\n\n4\n\n### tuned\n\nfour\n")
    assert "## 用户" in exported(conversation.tree, "markdown", "zh")
    with pytest.raises(InputError):
        exported(conversation.tree, "docx")


def test_hidden_names_stay_hidden_in_an_export(shelf: Shelf) -> None:
    for _ in range(6):
        conversation = shelf.create("blind")
        answered(conversation, "q", {"A": "1", "B": "2"}, blind=True)
        for form in ("markdown", "json", "sharegpt"):
            text = exported(conversation.tree, form)
            assert "base" not in text and "tuned" not in text
        shown = [answer.content for answer in conversation.look().turns[0].answers]
        told = [row["messages"][-1]["content"] for row in json.loads(exported(conversation.tree, "json"))]
        assert told == shown, "their order does not tell them apart either"


@pytest.mark.parametrize(("title", "name"), [("../../etc/passwd", "etc-passwd.md"), ("a/b\\c:d", "a-b-c-d.md"),
                                             ("诗 一首", "诗-一首.md"), ("...", None), ("x" * 300, "x" * 60 + ".md")])
def test_an_exports_name_is_no_path(shelf: Shelf, title: str, name: str | None) -> None:
    conversation = shelf.create(title)
    assert file_name(conversation.tree, "markdown") == (name or f"{conversation.id}.md")
