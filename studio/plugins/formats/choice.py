"""Questions of several choices: C-Eval, CMMLU and MMLU as csv, MMLU as published in rows with a list of choices."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from typing import Any

from studio.plugins.formats import Unusable, words
from studio.plugins.formats._cells import NAMES, Row, first, kept
from studio.sample import Message, Sample

ORDER = 25
KIND = "chat"
COLUMNS = ("prompt", "response", "choices")
LETTERS = string.ascii_uppercase
QUESTIONS, ANSWERS, CHOICES = (NAMES[role] for role in ("exam_questions", "exam_answers", "choices"))


def recognises(row: Row) -> bool:
    """Whether the row has a question and columns A, B …, or a list of choices."""
    if first(QUESTIONS, row) is None:
        return False
    if "A" in row and "B" in row:
        return True
    return isinstance(row.get(first(CHOICES, row) or ""), list | dict)


def columns_of(row: Row) -> dict[str, str]:
    """The roles of this row's columns; choices in columns A, B … are found by their letters."""
    return kept({"prompt": first(QUESTIONS, row), "response": first(ANSWERS, row),
                 "choices": None if "A" in row else first(CHOICES, row)})


def reader(columns: Mapping[str, str], tags: Mapping[str, str]) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name prompt, response and choices.

    The question is spelled with its choices below it, a letter before each; the answer is the letter.
    """
    def read(row: Row) -> Sample:
        if type(row) is not dict:
            raise Unusable("not_an_object")
        question = words(row.get(columns.get("prompt") or first(QUESTIONS, row) or ""))
        choices = _choices(row, columns.get("choices") or first(CHOICES, row) or "")
        if not question.strip():
            raise Unusable("no_question")
        if len(choices) < 2:  # one is no choice
            raise Unusable("no_choices")
        letter = _letter(row.get(columns.get("response") or first(ANSWERS, row) or ""), len(choices))
        lines = [question, *(f"{name}. {choice}" for name, choice in zip(LETTERS, choices, strict=False))]
        return Sample((Message("user", "\n".join(lines)), Message("assistant", letter)), choices=choices)

    return read


def _choices(row: Row, column: str) -> tuple[str, ...]:
    """What can be chosen, in the order of its letters."""
    value = row.get(column)
    if isinstance(value, dict):
        value = value.get("text", list(value.values()))
    if isinstance(value, list):
        return tuple(words(one) for one in value)
    found = []
    for letter in LETTERS:
        if letter not in row or not words(row[letter]).strip():
            break
        found.append(words(row[letter]))
    return tuple(found)


def _letter(value: Any, count: int) -> str:
    """The letter of the answer, which is given as a letter, or as a number from 0."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise Unusable("no_answer")
    if isinstance(value, int) and not isinstance(value, bool):
        letter = LETTERS[value] if 0 <= value < len(LETTERS) else ""
    else:
        letter = words(value).strip().strip("().").upper()
    if len(letter) != 1 or letter not in LETTERS[:count]:
        raise Unusable("bad_choice")
    return letter
