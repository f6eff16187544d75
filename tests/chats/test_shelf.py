"""The list of conversations: fast with ten thousand, searched in both languages, and confined to its folder."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from studio.chats.shelf import Shelf
from studio.errors import InputError
from studio.workspace import Workspace
from tests.chats.test_conversation import answered


def heard(shelf: Shelf, words: str) -> list[str]:
    return [head.title for head in shelf.search(words)]


def test_conversations_are_listed_with_what_they_are_about(shelf: Shelf) -> None:
    first = shelf.create()
    answered(first, "What is  12 + 30?\nReally", {"A": "42", "B": "41"})
    second = shelf.create("Poems")
    heads = shelf.heads()
    assert [head.id for head in heads] == [second.id, first.id]
    assert heads[1].first == "What is 12 + 30? Really" and heads[1].lanes == ("base", "tuned")
    assert heads[1].messages == 1 and heads[0].title == "Poems" and shelf.count() == 2
    assert shelf.heads(1, 1)[0].id == first.id


def test_a_blind_conversation_does_not_name_its_lanes_in_the_list(shelf: Shelf) -> None:
    one = shelf.create()
    id = answered(one, "q", {"A": "1", "B": "2"}, blind=True)
    assert shelf.heads()[0].lanes == ()
    one.vote(id, "A")
    assert shelf.heads()[0].lanes == ("base", "tuned") and shelf.heads()[0].votes == 1


def test_search_finds_chinese_english_wide_letters_and_corrections(shelf: Shelf) -> None:
    for title, asked, said in (("one", "写一首关于春天的诗", "春眠不觉晓"),
                               ("two", "Tell me about Paris", "The CITY of Light"),
                               ("three", "ＡＢＣ wide", "100% \"quoted\" back\\slash")):
        answered(shelf.create(title), asked, {"A": said})
    assert heard(shelf, "春天") == ["one"] and heard(shelf, "觉晓") == ["one"]
    assert heard(shelf, "city light") == ["two"] and heard(shelf, '"city of light"') == ["two"]
    assert heard(shelf, '"light city"') == [] and heard(shelf, "abc") == ["three"]
    assert heard(shelf, "100%") == ["three"] and heard(shelf, "back\\slash") == ["three"]
    assert heard(shelf, "content") == [], "the journal's own words are not found"
    assert len(shelf.search("  ")) == 3 and "觉晓" in shelf.search("觉晓")[0].found
    two = next(head for head in shelf.heads() if head.title == "two")
    conversation = shelf.open(two.id)
    conversation.correct(conversation.look().turns[0].answers[0].id, "埃菲尔铁塔")
    assert heard(shelf, "铁塔") == ["two"]


def test_rename_duplicate_remove_and_undo(shelf: Shelf) -> None:
    one = shelf.create("first")
    answered(one, "q", {"A": "1"})
    shelf.rename(one.id, "renamed")
    copy = shelf.duplicate(one.id)
    assert copy.id != one.id and copy.title == "renamed"
    assert copy.look().turns[0].answers[0].content == "1"
    answered(copy, "more", {"A": "2"}, parent=copy.tree.head)
    assert len(shelf.open(one.id).look().path) == 1
    shelf.remove(one.id)
    assert [head.id for head in shelf.heads()] == [copy.id] and shelf.bin() == [one.id]
    with pytest.raises(InputError):
        shelf.open(one.id)
    shelf.restore(one.id)
    assert shelf.count() == 2 and shelf.bin() == []
    for use in (shelf.remove, shelf.restore):
        with pytest.raises(InputError):
            use("20260101-000000-abcdef")


@pytest.mark.parametrize("id", ["../../etc/passwd", "/etc/passwd", "", ".", "x", "20260101-000000-abcdef/../x",
                                "20260101-000000-abcdef\n", ".heads", "20260101-000000-ABCDEF"])
def test_nothing_but_an_id_leads_to_a_file(shelf: Shelf, id: str) -> None:
    for use in (shelf.open, shelf.remove, shelf.restore, shelf.duplicate, lambda id: shelf.rename(id, "x")):
        with pytest.raises(InputError) as refused:
            use(id)
        assert refused.value.code == "conversation_unknown"


def test_a_damaged_index_is_made_anew(shelf: Shelf) -> None:
    shelf.create("one")
    assert shelf.count() == 1
    (shelf.folder / ".heads.sqlite").write_bytes(b"no database at all" * 100)
    assert Shelf(Workspace(shelf.folder.parent.parent)).heads()[0].title == "one"


def test_an_empty_studio_has_an_empty_shelf_and_makes_no_folder(shelf: Shelf) -> None:
    assert shelf.heads() == [] and shelf.search("x") == [] and shelf.bin() == [] and not shelf.folder.exists()


def test_ten_thousand_conversations_are_listed_and_searched_fast(shelf: Shelf) -> None:
    shelf.folder.mkdir(parents=True)
    for number in range(10_000):
        id = f"20260101-{number:06}-abcdef"
        events = [{"do": "begin", "id": id, "title": f"t{number}", "at": number},
                  {"do": "ask", "id": "m1", "parent": None, "content": f"question {number} 关于春天", "at": number,
                   "slots": {"A": "base"}}]
        Path(shelf.folder / f"{id}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events))
    began = time.process_time()
    assert shelf.count() == 10_000
    first = time.process_time() - began
    began = time.process_time()
    assert shelf.heads(50)[0].title == "t9999"
    again = time.process_time() - began
    began = time.process_time()
    assert [head.title for head in shelf.search("question 1234 春天")] == ["t1234"]
    search = time.process_time() - began
    assert first < 12 and again < 0.4 and search < 0.6, (first, again, search)
