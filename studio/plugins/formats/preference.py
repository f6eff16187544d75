"""Two answers to the same question, one better: chosen and rejected, in every spelling that the older systems have."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from studio.plugins.formats import Unusable, alpaca, sharegpt, words
from studio.plugins.formats._cells import ANSWERS, INSTRUCTIONS, ORDERED_PAIR, QUESTIONS, Row, first, kept
from studio.plugins.formats._dialogue import is_dialogue, turns_in
from studio.plugins.formats._turns import COLUMNS as TURNS
from studio.plugins.formats._turns import in_order, spelled, turns
from studio.sample import Message, Sample

ORDER = 5
KIND = "preference"
COLUMNS = ("prompt", "query", "history", "system", "messages", "tools", "chosen", "rejected", "response")
CHOSEN, REJECTED = ("chosen", "chosen_messages", "accept"), ("rejected", "rejected_messages", "reject")


def recognises(row: Row) -> bool:
    """Whether the row has a chosen and a rejected answer, or a list of two answers."""
    if first(CHOSEN, row) is not None and first(REJECTED, row) is not None:
        return True
    return _is_pair(row.get(first(ANSWERS, row) or "")) and first((*INSTRUCTIONS, *QUESTIONS), row) is not None


def columns_of(row: Row) -> dict[str, str]:
    """The roles of this row's columns."""
    chosen, rejected = first(CHOSEN, row), first(REJECTED, row)
    found = kept({"chosen": chosen, "rejected": rejected}) if chosen and rejected else kept(
        {"response": first(ANSWERS, row)})
    if first(TURNS, row) is not None:
        return {**sharegpt.columns_of(row), **found}
    return {**{role: name for role, name in alpaca.columns_of(row).items() if role != "response"}, **found}


def reader(columns: Mapping[str, str], tags: Mapping[str, str]) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name the roles of COLUMNS, `tags` the keys and role words of a turn.

    Answers are texts, turns or lists of turns; without a question of their own they are whole conversations, which
    part where they differ.
    """
    earlier = _earlier(columns, tags)
    read_turns = turns(tags)

    def answer(value: Any) -> list[Message]:
        if isinstance(value, dict):
            return read_turns([value])
        if isinstance(value, list):
            return read_turns(value)
        said = words(value)
        return [Message("assistant", said)] if said.strip() else []

    def read(row: Row) -> Sample:
        if type(row) is not dict:
            raise Unusable("not_an_object")
        good, bad = _two(row, columns)
        before, tools = earlier(row)
        if before:
            chosen, rejected = answer(good), answer(bad)
        else:
            before, chosen, rejected = _parted(*(turns_in(one) if isinstance(one, str) and is_dialogue(one)
                                                 else answer(one) for one in (good, bad)))
        if not chosen:
            raise Unusable("empty_answer")
        if not rejected or not any(turn.content.strip() or turn.tool_calls for turn in rejected):
            raise Unusable("no_rejected")
        if len(chosen) != len(rejected):
            raise Unusable("uneven_pair")
        messages = in_order([*before, *chosen])
        worse = in_order([*before, *rejected])
        if len(messages) != len(worse):
            raise Unusable("uneven_pair")
        return Sample(messages, rejected=worse[-len(rejected):], tools=tools)

    return read


def _earlier(columns: Mapping[str, str], tags: Mapping[str, str],
             ) -> Callable[[Row], tuple[list[Message], tuple[Mapping[str, Any], ...]]]:
    """The function that reads what was said before the answers; nothing when the row has no question apart."""
    ask = alpaca.asker(columns)
    opened = sharegpt.opener(columns, tags)
    prompt = columns.get("prompt")
    messages = columns.get("messages")

    def earlier(row: Row) -> tuple[list[Message], tuple[Mapping[str, Any], ...]]:
        column = messages or (None if columns else first(TURNS, row))
        asked = prompt or (None if columns else first((*INSTRUCTIONS, *QUESTIONS), row))
        if column is None and asked is not None and isinstance(row.get(asked), list):
            return sharegpt.opener({**columns, "messages": asked}, tags)(row)
        if column is not None:
            return opened(row)
        return ask(row) if asked is not None else ([], ())

    return earlier


def _is_pair(value: Any) -> TypeGuard[list[str]]:
    return (isinstance(value, list) and len(value) == ORDERED_PAIR
            and all(isinstance(one, str) for one in value))


def _two(row: Row, columns: Mapping[str, str]) -> tuple[Any, Any]:
    """The better and the worse answer of a row."""
    chosen = columns.get("chosen") or (None if columns else first(CHOSEN, row))
    rejected = columns.get("rejected") or (None if columns else first(REJECTED, row))
    if chosen and rejected:
        return row.get(chosen), row.get(rejected)
    both = row.get(columns.get("response") or first(ANSWERS, row) or "")
    if not _is_pair(both):
        raise Unusable("no_rejected")
    return both[0], both[1]


def _parted(good: list[Message], bad: list[Message]) -> tuple[list[Message], list[Message], list[Message]]:
    """What two conversations have in common, and how each goes on."""
    same = sum(1 for _ in itertools.takewhile(lambda two: two[0] == two[1], zip(good, bad, strict=False)))
    same = min(same, max(0, len(good) - 1))
    return good[:same], good[same:], bad[same:]


def write(sample: Sample) -> dict[str, Any]:
    """The row of a pair: the turns before, and each way to go on."""
    if sample.kind != "preference":
        raise Unusable("no_rejected" if sample.kind == "chat" else f"lost_{sample.kind}")
    count = len(sample.rejected)
    row: dict[str, Any] = {"messages": [spelled(turn) for turn in sample.messages[:-count]],
                           "chosen": [spelled(turn) for turn in sample.messages[-count:]],
                           "rejected": [spelled(turn) for turn in sample.rejected]}
    if sample.tools:
        row["tools"] = list(sample.tools)
    return row
