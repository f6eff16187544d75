"""What a page may see of a conversation: the branch in sight, and nothing that tells blind lanes apart before the vote.

While names are hidden, answers stand in shuffled places, without lane, proof, tokens or speed; all of them are shown
at the pace of the slowest.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from studio.chats.tree import ANSWERING, DONE, FAILED, SLOTS, STOPPED, Answer, Message, Tree

IsLive = Callable[[Answer], bool]


@dataclass(frozen=True)
class AnswerView:
    """One answer as it is shown in its `place` (`A` to `D`); `lane` is empty while names are hidden.

    `variants` are all answers of this lane to this message, this one among them, the oldest first. `speed` is in tokens
    a second, `tokens` counts them (0 while unknown or hidden), `tool_calls` are OpenAI's.
    """

    id: str
    place: str
    lane: str
    content: str
    thinking: str
    state: str
    code: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    finish: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()
    correction: str | None = None
    variants: tuple[str, ...] = ()
    tokens: int = 0
    seconds: float | None = None
    speed: float | None = None
    proof: dict[str, Any] = field(default_factory=dict)
    has_lens: bool = False
    version: int = 0


@dataclass(frozen=True)
class TurnView:
    """One message of the branch with its answers by place; `siblings` are its wordings, this one among them."""

    id: str
    role: str
    content: str
    at: float
    siblings: tuple[str, ...]
    alone: bool
    hidden: bool
    blind: bool
    vote: dict[str, Any] | None
    answers: tuple[AnswerView, ...]
    version: int


@dataclass(frozen=True)
class Seen:
    """What a look found: `path` names all turns of the branch in order, `turns` holds those changed since."""

    version: int
    title: str
    settings: dict[str, Any]
    path: tuple[str, ...]
    turns: tuple[TurnView, ...]
    answering: tuple[str, ...]

    @property
    def is_live(self) -> bool:
        """Whether anything is still being said."""
        return bool(self.answering)


def seen(tree: Tree, since: int, is_live: IsLive) -> Seen:
    """The branch in sight; turns that have not changed after version `since` are left out."""
    path = tree.path()
    turns = tuple(turn_view(tree, message, is_live) for message in path if message.version > since)
    answering = tuple(answer.id for message in path for ids in message.answers.values() for one in ids
                      if (answer := tree.answers[one]).state == ANSWERING and is_live(answer))
    return Seen(tree.version, tree.title, dict(tree.settings), tuple(message.id for message in path), turns, answering)


def turn_view(tree: Tree, message: Message, is_live: IsLive) -> TurnView:
    """One message with the picked answer of each lane."""
    hidden = tree.is_hidden(message)
    chosen = [(place, answer) for place, slot in places(message) if (answer := tree.picked(message, slot))]
    views = _blind(chosen, is_live) if hidden else tuple(
        _open(place, answer, message, is_live) for place, answer in chosen)
    siblings = tuple(one.id for one in tree.children(message.parent) if one.role == message.role)
    return TurnView(message.id, message.role, message.content, message.at, siblings, message.alone, hidden,
                    message.blind is not None, message.vote, views, message.version)


def places(message: Message) -> list[tuple[str, str]]:
    """(place, slot) of each lane of a message: as they are, or shuffled by the seed of a blind round."""
    slots = sorted(message.slots)
    if message.blind is None:
        return [(slot, slot) for slot in slots]
    random.Random(message.blind).shuffle(slots)  # the same order for every message of the round
    return list(zip(SLOTS, slots, strict=False))


def state_of(answer: Answer, is_live: IsLive) -> str:
    """The answer's state; one whose writer is gone was stopped with what was there."""
    return STOPPED if answer.state == ANSWERING and not is_live(answer) else answer.state


def _open(place: str, answer: Answer, message: Message, is_live: IsLive) -> AnswerView:
    count = int(_number(answer.proof.get("tokens")) or answer.token_count)
    seconds = _number(answer.proof.get("seconds"))
    return AnswerView(
        answer.id, place, answer.lane, answer.content, answer.thinking, state_of(answer, is_live), answer.code,
        answer.values, answer.finish, tuple(answer.tool_calls), answer.correction,
        tuple(message.answers.get(answer.slot) or ()), count, seconds, count / seconds if seconds and count else None,
        answer.proof, answer.token_count > 0, answer.version)


def _number(value: Any) -> float | None:
    """A figure of a proof, which another server may spell as it likes."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12
    return value if is_number else None


def _blind(chosen: list[tuple[str, Answer]], is_live: IsLive) -> tuple[AnswerView, ...]:
    """Answers without anything that tells them apart but their words, none ahead of the slowest."""
    going = [answer for _, answer in chosen if state_of(answer, is_live) == ANSWERING]
    pace = min((len(answer.marks) for answer in going), default=None)
    found = []
    for place, answer in chosen:
        words, thoughts = _as_far(answer, pace)
        is_whole = pace is None or (answer not in going and pace >= len(answer.marks))
        state = state_of(answer, is_live) if is_whole else ANSWERING
        state, code = (state, "") if state != FAILED else (FAILED, "answer_failed_blind")
        found.append(AnswerView(answer.id, place, "", answer.content[:words], answer.thinking[:thoughts], state, code,
                                tool_calls=tuple(answer.tool_calls) if state == DONE else (), version=answer.version))
    return tuple(found)


def _as_far(answer: Answer, pace: int | None) -> tuple[int, int]:
    """How many characters of the answer and of its thinking are shown when all have come `pace` steps far."""
    if pace is None or (pace >= len(answer.marks) and answer.marks):
        return len(answer.content), len(answer.thinking)
    return answer.marks[pace - 1] if pace else (0, 0)
