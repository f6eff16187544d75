"""A conversation on disk: nothing is lost by a second tab, a second studio, a torn line or a removal meanwhile."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from pathlib import Path

import pytest

from studio.chats.conversation import Conversation, slots_of
from studio.chats.shelf import Shelf
from studio.chats.views import places
from studio.errors import InputError, WorkError

LANES = {"A": "base", "B": "tuned"}


def answered(conversation: Conversation, text: str, words: dict[str, str], blind: bool = False,
             parent: str | None = None) -> str:
    """A message with finished answers."""
    message = conversation.ask(text, LANES, parent=parent, blind=blind)
    for slot, said in words.items():
        answer = conversation.begin(message.id, slot, LANES[slot])
        conversation.grow(answer.id, said, tokens=[[said, 7, -0.1, []]])
        conversation.end(answer.id, proof={"tokens": len(said), "adapter_hash": f"hash-{slot}"})
    return message.id


def test_the_journal_is_only_added_to_and_says_the_same_again(shelf: Shelf) -> None:
    conversation = shelf.create("title")
    answered(conversation, "你好", {"A": "一", "B": "二"})
    before = conversation.path.read_bytes()
    conversation.rename("another")
    conversation.correct(conversation.look().turns[0].answers[0].id, "三")
    after = conversation.path.read_bytes()
    assert after.startswith(before) and "你好".encode() in after
    again = shelf.open(conversation.id)
    assert again.title == "another" and again.look().turns[0].answers[0].correction == "三"


def test_a_torn_last_line_hurts_nobody(shelf: Shelf) -> None:
    conversation = shelf.create()
    answered(conversation, "one", {"A": "1"})
    whole = conversation.path.read_bytes()
    with open(conversation.path, "ab") as file:
        file.write(b'{"do":"ask","id":"half","content":"torn in mid-')
    second = shelf.open(conversation.id)
    assert [turn.content for turn in second.look().turns] == ["one"]
    second.rename("after")
    assert shelf.open(conversation.id).title == "after"
    lines = conversation.path.read_bytes().removeprefix(whole).splitlines()
    assert len(lines) == 2 and json.loads(lines[1])["do"] == "title"


@pytest.mark.parametrize("junk", [b"\x00\x00\x00", b"[1, 2]", b'{"do": "ask"}', b'{"do": "answer", "message": "no"}',
                                  b'{"do": "later", "x": 1}', b'{"do": 5}', b"\xff\xfe", b'{"do":"end","answer":7}'])
def test_a_damaged_line_is_passed_over(shelf: Shelf, junk: bytes) -> None:
    conversation = shelf.create()
    answered(conversation, "one", {"A": "1"})
    with open(conversation.path, "ab") as file:
        file.write(junk + b"\n")
    other = shelf.open(conversation.id)
    answered(other, "two", {"A": "2"}, parent=other.tree.head)
    assert [turn.content for turn in shelf.open(conversation.id).look().turns] == ["one", "two"]


def _write_many(path: str, name: str, count: int) -> None:
    conversation = Conversation(Path(path))
    message = conversation.ask(name, LANES)
    answer = conversation.begin(message.id, "A", "base")
    for number in range(count):
        conversation.ask(f"{name} {number} " + "x" * 300, LANES)
        conversation.grow(answer.id, f"{number} ", tokens=[[f"{number} ", number, -0.1, []]])
        conversation.flush()
    fresh = Conversation(conversation.path)
    conversation.refresh()
    assert conversation.tree.answers[answer.id].content == fresh.tree.answers[answer.id].content
    assert [*conversation.tree.messages][:count] == [*fresh.tree.messages][:count], "one order for all"


def test_two_studios_and_two_tabs_write_at_once(shelf: Shelf) -> None:
    conversation = shelf.create()
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_many, args=(str(conversation.path), f"studio{n}", 60)) for n in range(3)]
    tabs = [threading.Thread(target=_write_many, args=(str(conversation.path), f"tab{n}", 60)) for n in range(2)]
    for one in (*writers, *tabs):
        one.start()
    for number in range(30):
        conversation.ask(f"here {number}", LANES)
    for one in (*writers, *tabs):
        one.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    conversation.refresh()
    found = shelf.open(conversation.id).tree.messages
    assert len(found) == 5 * 61 + 30 and list(found) == list(conversation.tree.messages)
    whole = "".join(f"{number} " for number in range(60))
    assert [answer.content for answer in shelf.open(conversation.id).tree.answers.values()] == [whole] * 5
    assert all(json.loads(line) for line in conversation.path.read_bytes().splitlines())


def test_a_conversation_removed_meanwhile_is_not_made_again(shelf: Shelf) -> None:
    conversation = shelf.create()
    shelf.remove(conversation.id)
    for use in (lambda: conversation.rename("x"), lambda: conversation.ask("x", LANES), conversation.look):
        with pytest.raises(InputError) as refused:
            use()
        assert refused.value.code == "conversation_gone"
    assert not conversation.path.exists()


def test_one_removed_while_a_writer_waits_for_it_stays_removed(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation = shelf.create()
    monkeypatch.setattr("studio.chats.journal.fcntl.flock", lambda *_: conversation.path.unlink())
    with pytest.raises(InputError) as refused:
        conversation.rename("x")
    assert refused.value.code == "conversation_gone"


def test_a_full_disk_is_said_and_nothing_half_stays(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation = shelf.create()
    before = conversation.path.read_bytes()
    write = os.write

    def full(file: int, text: bytes) -> int:
        if len(text) > 10:
            return write(file, text[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("studio.chats.journal.os.write", full)
    with pytest.raises(WorkError) as refused:
        conversation.rename("a title")
    assert refused.value.code == "disk_full" and conversation.path.read_bytes() == before


def test_blind_answers_cannot_be_told_apart_before_the_vote(shelf: Shelf) -> None:
    conversation = shelf.create(lanes=["base", "tuned"])
    orders = set()
    for number in range(12):
        other = shelf.create()
        id = answered(other, f"q{number}", {"A": "from base", "B": "from tuned"}, blind=True)
        turn = other.look().turns[0]
        assert turn.hidden and [answer.place for answer in turn.answers] == ["A", "B"]
        for answer in turn.answers:
            assert (answer.lane, answer.proof, answer.tokens, answer.seconds, answer.speed) == ("", {}, 0, None, None)
            assert not answer.has_lens and other.tokens(answer.id) == [] and answer.variants == ()
        shown = repr(turn)
        assert "hash-" not in shown and "'base'" not in shown and "tuned'" not in shown.replace("from tuned'", "")
        orders.add(turn.answers[0].content)
        assert dict(places(other.message(id))) == dict(places(shelf.open(other.id).message(id))), "the order is kept"
    assert orders == {"from base", "from tuned"}
    first = answered(conversation, "one", {"A": "1a", "B": "1b"}, blind=True)
    second = answered(conversation, "two", {"A": "2a", "B": "2b"}, blind=True, parent=first)
    assert places(conversation.message(first)) == places(conversation.message(second)), "a round keeps its places"
    conversation.vote(second, "A")
    turns = conversation.look().turns
    assert all(answer.lane for turn in turns for answer in turn.answers) and turns[1].vote["choice"] == "A"
    third = answered(conversation, "three", {"A": "3a", "B": "3b"}, blind=True, parent=second)
    assert conversation.message(third).blind != conversation.message(second).blind


def test_blind_answers_come_at_the_pace_of_the_slowest(shelf: Shelf) -> None:
    conversation = shelf.create()
    message = conversation.ask("q", LANES, blind=True)
    fast, slow = (conversation.begin(message.id, slot, LANES[slot]) for slot in "AB")
    for word in ("one ", "two ", "three "):
        conversation.grow(fast.id, word)
    conversation.end(fast.id)
    conversation.grow(slow.id, "uno ")
    shown = {answer.id: answer for answer in conversation.look().turns[0].answers}
    assert (shown[fast.id].content, shown[slow.id].content) == ("one ", "uno ")
    assert shown[fast.id].state == "answering", "who is done first is not shown"
    conversation.grow(slow.id, "dos ")
    conversation.end(slow.id)
    shown = {answer.id: answer for answer in conversation.look().turns[0].answers}
    assert (shown[fast.id].content, shown[slow.id].content) == ("one two three ", "uno dos ")


def test_a_vote_counts_once_and_only_on_whole_blind_answers(shelf: Shelf) -> None:
    conversation = shelf.create()
    plain = answered(conversation, "q", {"A": "1", "B": "2"})
    going = conversation.ask("q", LANES, blind=True)
    one = conversation.begin(going.id, "A", "base")
    conversation.grow(one.id, "x")
    other = answered(conversation, "q", {"A": "1", "B": "2"}, blind=True)
    for message, choice, code in ((plain, "A", "vote_not_blind"), (going.id, "tie", "vote_early"),
                                  (other, "C", "vote_unknown")):
        with pytest.raises(InputError) as refused:
            conversation.vote(message, choice)
        assert refused.value.code == code
    conversation.vote(other, "tie")
    with pytest.raises(InputError) as refused:
        shelf.open(conversation.id).vote(other, "A")
    assert refused.value.code == "vote_again"
    with open(conversation.path, "a", encoding="utf-8") as file:  # another studio voted in the same instant
        file.write(json.dumps({"do": "vote", "message": other, "choice": "A", "answers": {}, "at": 1}) + "\n")
    assert shelf.open(conversation.id).message(other).vote["choice"] == "tie", "the first counts"
    conversation.end(one.id)


def test_lanes_stand_in_columns() -> None:
    assert slots_of(["a", "", "c"]) == {"A": "a", "C": "c"}
    with pytest.raises(InputError):
        slots_of(["", ""])
