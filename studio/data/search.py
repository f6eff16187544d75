"""Search in the rows of a dataset, block by block: for words, or for what a regular expression describes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from studio.data import places
from studio.data.index import RowIndex, Stop, Tell
from studio.errors import InputError, StopAsked

PATIENCE_SECONDS = 2.0
Fits = Callable[[Any], bool]


def search(index: RowIndex, words: str, pattern: bool = False, any_case: bool = True,
           instead: Mapping[int, Any] | None = None, tell: Tell | None = None,
           should_stop: Stop | None = None) -> Iterator[list[int]]:
    """The numbers of the rows in which the words occur, as they are found; an empty list lets the caller breathe.

    A row is searched in all its texts, not in the names of its columns. `instead` has rows that stand in the place of
    those in the files, and further ones under negative numbers. Raises InputError search_pattern, search_slow for an
    expression that would take for ever, and StopAsked.
    """
    fits, perhaps, other = _fits(words, pattern, any_case), Sieve(words, pattern, any_case), instead or {}
    for first, rows, spelling in index.blocks():
        coarse = spelling["encoding"] == "utf-8" and spelling["kind"] != places.TABLE
        last = first + len(rows)
        numbers: Sequence[int] = range(first, last)
        if coarse:
            some = [(number, raw) for number, raw in zip(numbers, rows) if number in other or perhaps.holds(raw)]
            numbers, rows = [number for number, _ in some], [raw for _, raw in some]
        read = places.parsed(rows, spelling)
        found = [number for number, row in zip(numbers, read) if fits(other.get(number, row))]
        if tell:
            tell(last, index.rows)
        if should_stop and should_stop():
            raise StopAsked("searching")
        yield found
    yield [number for number in other if number < 0 and fits(other[number])]


def text_of(row: Any) -> str:
    """All words of a row, a line each."""
    if type(row) is str:
        return row
    if type(row) is dict:
        return "\n".join(filter(None, map(text_of, row.values())))
    if type(row) is list:
        return "\n".join(filter(None, map(text_of, row)))
    return "" if row is None or isinstance(row, bool) else str(row)


def _fits(words: str, pattern: bool, any_case: bool) -> Fits:
    """Whether a row holds what is sought."""
    if not pattern:
        sought = words.lower() if any_case else words
        return lambda row: sought in (text_of(row).lower() if any_case else text_of(row))
    import regex

    try:
        wanted = regex.compile(words, regex.MULTILINE | (regex.IGNORECASE if any_case else 0))
    except regex.error as error:
        raise InputError("search_pattern", value=words, reason=error.msg) from error

    def fits(row: Any) -> bool:
        try:
            return wanted.search(text_of(row), timeout=PATIENCE_SECONDS) is not None
        except TimeoutError:
            raise InputError("search_slow", value=words) from None

    return fits


class Sieve:
    """Tells from a row's bytes, without reading it, that it cannot hold the words."""

    def __init__(self, words: str, pattern: bool = False, any_case: bool = True) -> None:
        letters = [sign for sign in words if not sign.isascii()]
        caseless = all(sign.lower() == sign.upper() for sign in letters)
        spelled = [json.dumps(words, ensure_ascii=plain)[1:-1].encode().lower() for plain in (False, True)]
        self.needles = tuple(dict.fromkeys(spelled)) if words and not pattern and (caseless or not any_case) else ()
        self.slash = "/" in words

    def holds(self, raw: bytes) -> bool:
        """Whether the row must be read: it has the words, or letters spelled by their numbers."""
        if not self.needles:
            return True
        low = raw.lower()
        return any(one in low for one in self.needles) or b"\\u" in low or (self.slash and b"\\/" in low)
