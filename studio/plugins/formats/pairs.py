"""A question's and an answer's column under any of their usual names; also TRL's prompt and completion as turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.plugins.formats import Unusable, alpaca
from studio.plugins.formats._cells import ANSWERS, QUESTIONS, Row, all_named, first, is_text, kept, plain
from studio.plugins.formats._turns import in_order, turns
from studio.sample import Sample

ORDER = 50
KIND = "chat"
COLUMNS = alpaca.COLUMNS


def recognises(row: Row) -> bool:
    """Whether the row has a question and an answer, or a prompt and a completion that are lists of turns."""
    asked, answer = first(QUESTIONS, row), first(ANSWERS, row)
    if asked is None or answer is None or asked == answer:
        return False
    return (is_text(row[asked]) and is_text(row[answer])) or (_is_turns(row[asked]) and _is_turns(row[answer]))


def columns_of(row: Row) -> dict[str, str]:
    """The roles of this row's columns; what may be a question too is left to whoever maps them."""
    found = alpaca.columns_of(row)
    return kept({**found, "query": found.get("query") if found.get("query") == "input" else None})


def is_sure(row: Row) -> bool:
    """Whether only one column of the row can be the question and one the answer."""
    return len(all_named(QUESTIONS, row)) == 1 and len(all_named(ANSWERS, row)) == 1


def reader(columns: Mapping[str, str], tags: Mapping[str, str]) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name prompt, query, response, history, system and tools."""
    of_words = alpaca.reader(columns)
    of_turns = turns(tags)

    def read(row: Row) -> Sample:
        if type(row) is not dict:
            raise Unusable("not_an_object")
        asked = row.get(columns.get("prompt") or first(QUESTIONS, row) or "")
        if not isinstance(asked, list):
            return of_words(row)
        answer = row.get(columns.get("response") or first(ANSWERS, row) or "")
        return Sample(in_order([*of_turns(asked), *of_turns(answer)]))

    return read


def _is_turns(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def write(sample: Sample) -> dict[str, Any]:
    """The row of one question and its answer."""
    plain(sample, most_turns=2)
    if sample.messages[0].role == "system":
        raise Unusable("lost_system")
    return {"prompt": sample.messages[0].content, "completion": sample.messages[1].content}
