"""What a dataset's rows are: the format, and which column has which role."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.data.catalogue import Entry
from studio.errors import InputError
from studio.plugins import kinds, plugin
from studio.sample import Sample

Reader = Callable[[Any], Sample]
ORDERED_PAIR = 2


@dataclass(frozen=True)
class Recognised:
    """What rows look like: the format's name (None: nothing known), its columns by role, and whether there is no doubt.

    `kind` is what the rows become, one of studio.sample.KINDS.
    """

    format: str | None
    columns: Mapping[str, str] = field(default_factory=dict)
    sure: bool = False
    kind: str = ""


def recognise(rows: Sequence[Any]) -> Recognised:
    """The format that most of these rows have, with the columns that any of them has; two dozen rows are enough."""
    objects = [row for row in rows if isinstance(row, dict)]
    votes = Counter(name for name in map(_format, objects) if name is not None)
    if not votes:
        return Recognised(None)
    name, count = votes.most_common(1)[0]
    module = plugin("formats", name)
    alike = [row for row in objects if _format(row) == name]
    columns: dict[str, str] = {}
    for row in alike:
        columns = {**_columns(module, row), **columns}
    is_sure = getattr(module, "is_sure", lambda row: True)
    sure = count == len(objects) and all(is_sure(row) for row in alike)
    return Recognised(name, columns, sure, kind_of(name))


def kind_of(name: str) -> str:
    """What the rows of a format become, one of studio.sample.KINDS."""
    return str(getattr(plugin("formats", name), "KIND", "chat"))


def format_of(entry: Entry, rows: Sequence[Any] = ()) -> str | None:
    """The format of an entry: the catalogue's word, else what these rows of it look like.

    ChatGLM-Efficient-Tuning has no word for two answers: there the response is a list of a better and a worse one.
    Raises InputError dataset_formatting for a word that is no format.
    """
    said = _declared(entry)
    if said is not None and said not in kinds("formats"):
        raise InputError("dataset_formatting", name=entry.name, value=said, kinds=", ".join(kinds("formats")))
    if said == "alpaca" and _has_pairs(entry, rows):
        return "preference"
    return said or recognise(rows).format


def reader(entry: Entry, rows: Sequence[Any] = ()) -> Reader | None:
    """The reading function for an entry's rows, of which `rows` are the first; None when they look like nothing known.

    Raises InputError dataset_formatting.
    """
    name = format_of(entry, rows)
    return plugin("formats", name).reader(entry.columns, entry.tags) if name else None


def _declared(entry: Entry) -> str | None:
    """What the catalogue's own words make of an entry, None when they leave it open.

    `alpaca` and `sharegpt` say only how a question is spelled there: with ranking it has two answers, with a kto_tag a
    rating, and a prompt without an answer is a text.
    """
    columns, said = entry.columns, entry.formatting
    if said not in (None, "alpaca", "sharegpt", "openai"):
        return said
    if columns.get("kto_tag"):
        return "kto"
    if entry.ranking or columns.get("chosen"):
        return "preference"
    if said is None and not columns:
        return None
    if said in ("sharegpt", "openai"):
        return said
    if columns.get("messages"):
        return "sharegpt"
    if columns.get("prompt") and not columns.get("response"):
        return "text"
    return "alpaca"


def _has_pairs(entry: Entry, rows: Sequence[Any]) -> bool:
    column = entry.columns.get("response") or "output"
    first = next((row[column] for row in rows if isinstance(row, dict) and row.get(column)), None)
    return isinstance(first, list) and len(first) == ORDERED_PAIR


def _format(row: Mapping[str, Any]) -> str | None:
    return next((name for name in kinds("formats") if plugin("formats", name).recognises(row)), None)


def _columns(module: Any, row: Mapping[str, Any]) -> dict[str, str]:
    return module.columns_of(row) if hasattr(module, "columns_of") else {}
