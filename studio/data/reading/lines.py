"""Rows out of JSON lines: a line that is none is told and left out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import IO, Any

import orjson

from studio.data.reading import strict
from studio.data.reading.told import Told

LONGEST = 256 << 20
_BOM = b"\xef\xbb\xbf"
_COMMENTS = (b"//", b"#", b"/*")


def rows(file: IO[bytes], told: Told) -> Iterator[tuple[int, Any]]:
    """Every row with its line; `file` is UTF-8."""
    loads, number = orjson.loads, 0
    for line in iter(partial(file.readline, LONGEST), b""):
        number += 1
        if not number & 255:
            told.here()
        try:
            row = loads(line)
        except ValueError:
            if len(line) == LONGEST and not line.endswith(b"\n"):
                _pass_by(file)
                told.skip(number, "long_line")
            elif b"\r" in line.rstrip(b"\r\n"):
                pieces = line.rstrip(b"\r\n").split(b"\r")
                for place, piece in enumerate(pieces):
                    yield from _careful(piece, number + place, told, True)
                number += len(pieces) - 1
            else:
                yield from _careful(line, number, told, line.endswith(b"\n"))
            continue
        if type(row) is dict and (names := strict.names(row)) != line.count(b'":') \
                and names != line.count(b'":') - line.count(b'\\":'):
            yield from _careful(line, number, told, True)
        else:
            yield number, row


def _careful(line: bytes, number: int, told: Told, ended: bool) -> Iterator[tuple[int, Any]]:
    """The row of a line that is not plain JSON in the eyes of a fast reader, or none and why; `ended` by a line end."""
    line = line.removeprefix(_BOM).strip()
    if not line:
        return
    if b"\0" in line:
        return told.skip(number, "nul_bytes", str(line.count(b"\0")))
    if line.startswith(_COMMENTS):
        return told.skip(number, "comment_line")
    try:
        row = strict.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return told.skip(number, "bad_bytes")
    except strict.Refused as refused:
        return told.skip(number, refused.code, refused.detail)
    except ValueError as error:
        if ended:
            return told.skip(number, "broken_line", strict.reason(error))
        return told.skip(number, "cut_line", strict.reason(error))
    if strict.is_whole(row):
        yield number, row
    else:
        told.skip(number, "half_character")


def _pass_by(file: IO[bytes]) -> None:
    while (more := file.readline(LONGEST)) and not more.endswith(b"\n"):
        continue
