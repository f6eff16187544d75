"""Questions of a benchmark: most have no answer to learn; those with a reference to every turn have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from studio.plugins.formats import Unusable, words
from studio.plugins.formats._cells import ANSWERS, NAMES, Row, first, is_text, kept
from studio.sample import Message, Sample

ORDER = 60
KIND = "chat"
COLUMNS = ("prompt", "response")
TURNS, REFERENCE, NUMBER = "turns", "reference", "question_id"
ASKED = NAMES["benchmark_questions"]


def recognises(row: Row) -> bool:
    """Whether the row has a list of questions, or a question without an answer."""
    if isinstance(row.get(TURNS), list):
        return all(isinstance(one, str) for one in row[TURNS])
    names = ASKED if NUMBER in row else ASKED[:-1]
    asked = first(names, row)
    return asked is not None and is_text(row[asked]) and first(ANSWERS, row) is None


def columns_of(row: Row) -> dict[str, str]:
    """The column of the question and that of the references."""
    return kept({"prompt": first(ASKED, row), "response": first([REFERENCE], row)})


def reader(columns: Mapping[str, str], tags: Mapping[str, str]) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name prompt and response, each a text or a list of texts."""
    def read(row: Row) -> Sample:
        if type(row) is not dict:
            raise Unusable("not_an_object")
        questions = _each(row.get(columns.get("prompt") or first(ASKED, row) or ""))
        answers = _each(row.get(columns.get("response") or ("" if columns else REFERENCE)))
        if not questions or not all(question.strip() for question in questions):
            raise Unusable("no_question")
        if len(answers) < len(questions) or not all(answer.strip() for answer in answers):
            raise Unusable("no_answer")
        turns = [(Message("user", question), Message("assistant", answer))
                 for question, answer in zip(questions, answers, strict=False)]
        return Sample(tuple(turn for pair in turns for turn in pair))

    return read


def _each(value: object) -> list[str]:
    return [words(one) for one in value] if isinstance(value, list) else [words(value)] if value is not None else []
