"""One answer with a thumb up or down, as KTO learns from: a conversation or a pair, and a tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from studio.plugins.formats import Unusable, alpaca, openai, pairs, sharegpt
from studio.plugins.formats._cells import Row, first
from studio.plugins.formats._turns import COLUMNS as TURNS
from studio.sample import Sample

ORDER = 10
KIND = "rated"
COLUMNS = (*alpaca.COLUMNS, "messages", "kto_tag")
NAMES = ("kto_tag", "label", "liked")
YES, NO = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})


def recognises(row: Row) -> bool:
    """Whether the row has a tag that is true or false, and something that it is about."""
    value = row.get(first(NAMES, row) or "")
    tagged = isinstance(value, bool) or (isinstance(value, str) and value.strip().lower() in ("true", "false"))
    return tagged and (sharegpt.recognises(row) or alpaca.recognises(row) or pairs.recognises(row))


def columns_of(row: Row) -> dict[str, str]:
    """The roles of this row's columns."""
    tag = first(NAMES, row)
    found = sharegpt.columns_of(row) if sharegpt.recognises(row) else alpaca.columns_of(row)
    return {**found, "kto_tag": tag} if tag else found


def reader(columns: Mapping[str, str], tags: Mapping[str, str]) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name the roles of COLUMNS, `tags` the keys and role words of a turn."""
    named = {role: name for role, name in columns.items() if role != "kto_tag"}
    talk, pair = sharegpt.reader(named, tags), pairs.reader(named, tags)

    def read(row: Row) -> Sample:
        if type(row) is not dict:
            raise Unusable("not_an_object")
        liked = _thumb(row.get(columns.get("kto_tag") or first(NAMES, row) or ""))
        is_talk = "messages" in named or (not named and first(TURNS, row) is not None)
        return replace(talk(row) if is_talk else pair(row), liked=liked)

    return read


def _thumb(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    said = str(value).strip().lower()
    if said not in YES | NO:
        raise Unusable("no_rating")
    return said in YES


def write(sample: Sample) -> dict[str, Any]:
    """The row of a rated answer."""
    if sample.kind != "rated":
        raise Unusable("no_rating" if sample.kind == "chat" else f"lost_{sample.kind}")
    return {**openai.write(replace(sample, liked=None)), "label": sample.liked}
