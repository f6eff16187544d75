"""Identical questions with different answers."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np

from studio.plugins.checks import Case, Terms, Values, first_of_same, hashed, plain

ORDER = 30
SEVERITY = "note"
FIX = ""
NEEDS = ""


class Pairs:
    """Twenty-four bytes a row."""

    def __init__(self) -> None:
        self.questions, self.answers, self.numbers = array("Q"), array("Q"), array("q")

    def see(self, case: Case) -> None:
        """Remember what is asked and what is answered; rated and compared answers differ on purpose."""
        if case.sample.kind != "chat" or not case.question.strip():
            return
        self.questions.append(hashed(plain(case.question)))
        self.answers.append(hashed(plain(case.answer)))
        self.numbers.append(case.number)

    def finish(self) -> Iterator[tuple[int, Values]]:
        """Every row whose question was answered otherwise by the first row that asks it."""
        answers, numbers = np.asarray(self.answers, np.uint64), np.asarray(self.numbers, np.int64)
        first = first_of_same(np.asarray(self.questions, np.uint64))
        for place in np.flatnonzero(answers != answers[first]):
            yield int(numbers[place]), {"of": int(numbers[first[place]])}


def whole(terms: Terms) -> Pairs:
    """The check over all rows."""
    return Pairs()
