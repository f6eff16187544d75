"""BELLE's own rows: a dialogue written into the instruction, and seed tasks with their answers in `instances`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.plugins.formats import Unusable, alpaca
from studio.plugins.formats._cells import ANSWERS, INSTRUCTIONS, MORE, Row, first, kept
from studio.plugins.formats._dialogue import is_dialogue, turns_in
from studio.plugins.formats._turns import in_order
from studio.sample import Message, Sample

ORDER = 15
KIND = "chat"
COLUMNS = ("prompt", "query", "response", "instances")
INSTANCES = "instances"


def recognises(row: Row) -> bool:
    """Whether the row has instances, or an instruction that begins as a dialogue."""
    if isinstance(row.get(INSTANCES), list):
        return first(INSTRUCTIONS, row) is not None
    asked = row.get(first(INSTRUCTIONS, row) or "")
    return isinstance(asked, str) and first(ANSWERS, row) is not None and is_dialogue(asked)


def columns_of(row: Row) -> dict[str, str]:
    """The roles of this row's columns."""
    found = {"prompt": first(INSTRUCTIONS, row), INSTANCES: INSTANCES if INSTANCES in row else None}
    if found[INSTANCES] is None:
        found |= {"query": first(MORE, row), "response": first(ANSWERS, row)}
    return kept(found)


def reader(columns: Mapping[str, str], tags: Mapping[str, str]) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name prompt, query, response and instances.

    A seed task has one instance as a rule; one with several would be several rows and is left out.
    """
    read_alpaca = alpaca.reader({role: name for role, name in columns.items() if role != INSTANCES})
    nested = columns.get(INSTANCES) or INSTANCES

    def read(row: Row) -> Sample:
        if type(row) is not dict:
            raise Unusable("not_an_object")
        sample = read_alpaca(_unfolded(row, columns) if nested in row else row)
        asked = sample.messages[-2]
        if not is_dialogue(asked.content):
            return sample
        turns = [*turns_in(asked.content), sample.messages[-1]]
        if turns[-2].role == "assistant":  # the mark before the answer was a last, empty turn, or the answer goes on
            raise Unusable("bad_roles")
        return Sample(in_order([*sample.messages[:-2], *turns]))

    return read


def each(row: Row, columns: Mapping[str, str] = alpaca.WITHOUT) -> list[dict[str, Any]]:
    """A seed task as one row an instance; raises Unusable when the instances are no rows."""
    nested = columns.get(INSTANCES) or INSTANCES
    instances = row[nested]
    if not isinstance(instances, list) or not all(isinstance(one, dict) for one in instances):
        raise Unusable("wrong_type")
    rest = {name: value for name, value in row.items() if name != nested}
    return [{**rest, **one} for one in instances]


def _unfolded(row: Row, columns: Mapping[str, str]) -> dict[str, Any]:
    found = each(row, columns)
    if not found:
        raise Unusable("empty_answer")
    if len(found) > 1:
        raise Unusable("several_instances")
    return found[0]


def write(sample: Sample) -> dict[str, Any]:
    """The row of a conversation without tools, its earlier turns written into the instruction."""
    alpaca.plain(sample)
    if sample.messages[0].role == "system":
        raise Unusable("lost_system")
    turns = sample.messages
    if len(turns) == 2:  # a question and its answer
        return {"instruction": turns[0].content, "input": "", "output": turns[1].content}
    return {"instruction": "\n".join(map(_line, turns[:-1])), "input": "", "output": turns[-1].content}


def _line(turn: Message) -> str:
    return f"{'Human' if turn.role == 'user' else 'Assistant'}: {turn.content}"
