"""What the doctor looks for in a dataset, one file a problem; the file's name is the problem's code.

A check's module has
    ORDER                   its place in the report
    SEVERITY                "error": rows are lost or harm, "warning": most likely a fault, "note": worth a look
    FIX                     "drop": the rows are left out, "mend": `mend(text) -> text` is done to every text of a row,
                            "": nothing safe can be done by a program
    HARMLESS                True where leaving the rows out loses nothing that anybody could miss, so that it may be
                            done together with all other fixes; without it only by itself. Mending always may.
    NEEDS                   "" or what must be there: "tokens" (a model's tokenizer), "others" (sets to compare with)
and either
    see(case) -> values     what one row tells by itself: None when all is well, else the values of its sentence
or
    whole(terms) -> Whole   for what only all rows together tell
Words: `data.doctor.checks.<code>` with `title`, `matters` (why, in one sentence), `fix` and `row` (what is wrong with
one row, filled with the values; `{of}` becomes the place of another row). Only usable rows are seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Protocol

import numpy as np

from studio.sample import Message, Sample
from studio.texts import languages, say

SEVERITIES = ("error", "warning", "note")
Values = Mapping[str, Any]
_FENCED = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.S)
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_SPACE = re.compile(r"\s+")
_COMMA = re.compile(r", |\u3001")


class Side(Protocol):
    """A conversation in tokens, without any cutoff."""

    @property
    def ids(self) -> list[int]:
        """All of its tokens."""

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The [start, end) places of the tokens that are trained."""


@dataclass
class Case:
    """One usable row as the checks see it; `sides` are its tokens, one side or chosen and rejected, if they are known.

    `number` counts all rows of the dataset from 0.
    """

    number: int
    sample: Sample
    row: Any = None
    sides: Sequence[Side] = ()

    @cached_property
    def answer(self) -> str:
        """The last thing the assistant says; "" for plain text."""
        return self.sample.messages[-1].content if self.sample.messages else ""

    @cached_property
    def answers(self) -> tuple[str, ...]:
        """Everything the assistant says, what was rejected too."""
        said = (*self.sample.messages, *self.sample.rejected)
        return tuple(one.content for one in said if one.role == "assistant")

    @cached_property
    def question(self) -> str:
        """Everything before the last answer."""
        return "\n".join(one.content for one in self.sample.messages[:-1])

    @cached_property
    def text(self) -> str:
        """All words of the row."""
        if self.sample.text:
            return self.sample.text
        return "\n".join(one.content for one in (*self.sample.messages, *self.sample.rejected))

    @cached_property
    def key(self) -> int:
        """A 64-bit number that two rows share only when they say the same in the same roles."""
        sample = self.sample
        turns = [_spelled(one) for one in sample.messages]
        others = [_spelled(one) for one in sample.rejected]
        tools = [repr(one) for one in sample.tools]
        return hashed("\x1d".join(("\x1e".join(turns), "\x1e".join(others), str(sample.liked), sample.text,
                                   "\x1e".join(tools), "\x1e".join(sample.choices))))


def _spelled(message: Message) -> str:
    calls = repr(message.tool_calls) if message.tool_calls else ""
    return f"{message.role}\x1f{message.content.strip()}\x1f{message.thinking}\x1f{calls}"


@dataclass(frozen=True)
class Terms:
    """What an examination knows besides the rows; `others` are the sets to compare with, by name."""

    cutoff_len: int
    end_ids: frozenset[int] = frozenset()
    others: Mapping[str, Callable[[], Iterable[Sample]]] = field(default_factory=dict)


class Whole(Protocol):
    """A check that needs all rows: it keeps a few bytes of each, never the row."""

    def see(self, case: Case) -> Values | None:
        """What is wrong with this row, if that can be told already."""

    def finish(self) -> Iterator[tuple[int, Values]]:
        """(row number, values) of everything that only all rows together tell."""


def hashed(text: str) -> int:
    """64 bits of a text, the same in every process."""
    import xxhash

    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))


def plain(text: str) -> str:
    """A text without what does not change its meaning: case and the amount of white space."""
    return _SPACE.sub(" ", text).strip().casefold()


def first_of_same(keys: np.ndarray) -> np.ndarray:
    """For every place the first place that holds the same key."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return first[inverse]


def without_code(text: str) -> str:
    """A text without fenced and quoted code."""
    return _FENCED.sub(" ", text) if "`" in text else text


def shown(text: str, most: int = 48) -> str:
    """A short piece of a text in one line."""
    one_line = _SPACE.sub(" ", text).strip()
    return one_line if len(one_line) <= most else f"{one_line[:most - 1]}…"


def letters(text: str) -> tuple[int, int]:
    """(Chinese characters, Latin letters)."""
    return len(_HAN.findall(text)), len(_LATIN.findall(text))


@cache
def words_of(key: str) -> re.Pattern[str]:
    """The words under `data.doctor.words.<key>` of every language, as one pattern."""
    listed = [word for lang in languages() for word in _COMMA.split(say(lang, f"data.doctor.words.{key}"))]
    return re.compile("|".join(re.escape(word) for word in listed), re.I)
