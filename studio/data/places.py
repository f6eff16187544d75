"""Where the rows of one file begin and end, in bytes; a file whose rows have no place of their own is laid down.

JSON lines, JSON arrays and tables in UTF-8 or GB18030 are read where they stand. Whatever else (compressed, binary,
UTF-16, running text, what the quick scan does not understand) is read once as training reads it and laid down as JSON
lines. Rows come in the order and number of `reading.numbered`, with the lines that are none counted.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import orjson

from studio.data import reading
from studio.data.reading import encoding, lines, tables, values
from studio.data.reading.told import Told
from studio.data.scanning import At, Heard, Places, of_array, of_lines, of_table, table
from studio.errors import InputError

LINES, ARRAY, TABLE, LAID = "lines", "array", "table", "laid"
ENCODINGS = ("utf-8", "utf-8-sig", "gb18030")
_NO_ROW = b"!"


def find(source: reading.Source, laid: Path, at: At) -> tuple[Places, dict[str, Any]]:
    """The places of a source's rows and how they are spelled; `laid` is written if they have none in the source."""
    facts = reading.describe(source)
    spelling: dict[str, Any] = {"encoding": (facts.encoding or "").removesuffix("-sig")}
    if not (source.member or facts.compression) and facts.encoding in ENCODINGS:
        found = None
        if facts.kind == "jsonl":
            found, spelling["kind"] = of_lines(source.path, at), LINES
        elif facts.kind == "json" and facts.encoding != "gb18030":  # there, brackets are halves of characters too
            found, spelling["kind"] = of_array(source.path, at), ARRAY
        elif facts.kind in ("csv", "tsv"):
            spelling |= {"kind": TABLE, "delimiter": facts.delimiter or ",", "quoted": facts.quoted,
                         "header": facts.header}
            found = of_table(source.path, spelling, at)
        if found is not None:
            return found, spelling
    return lay_down(source, laid, at), {"kind": LAID, "encoding": "utf-8"}


def understood(raw: bytes, spelling: dict[str, Any], ended: bool = True) -> tuple[Any, str]:
    """(the row in these bytes, "") or (None, why it is none: a key of `data.skipped`); `ended` by a line end."""
    heard, kind = Heard(), spelling["kind"]
    if raw.startswith(_NO_ROW) and kind == LAID:
        return None, raw[len(_NO_ROW):].decode()
    if spelling["encoding"] != "utf-8" and kind != TABLE:
        raw = raw.decode(spelling["encoding"], "studio.mark").encode("utf-8", "surrogatepass")
    told = cast(Told, heard)
    if kind == TABLE:
        text = raw.decode(spelling["encoding"], "studio.mark")
        some = tables.rows(cast(IO[str], iter([*spelling["head"], *io.StringIO(text, newline="")])),
                           table(spelling), told)
    elif kind == ARRAY:
        some = values.rows(encoding.as_text(io.BytesIO(b"[" + raw + b"]")), told)
    else:
        some = lines.rows(io.BytesIO(raw + b"\n" * ended), told)
    try:
        return next(some)[1], ""
    except (StopIteration, InputError):
        return None, heard.why or "broken_line"


def parsed(rows: Sequence[bytes], spelling: dict[str, Any]) -> list[Any]:
    """Rows that follow one another in their file, in a hurry; None for what is none."""
    if spelling["kind"] == TABLE:
        found = _of_table(rows, spelling)
        return found if len(found) == len(rows) else [understood(raw, spelling)[0] for raw in rows]
    return [_parsed(raw, spelling) for raw in rows]


def _parsed(raw: bytes, spelling: dict[str, Any]) -> Any:
    try:
        plain = spelling["encoding"] == "utf-8"
        return orjson.loads(raw if plain else raw.decode(spelling["encoding"]).encode())
    except ValueError:
        return understood(raw, spelling)[0]


def _of_table(rows: Sequence[bytes], spelling: dict[str, Any]) -> list[Any]:
    """The rows of a table as one reading gives them."""
    heard, found = Heard(), list[Any]()
    heard.skip = lambda *why: found.append(None)  # type: ignore[method-assign]
    text = io.StringIO(b"".join(rows).decode(spelling["encoding"], "studio.mark"), newline="")
    for _, row in tables.rows(cast(IO[str], itertools.chain(spelling["head"], text)), table(spelling),
                              cast(Told, heard)):
        found.append(row)
    return found


def as_lines(rows: Sequence[bytes], spelling: dict[str, Any]) -> list[bytes]:
    """Rows that follow one another in their file, each as one line of JSON in UTF-8; what is no row as it stands."""
    if spelling["kind"] == TABLE:
        read = parsed(rows, spelling)
        return [_one_line(raw, spelling) if row is None else written(row) for row, raw in zip(read, rows)]
    return [_one_line(raw, spelling) for raw in rows]


def _one_line(raw: bytes, spelling: dict[str, Any]) -> bytes:
    """The text of a row without line ends, which in JSON stand between its parts only."""
    if spelling["encoding"] != "utf-8":
        with suppress(UnicodeDecodeError):  # what is damaged is no row, here and in the copy
            raw = raw.decode(spelling["encoding"]).encode()
    if b"\n" in raw:
        raw = b" ".join(map(bytes.strip, raw.split(b"\n")))
    return raw.strip() + b"\n"


def lay_down(source: reading.Source, laid: Path, at: At) -> Places:
    """Write a source's rows as JSON lines, for a line that is none the reason, and give their places there."""
    starts, numbers = [0], []
    with open(laid, "wb") as file:
        def write(line: int, text: bytes) -> None:
            starts.append(starts[-1] + file.write(text))
            numbers.append(line)

        def none(line: int, code: str, detail: str) -> None:
            write(line, _NO_ROW + code.encode() + b"\n")

        for line, row in reading.numbered(source, at, none):
            write(line, written(row))
    places = np.array(starts, np.int64)
    return Places(places[:-1], places[1:] - 1, np.array(numbers, np.int64))


def written(row: Any) -> bytes:
    """A row as one line of JSON in UTF-8, with its newline."""
    return json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", errors="replace") + b"\n"
