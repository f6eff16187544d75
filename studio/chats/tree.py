"""A conversation as a tree: what was said, who answered, and how each event of the journal changes it.

Messages form the tree; an edited one has the same parent as the first wording. Each message has the answers of its
lanes, which stand in slots (`A` to `D`): the slot is the column, the lane the weights that answered in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from studio.chats.journal import Event
from studio.identity import Identity

SLOTS = ("A", "B", "C", "D")
ANSWERING, DONE, STOPPED, FAILED = "answering", "done", "stopped", "failed"
# One token: [text, id, logprob, [[text, id, logprob], …]]
Token = list[Any]


@dataclass
class Message:
    """What was said to the lanes in `slots` (slot to lane's name); the answers follow by slot, the latest last.

    `alone` says that the other lanes shall not know of it, `picked` which of several answers goes on. `blind` is the
    seed of the shuffle while names are hidden, `vote` what was said when they were shown. `system` and `tools` are
    those in force, `call` the tool call that a message of the role `tool` answers.
    """

    id: str
    parent: str | None
    content: str
    slots: dict[str, str]
    role: str = "user"
    at: float = 0.0
    system: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list)
    alone: bool = False
    call: str = ""
    blind: int | None = None
    vote: dict[str, Any] | None = None
    answers: dict[str, list[str]] = field(default_factory=dict)
    picked: dict[str, str] = field(default_factory=dict)
    version: int = 0


@dataclass
class Answer:
    """What a lane said; `code` and `values` are of the error when it failed, `correction` what it should have said."""

    id: str
    message: str
    slot: str
    lane: str
    content: str = ""
    thinking: str = ""
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    packed: list[bytes] = field(default_factory=list)
    token_count: int = 0
    proof: dict[str, Any] = field(default_factory=dict)
    sampling: dict[str, Any] = field(default_factory=dict)
    state: str = ANSWERING
    code: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    finish: str = ""
    correction: str | None = None
    at: float = 0.0
    writer: Identity | None = None
    marks: list[tuple[int, int]] = field(default_factory=list)
    version: int = 0

    @property
    def tokens(self) -> list[Token]:
        """Its tokens; they are kept packed, since with their alternatives they take ten times the room unpacked."""
        return [token for part in self.packed for token in orjson.loads(part)]

    def add_tokens(self, tokens: Sequence[Token]) -> None:
        """Add tokens to its end; what is no list of them is left out."""
        if tokens and isinstance(tokens, list) and all(isinstance(one, list) and len(one) > 2 for one in tokens):
            self.packed.append(orjson.dumps(tokens))
            self.token_count += len(tokens)

    @property
    def words(self) -> str:
        """What the conversation goes on with: the correction where there is one."""
        return self.content if self.correction is None else self.correction


@dataclass
class Tree:
    """Everything that a journal's events amount to; `head` is the message at the end of the branch in sight."""

    id: str = ""
    title: str = ""
    created: float = 0.0
    updated: float = 0.0
    head: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    version: int = 0

    def fold(self, event: Event) -> None:
        """Take in one event; one that makes no sense (of a later studio, or damaged) changes nothing."""
        handler = _FOLDS.get(event["do"])
        if handler is None:
            return
        self.version += 1
        try:
            handler(self, event)
        except (KeyError, TypeError, ValueError, AttributeError):
            return
        self.updated = max(self.updated, _time(event.get("at")))

    def path(self, head: str | None = None) -> list[Message]:
        """The messages from the first to `head`, to the one in sight when it is not given."""
        found: list[Message] = []
        place = head if head is not None else self.head
        while place is not None and (message := self.messages.get(place)):
            found.append(message)
            place = message.parent
        return found[::-1]

    def children(self, parent: str | None) -> list[Message]:
        """The messages that follow `parent` (the beginnings for None), in the order in which they were written."""
        return [message for message in self.messages.values() if message.parent == parent]

    def leaf(self, start: str) -> str:
        """The latest end of the branch through `start`."""
        while below := self.children(start):
            start = below[-1].id
        return start

    def picked(self, message: Message, slot: str) -> Answer | None:
        """The answer of a slot that the conversation goes on with."""
        chosen = message.picked.get(slot) or (message.answers.get(slot) or [""])[-1]
        return self.answers.get(chosen)

    def is_hidden(self, message: Message) -> bool:
        """Whether the names behind the message's answers are kept back: its blind round has no vote yet."""
        return message.blind is not None and not any(
            one.vote for one in self.messages.values() if one.blind == message.blind)

    def touch(self, *parts: Message | Answer) -> None:
        """Mark what has changed, with the message of an answer."""
        for part in parts:
            part.version = self.version
            if isinstance(part, Answer) and part.message in self.messages:
                self.messages[part.message].version = self.version


def _begin(tree: Tree, event: Event) -> None:
    tree.id, tree.title, tree.created = str(event["id"]), str(event.get("title") or ""), _time(event.get("at"))


def _title(tree: Tree, event: Event) -> None:
    tree.title = str(event["title"])


def _settings(tree: Tree, event: Event) -> None:
    tree.settings = {**tree.settings, **dict(event["values"])}


def _ask(tree: Tree, event: Event) -> None:
    slots = {slot: str(name) for slot, name in event["slots"].items() if slot in SLOTS}
    parent, seed = event.get("parent"), event.get("blind")
    role = "tool" if event.get("role") == "tool" else "user"
    if event["id"] in tree.messages:
        return
    message = Message(str(event["id"]), parent if parent in tree.messages else None, str(event["content"]), slots,
                      role, _time(event.get("at")), str(event.get("system") or ""), _dicts(event.get("tools")),
                      bool(event.get("alone")), str(event.get("call") or ""), seed if isinstance(seed, int) else None)
    tree.messages[message.id] = message
    tree.head = message.id
    tree.touch(message, *(one for one in tree.children(message.parent)))


def _answer(tree: Tree, event: Event) -> None:
    message = tree.messages[event["message"]]
    if event["id"] in tree.answers:
        return
    answer = Answer(str(event["id"]), message.id, str(event["slot"]), str(event["lane"]),
                    str(event.get("content") or ""), str(event.get("thinking") or ""),
                    sampling=dict(event.get("sampling") or {}),
                    at=_time(event.get("at")), writer=Identity.read(event.get("writer")))
    answer.add_tokens(event.get("tokens") or [])
    tree.answers[answer.id] = answer
    message.answers.setdefault(answer.slot, []).append(answer.id)
    message.picked.pop(answer.slot, None)
    tree.touch(answer)


def _more(tree: Tree, event: Event) -> None:
    answer = tree.answers[event["answer"]]
    answer.content += event.get("text") or ""
    answer.thinking += event.get("thinking") or ""
    answer.add_tokens(event.get("tokens") or [])
    tree.touch(answer)


def _end(tree: Tree, event: Event) -> None:
    answer = tree.answers[event["answer"]]
    answer.state, answer.code = str(event["state"]), str(event.get("code") or "")
    answer.values, answer.proof = dict(event.get("values") or {}), dict(event.get("proof") or {})
    answer.tool_calls, answer.finish = _dicts(event.get("tool_calls")), str(event.get("finish") or "")
    answer.content = str(event.get("content", answer.content))
    answer.thinking = str(event.get("thinking", answer.thinking))
    tree.touch(answer)


def _go(tree: Tree, event: Event) -> None:
    """An answer that had ended is being continued."""
    answer = tree.answers[event["answer"]]
    answer.state, answer.code, answer.values, answer.finish = ANSWERING, "", {}, ""
    answer.writer = Identity.read(event.get("writer"))
    tree.touch(answer)


def _pick(tree: Tree, event: Event) -> None:
    answer = tree.answers[event["answer"]]
    tree.messages[answer.message].picked[answer.slot] = answer.id
    tree.touch(answer)


def _head(tree: Tree, event: Event) -> None:
    tree.head = event["id"] if event["id"] in tree.messages else tree.head


def _vote(tree: Tree, event: Event) -> None:
    """Only the first vote on a round counts: the second was cast knowing the names."""
    message = tree.messages[event["message"]]
    if message.vote is None:
        shown = {str(place): str(id) for place, id in event["answers"].items()}
        message.vote = {"choice": str(event["choice"]), "answers": shown, "at": _time(event.get("at"))}
        tree.touch(*(one for one in tree.messages.values() if one.blind == message.blind))


def _correct(tree: Tree, event: Event) -> None:
    answer = tree.answers[event["answer"]]
    text = event.get("text")
    answer.correction = text if isinstance(text, str) and text != answer.content else None
    tree.touch(answer)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _time(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


_FOLDS: Mapping[str, Any] = {
    "begin": _begin, "title": _title, "settings": _settings, "ask": _ask, "answer": _answer, "more": _more,
    "end": _end, "go": _go, "pick": _pick, "head": _head, "vote": _vote, "correct": _correct}
