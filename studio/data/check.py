"""What `data check` says of a dataset: how it is written, how many rows can be used, and what is wrong with it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio.data import reading, recognise
from studio.data.catalogue import Entry, sources_of
from studio.data.chat import ChatTokenizer
from studio.data.doctor import Report, examine
from studio.data.doctor.examination import CUTOFF_LEN, Stop, Tell
from studio.data.walk import LOOKED_AT, walk
from studio.errors import InputError

SHOWN = 3


def check(entry: Entry, *, chat: ChatTokenizer | None = None, cutoff_len: int = CUTOFF_LEN,
          against: Sequence[Entry] = (), lang: str = "en", folder: Path | None = None, tell: Tell | None = None,
          should_stop: Stop | None = None) -> dict[str, Any]:
    """{format, encoding, rows, usable_rows, problems: [{code, count, severity, examples: [{file, line, why}]}]}.

    `format` is None when the rows look like nothing known; `encoding` is that of the first file, None for a binary
    one. Raises InputError when nothing can be read, dataset_empty when there is no row, and StopAsked.
    """
    report = examine(entry, chat=chat, cutoff_len=cutoff_len, against=against, folder=folder, tell=tell,
                     should_stop=should_stop)
    if not report.rows and not report.problems:
        raise InputError("dataset_empty", name=entry.name, path=str(entry.path))
    return said(entry, report, lang)


def said(entry: Entry, report: Report, lang: str) -> dict[str, Any]:
    """The same of a report that is there already."""
    facts = [reading.describe(source) for source in sources_of(entry)[:1]]
    problems = [{"code": one["code"], "count": one["count"], "severity": one["severity"],
                 "examples": [{name: example[name] for name in ("file", "line", "why")}
                              for example in one["examples"][:SHOWN]]} for one in report.spoken(lang)]
    return {"format": format_of(entry), "encoding": facts[0].encoding if facts else None, "rows": report.rows,
            "usable_rows": report.usable, "problems": problems}


def format_of(entry: Entry) -> str | None:
    """The format in which the first rows are read."""
    rows: list[Any] = []
    try:
        rows.extend(row for _, row, _ in itertools.islice(walk(entry), LOOKED_AT) if row is not None)
    except InputError as error:
        if error.code != "dataset_broken":
            raise
    return recognise.format_of(entry, rows)


