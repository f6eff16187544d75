"""Instruction and answer, as Stanford Alpaca and ChatGLM-Efficient-Tuning write them, with optional history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.plugins.formats import Unusable, words
from studio.sample import Message, Sample

ORDER = 20
QUESTIONS = ("instruction", "prompt", "question", "query", "ask", "content")
MORE = ("input",)
ANSWERS = ("output", "response", "answer", "completion", "summary", "target")
Row = Mapping[str, Any]


def recognises(row: Row) -> bool:
    """Whether the row has a question's and an answer's column."""
    return _first(QUESTIONS, row) is not None and _first(ANSWERS, row) is not None


def reader(columns: Mapping[str, str], tags: Mapping[str, str]) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name prompt, query, response, history and system."""
    def read(row: Row) -> Sample:
        if type(row) is not dict:
            raise Unusable("not_an_object")
        question_column = columns.get("prompt") or _first(QUESTIONS, row) or "instruction"
        question = words(row.get(question_column))
        more = words(row.get(columns.get("query", "input"))) if question_column != "input" else ""
        if more.strip():
            question = f"{question}\n{more}" if question.strip() else more
        answer = words(row.get(columns.get("response") or _first(ANSWERS, row) or "output"))
        if not question.strip():
            raise Unusable("no_question")
        if not answer.strip():
            raise Unusable("empty_answer")
        system = words(row.get(columns.get("system", "system")))
        messages = [Message("system", system)] if system.strip() else []
        history = row.get(columns.get("history", "history"))
        if history:
            messages += _turns(history)
        return Sample((*messages, Message("user", question), Message("assistant", answer)))

    return read


def _first(names: tuple[str, ...], row: Row) -> str | None:
    return next((name for name in names if name in row), None)


def _turns(history: Any) -> list[Message]:
    """Earlier turns: a list of [question, answer] pairs."""
    if not isinstance(history, list):
        raise Unusable("wrong_type")
    found = []
    for pair in history:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise Unusable("wrong_type")
        question, answer = words(pair[0]), words(pair[1])
        if not question.strip():
            raise Unusable("no_question")
        if not answer.strip():
            raise Unusable("empty_answer")
        found += [Message("user", question), Message("assistant", answer)]
    return found
