"""`data list|check|stats|preview|tokenize|split|convert|make`: datasets looked at and made, by name or by path."""

from __future__ import annotations

from typing import Any

from studio.cli import data_looks, data_makes
from studio.cli.datasets import JSON
from studio.cli.voice import Voice, cut, size, table
from studio.cli.words import Call, Verb
from studio.workspace import Workspace

NAME_COLUMNS = 40
_COUNTED_BYTES = 64_000_000  # a second of reading; what is larger is not counted for a mere list


def list_sets(call: Call) -> int:
    """Every dataset that a run can name."""
    from studio.data.catalogue import Catalogue

    voice, catalogue = Voice(call.lang), Catalogue(Workspace.at(call.root))
    lines = [as_json(entry) for entry in catalogue.entries()]
    if call.has("json"):
        voice.json(lines)
        return 0
    if not lines:
        voice.aside(voice.say("data.none"))
        return 0
    heads = tuple(voice.say(f"data.columns.{head}") for head in ("name", "rows", "size", "format", "where"))
    for text in table([heads, *(_row(voice, line) for line in lines)], right=(1, 2)):
        voice.out(text)
    return 0


def as_json(entry: Any) -> dict[str, Any]:
    """A dataset as `data list --json` gives it; `rows` is null where counting would take long or cannot be done."""
    from studio.data.catalogue import count_rows, sources_of
    from studio.data.check import format_of
    from studio.errors import InputError

    bytes_, rows, format_ = 0, None, entry.formatting
    here = entry.path is not None and entry.path.exists()
    if here:
        try:
            bytes_ = sum(source.size for source in sources_of(entry))
            format_ = format_of(entry)
            rows = count_rows(entry) if bytes_ <= _COUNTED_BYTES else None
        except InputError:
            rows = None
    return {"name": entry.name, "path": str(entry.path) if entry.path else None, "format": format_,
            "rows": rows, "bytes": bytes_, "here": here, "remote": entry.remote, "shipped": entry.shipped}


def _row(voice: Voice, line: dict[str, Any]) -> tuple[str, ...]:
    where = "shipped" if line["shipped"] else "here" if line["here"] else "remote" if line["remote"] else "missing"
    return (
        cut(line["name"], NAME_COLUMNS),
        "–" if line["rows"] is None else f"{line['rows']:,}",
        size(line["bytes"]) if line["here"] else "–",
        line["format"] or "–",
        voice.say(f"data.where.{where}", remote=line["remote"] or ""),
    )


VERBS = (Verb("data list", (JSON,), list_sets), *data_looks.VERBS, *data_makes.VERBS)
