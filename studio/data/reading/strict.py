"""JSON rows looked at closely: no name twice, no number rounded, no half of a character."""

from __future__ import annotations

import json
from typing import Any

_LARGEST = 2.0**63


class Refused(ValueError):
    """A row that is JSON and yet says two things or nothing; `code` is a key of `data.skipped`."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail


def names(row: Any) -> int:
    """How many names a row has at all depths; -1 when a number in it may have been rounded."""
    count, waiting = 0, [row]
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            count += len(value)
            waiting += [one for one in value.values() if type(one) is not str]
        elif type(value) is list:
            waiting += [one for one in value if type(one) is not str]
        elif type(value) is float and not -_LARGEST < value < _LARGEST:
            return -1
    return count


def loads(text: str) -> Any:
    """Read JSON, NaN and Infinity too; raises Refused for a name with two values, and ValueError for what is none.

    A name that is given the same value twice is let pass.
    """
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("too deep") from None


def is_whole(row: Any) -> bool:
    """Whether all its text can be written down: no half of a surrogate pair, as cut escapes leave."""
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def reason(error: ValueError) -> str:
    """What the JSON reader says, without the place, which is told apart."""
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        for name, value in pairs:
            if row[name] != value:
                raise Refused("duplicate_key", name)
    return row
