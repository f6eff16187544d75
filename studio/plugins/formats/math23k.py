"""Math23K's word problems: the problem, its equation and its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from studio.plugins.formats import Unusable, words
from studio.plugins.formats._cells import Row
from studio.sample import Message, Sample

ORDER = 34
KIND = "chat"
COLUMNS = ("prompt", "response", "equation")
NAMES = {"prompt": "original_text", "response": "ans"}


def recognises(row: Row) -> bool:
    """Whether the row has the problem and its answer under their own names."""
    return all(name in row for name in NAMES.values())


def columns_of(row: Row) -> dict[str, str]:
    """The columns of problem and answer; `equation` can be mapped too, and then stands above the answer."""
    return dict(NAMES)


def reader(columns: Mapping[str, str], tags: Mapping[str, str]) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name prompt, response and equation."""
    names = columns or NAMES

    def read(row: Row) -> Sample:
        if type(row) is not dict:
            raise Unusable("not_an_object")
        problem, answer = (words(row.get(names.get(role, ""))) for role in ("prompt", "response"))
        equation = words(row.get(names.get("equation", "")))
        if not problem.strip():
            raise Unusable("no_question")
        if not answer.strip():
            raise Unusable("empty_answer")
        said = f"{equation}\n{answer}" if equation.strip() else answer
        return Sample((Message("user", problem), Message("assistant", said)))

    return read
