"""How the command line speaks: results on stdout, errors and asides on stderr, all in the user's language."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.errors import StudioError
from studio.texts import has, say


@dataclass(frozen=True)
class Voice:
    """Speaks one language."""

    lang: str

    def say(self, key: str, **values: Any) -> str:
        """The sentence `cli.<key>`."""
        return say(self.lang, f"cli.{key}", **values)

    def out(self, text: str = "") -> None:
        """A line of the result, at once."""
        print(text, flush=True)

    def aside(self, text: str) -> None:
        """A line beside the result, for a person."""
        print(text, file=sys.stderr, flush=True)

    def json(self, value: Any) -> None:
        """The result as a machine reads it."""
        print(json.dumps(value, ensure_ascii=False, indent=1), flush=True)

    def json_line(self, value: Any) -> None:
        """One of several results, each on a line of its own."""
        print(json.dumps(value, ensure_ascii=False), flush=True)

    def error(self, error: StudioError) -> None:
        """One sentence on stderr for each thing that is wrong."""
        for sentence in sentences(self.lang, error):
            self.aside(sentence)

    def word(self, room: str, name: str | None) -> str:
        """The word for a state, a phase or a trouble (`runs.state`); the name itself if the language has none."""
        key = f"{room}.{name}"
        return say(self.lang, key) if has(self.lang, key) else str(name or "")

    def duration(self, seconds: float | None) -> str:
        """`1 min 20 s`, as long as it must be."""
        if seconds is None:
            return "?"
        whole = max(0, round(seconds))
        if whole < 60:
            return self.say("duration.seconds", seconds=whole)
        if whole < 3600:
            return self.say("duration.minutes", minutes=whole // 60, seconds=whole % 60)
        return self.say("duration.hours", hours=whole // 3600, minutes=whole % 3600 // 60)


def sentences(lang: str, error: StudioError) -> list[str]:
    """Every sentence of an error; several errors told as one come apart again."""
    from studio.texts.errors import of_error

    parts = getattr(error, "errors", None) or (error,)
    return [line for part in parts for line in of_error(lang, part).splitlines()]


def number(value: float | None, digits: int = 4) -> str:
    """A figure for a person; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}g}"


def size(count: int) -> str:
    """Bytes in the unit that fits."""
    amount = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"


def width(text: str) -> int:
    """The columns that a text takes in a terminal: two for a Chinese character."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text
    )


def cut(text: str, columns: int) -> str:
    """The text within so many columns; what is longer ends in an ellipsis."""
    if width(text) <= columns:
        return text
    kept = ""
    for letter in text:
        if width(kept) + width(letter) > columns - 1:
            break
        kept += letter
    return f"{kept}…"


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Lines whose columns stand below each other; those numbered in `right` end at the same place."""
    if not rows:
        return []
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(_padded(cell, widths[place], place in right) for place, cell in enumerate(row)).rstrip()
        for row in rows
    ]


def _padded(cell: str, columns: int, right: bool) -> str:
    space = " " * (columns - width(cell))
    return space + cell if right else cell + space
