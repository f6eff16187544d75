"""What votes amount to, checked against known figures, and the sets that votes and corrections become."""

from __future__ import annotations

import json

import pytest

from studio.chats import votes
from studio.chats.conversation import Conversation
from studio.chats.rows import save_answer, save_conversations, save_corrections
from studio.chats.shelf import Shelf
from studio.chats.views import places
from studio.data.catalogue import Catalogue, Entry
from studio.data.walk import walk
from studio.errors import InputError
from studio.sample import Sample
from studio.workspace import Workspace
from tests.chats.test_conversation import answered


def samples(entry: Entry) -> list[Sample]:
    """Every row as training reads it; none may be unusable."""
    found = [sample for _, _, sample in walk(entry)]
    assert all(isinstance(sample, Sample) for sample in found), found
    return found


def voted(conversation: Conversation, text: str, words: dict[str, str], winner: str, parent: str | None = None) -> str:
    """A blind message voted on: `winner` is a slot, `tie` or `bad`."""
    id = answered(conversation, text, words, blind=True, parent=parent)
    place = {slot: place for place, slot in places(conversation.message(id))}.get(winner, winner)
    conversation.vote(id, place)
    return id


# R: prop.test(x, n, correct = FALSE)$conf.int
@pytest.mark.parametrize(("count", "total", "low", "high"), [
    (8, 10, 0.4901625, 0.9433178), (0, 10, 0.0, 0.2775328), (10, 10, 0.7224672, 1.0), (50, 100, 0.4038315, 0.5961685),
    (1, 1, 0.2065493, 1.0),
    # Newcombe (1998), table I, method 3
    (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)])
def test_intervals_are_wilsons(count: int, total: int, low: float, high: float) -> None:
    digits = 5e-5 if total in (20, 29, 148, 263) else 2e-6
    assert votes.wilson(count, total) == pytest.approx((low, high), abs=digits)


def test_a_share_of_nothing_has_no_interval_and_few_votes_are_not_clear() -> None:
    assert votes.Share(0, 0).interval is None and votes.Share(0, 0).rate is None and not votes.Share(0, 0).is_clear
    assert not votes.Share(3, 4).is_clear and votes.Share(9, 10).is_clear and votes.Share(1, 10).is_clear


def test_votes_are_counted_by_pair_and_lane_with_a_check_of_length(shelf: Shelf) -> None:
    one, two = shelf.create(), shelf.create()
    voted(one, "q1", {"A": "long answer", "B": "short"}, "A")
    voted(one, "q2", {"A": "longer still", "B": "short"}, "B")
    voted(two, "q3", {"A": "much longer", "B": "short"}, "A")
    voted(two, "q4", {"A": "same", "B": "same"}, "tie")
    voted(two, "q5", {"A": "x", "B": "y"}, "bad")
    answered(two, "not voted", {"A": "x", "B": "y"}, blind=True)
    shelf.duplicate(two.id)
    found = votes.tally(shelf)
    assert found.rounds == 5, "a duplicate's votes do not count twice"
    (pair,) = found.pairs
    assert (pair.one.lane, pair.other.lane, pair.one.hash) == ("base", "tuned", "hash-A")
    assert (pair.wins, pair.losses, pair.ties, pair.bad) == (2, 1, 1, 1)
    assert pair.share.rate == pytest.approx(2 / 3) and not pair.share.is_clear
    assert [(lane.one.lane, lane.wins, lane.losses) for lane in found.lanes] == [("base", 2, 1), ("tuned", 1, 2)]
    assert (found.longer.count, found.longer.total) == (2, 3)


def test_votes_become_a_preference_set_that_grows(shelf: Shelf, workspace: Workspace) -> None:
    one = shelf.create()
    first = voted(one, "q1", {"A": "good", "B": "worse"}, "A")
    voted(one, "and now?", {"A": "bad 2", "B": "good 2"}, "B", parent=first)
    voted(one, "tied", {"A": "x", "B": "y"}, "tie")
    voted(one, "the same", {"A": "z", "B": "z"}, "A")
    entry, new = votes.save_preferences(workspace, "likes")
    assert new == 2 and entry.ranking and entry.formatting == "preference"
    found = samples(Catalogue(workspace).entry("likes"))
    assert [sample.kind for sample in found] == ["preference", "preference"]
    assert [turn.content for turn in found[0].messages] == ["q1", "good"] and found[0].rejected[0].content == "worse"
    assert [turn.content for turn in found[1].messages] == ["q1", "worse", "and now?", "good 2"]
    assert [turn.content for turn in found[1].rejected] == ["good", "and now?", "bad 2"], "they parted before"
    assert votes.save_preferences(workspace, "likes")[1] == 0
    with open(entry.path, "ab") as file:
        file.write(b'{"torn')
    voted(shelf.create(), "later", {"A": "1", "B": "2"}, "B")
    assert votes.save_preferences(workspace, "likes")[1] == 1
    lines = entry.path.read_bytes().splitlines()
    assert len(lines) == 4 and json.loads(lines[-1])["chosen"][0]["content"] == "2"


def test_a_lane_that_had_failed_before_takes_part_in_a_preference(shelf: Shelf, workspace: Workspace) -> None:
    one = shelf.create()
    first = answered(one, "q1", {"A": "fine"})
    failed = one.begin(first, "B", "tuned")
    one.end(failed.id, "failed", code="engine_gone")
    voted(one, "q2", {"A": "worse", "B": "better"}, "B", parent=first)
    entry, _ = votes.save_preferences(workspace, "likes")
    (sample,) = samples(entry)
    assert [turn.content for turn in sample.messages] == ["q2", "better"]
    assert [turn.content for turn in sample.rejected] == ["worse"]


def test_a_set_of_somebody_else_is_not_added_to(shelf: Shelf, workspace: Workspace) -> None:
    voted(shelf.create(), "q", {"A": "1", "B": "2"}, "A")
    workspace.data.mkdir(exist_ok=True)
    (workspace.data / "mine.jsonl").write_text('{"instruction": "a", "output": "b"}\n')
    (workspace.data / "pairs.jsonl").write_text('{"messages": [], "chosen": [], "rejected": []}\n')
    Catalogue(workspace).save("pairs", {"file_name": "pairs.jsonl", "formatting": "preference", "ranking": True})
    for name, code in (("mine", "make_name_taken"), ("pairs", "make_name_taken"), ("../x", "dataset_name"),
                       ("", "dataset_name"), ("arithmetic", "make_name_taken")):
        with pytest.raises(InputError) as refused:
            votes.save_preferences(workspace, name)
        assert refused.value.code == code
    assert (workspace.data / "mine.jsonl").read_text() == '{"instruction": "a", "output": "b"}\n'


def test_nothing_to_save_is_said(workspace: Workspace, shelf: Shelf) -> None:
    for save in (votes.save_preferences, save_corrections):
        with pytest.raises(InputError) as refused:
            save(workspace, "new")
        assert refused.value.code == "rows_none"
    assert "new" not in [entry.name for entry in Catalogue(workspace).entries()]


def test_corrections_and_good_conversations_become_training_rows(shelf: Shelf, workspace: Workspace) -> None:
    one = shelf.create()
    first = answered(one, "2+2?", {"A": "5", "B": "four"})
    wrong = one.look().turns[0].answers[0]
    one.correct(wrong.id, "4")
    answered(one, "3+3?", {"A": "6", "B": "six"}, parent=first)
    entry, new = save_corrections(workspace, "mended")
    (sample,) = samples(entry)
    assert new == 1 and [turn.content for turn in sample.messages] == ["2+2?", "4"]
    assert save_answer(workspace, "mended", one.id, wrong.id)[1] == 0
    entry, new = save_conversations(workspace, "good", [one.id])
    said = [[turn.content for turn in sample.messages] for sample in samples(entry)]
    assert said == [["2+2?", "4", "3+3?", "6"], ["2+2?", "four", "3+3?", "six"]] and new == 2
    assert save_conversations(workspace, "only b", [one.id], "B")[1] == 1
