"""Rows out of files of every usual kind, packed or not, one row in memory at a time; whatever is left out is told.

    source.py     what is to be read at a path: a file, the files of a folder, the members of a zip
    stream.py     the unpacked bytes, watched for bombs and for changes
    encoding.py   which encoding a text is in, and the text in UTF-8
    facts.py      what a source is, by its content
    told.py       whom a reader tells: how far it is, what it leaves out
    lines.py      JSON lines
    values.py     a JSON array, or JSON values one after the other
    strict.py     a JSON row looked at closely
    tables.py     csv and tsv
    prose.py      txt and md
    columns.py    parquet and arrow
    sheets.py     xlsx
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio.data.reading import columns, encoding, lines, prose, sheets, tables, values
from studio.data.reading.facts import Facts, describe
from studio.data.reading.source import ARCHIVE, KINDS, PACKED, Source, files, holds_rows, left_out, sources
from studio.data.reading.stream import Stream, opened, seekable
from studio.data.reading.told import At, Broken, Told
from studio.errors import InputError

__all__ = ["ARCHIVE", "KINDS", "PACKED", "At", "Broken", "Facts", "Source", "describe", "files", "holds_rows",
           "left_out", "numbered", "rows", "sources"]


def rows(source: Path | Source, at: At | None = None, broken: Broken | None = None) -> Iterator[Any]:
    """The rows alone of what `numbered` gives."""
    for _, row in numbered(source, at, broken):
        yield row


def numbered(source: Path | Source, at: At | None = None, broken: Broken | None = None) -> Iterator[tuple[int, Any]]:
    """Every row with the line, from 1, where it begins (the row's own number where there are no lines).

    `at` hears the byte position now and then, up to `Source.size`. `broken(line, code, detail)` hears of each line
    that is left out, `code` is a key of `data.skipped`; without it the first such line raises InputError
    dataset_broken. A JSON array that is broken always raises, after what stands before. A path with several sources
    gives them one after the other. Raises InputError: dataset_broken (path, line, reason), dataset_encoding,
    dataset_file_type, dataset_changed, dataset_bomb, dataset_archive_broken, file_unreadable.
    """
    if isinstance(source, Path):
        for one in sources(source):
            yield from numbered(one, at, broken)
        return
    facts = describe(source)
    with opened(source) as stream:
        told = Told(stream, at, broken)
        try:
            yield from _rows(stream, facts, told)
        except InputError:
            stream.check_unchanged()
            raise
        stream.check_unchanged()
        if at:
            at(source.size)  # what read the characters may have closed the stream when it was done


def _rows(stream: Stream, facts: Facts, told: Told) -> Iterator[tuple[int, Any]]:
    if facts.encoding is None:
        if not stream.source.size:
            return
        with seekable(stream) as file:
            yield from sheets.rows(file, told) if facts.kind == "xlsx" else columns.rows(file, facts.kind, told)
        return
    plain = encoding.in_utf8(stream.bytes, facts.encoding)
    if facts.kind == "jsonl":
        yield from lines.rows(plain, told)
        return
    text = encoding.as_text(plain)
    if facts.kind == "json":
        yield from values.rows(text, told)
    elif facts.kind in ("csv", "tsv"):
        yield from tables.rows(text, facts.spelling, told)
    else:
        yield from prose.rows(text, facts.paragraphs, facts.kind == "md", told)
