"""A conversation as the terminal holds it: questions, and to each the answer of every lane that was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Answer:
    """What one lane said to one question, as far as it came; `proof` is what the server says about it."""

    lane: str
    text: str = ""
    thinking: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    stopped: bool = False
    reason: str = ""
    tokens: int = 0
    seconds: float = 0.0
    first_seconds: float | None = None
    proof: dict[str, Any] = field(default_factory=dict)


@dataclass
class Turn:
    """A question with the answers to it, in the order in which they came."""

    question: str
    answers: dict[str, Answer] = field(default_factory=dict)


class Dialogue:
    """The turns so far, the lanes that answer, and the system message that stands before all."""

    def __init__(self, lanes: Sequence[str], system: str = "") -> None:
        self.lanes = list(lanes)
        self.system = system
        self.turns: list[Turn] = []

    def ask(self, question: str) -> Turn:
        """A new last turn."""
        self.turns.append(Turn(question))
        return self.turns[-1]

    def again(self) -> Turn | None:
        """The last turn with its answers taken away; None when there is no turn."""
        if not self.turns:
            return None
        self.turns[-1].answers = {}
        return self.turns[-1]

    def drop_unanswered(self) -> None:
        """A last question that nobody said a word to was not asked: it would stand before the next one for ever."""
        if self.turns and not self.turns[-1].answers:
            self.turns.pop()

    def clear(self) -> None:
        """Forget every turn; lanes and system message stay."""
        self.turns = []

    def messages(self, lane: str) -> list[dict[str, str]]:
        """The conversation up to the last question as this lane sees it: its own answers, else the first given."""
        found = [{"role": "system", "content": self.system}] if self.system else []
        for turn in self.turns[:-1]:
            found.append({"role": "user", "content": turn.question})
            said = turn.answers.get(lane) or next(iter(turn.answers.values()))
            found.append({"role": "assistant", "content": said.text})
        return [*found, {"role": "user", "content": self.turns[-1].question}] if self.turns else found
