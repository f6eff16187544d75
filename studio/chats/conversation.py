"""Conversation: one journal below `data/chats`, as everybody in this process and in others sees it.

Threads of this process share one object (`talks`); other studios add to the same file and are heard at each look.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from studio.chats import views
from studio.chats.journal import Event, Journal
from studio.chats.tree import ANSWERING, DONE, SLOTS, Answer, Message, Token, Tree
from studio.errors import InputError
from studio.identity import Identity

# Answers that a thread of this process is writing: another process asks whether the writer lives.
_writing: set[str] = set()
_LONGEST_TITLE = 120


class Conversation:
    """A conversation on disk; every method may be called from any thread, and raises InputError conversation_gone.

    Those that take a message or an answer raise InputError conversation_part for one that is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = Tree(id=path.stem)
        self._journal = Journal(path, self.tree.fold)
        self._guard = threading.RLock()
        self._pending: dict[str, Event] = {}
        self._dead: set[str] = set()
        self.refresh()

    @property
    def id(self) -> str:
        """What names it for good, whatever its title becomes."""
        return self.path.stem

    @property
    def title(self) -> str:
        """What its user calls it."""
        return self.tree.title

    @property
    def settings(self) -> dict[str, Any]:
        """What was last chosen: `lanes`, `sampling`, `system`, `tools`, `blind`; `asked` is the sampling last sent."""
        return dict(self.tree.settings)

    def refresh(self) -> int:
        """Hear what others added; the version, which grows with every change."""
        with self._guard:
            self._journal.refresh()
            return self.tree.version

    def look(self, since: int = 0) -> views.Seen:
        """The branch in sight, with the turns that changed after version `since`."""
        with self._guard:
            self._journal.refresh()
            self._notice_deaths()
            return views.seen(self.tree, since, is_live)

    def _notice_deaths(self) -> None:
        """An answer whose writer died is another from then on, though nobody wrote a word about it."""
        for message in self.tree.path():
            for id in (id for ids in message.answers.values() for id in ids):
                answer = self.tree.answers[id]
                is_dead = answer.state == ANSWERING and not is_live(answer)
                if is_dead and id not in self._dead:
                    self.tree.version += 1
                    self.tree.touch(answer)
                (self._dead.add if is_dead else self._dead.discard)(id)

    def message(self, id: str) -> Message:
        """The message of this id."""
        return self._part(self.tree.messages, id)

    def answer(self, id: str) -> Answer:
        """The answer of this id."""
        return self._part(self.tree.answers, id)

    def tokens(self, id: str) -> list[Token]:
        """The tokens of an answer, each [text, id, logprob, alternatives]; none while names are hidden."""
        with self._guard:
            answer = self.answer(id)
            return [] if self.tree.is_hidden(self.message(answer.message)) else answer.tokens

    def path_to(self, head: str | None = None) -> list[Message]:
        """The messages from the first to `head`, to the one in sight when it is not given."""
        with self._guard:
            return self.tree.path(head)

    # ---- what its user does ----

    def rename(self, title: str) -> None:
        """Give it another title."""
        self._add({"do": "title", "title": title.strip()[:_LONGEST_TITLE]})

    def settle(self, **values: Any) -> None:
        """Remember what was chosen: lanes, sampling, system, tools, blind; nothing is written if nothing changed."""
        for lane in values.get("lanes") or ():
            refuse_secret(lane)
        changed = {name: value for name, value in values.items() if self.tree.settings.get(name) != value}
        if changed:
            self._add({"do": "settings", "values": changed})

    def ask(self, content: str, slots: Mapping[str, str], *, parent: str | None = None, role: str = "user",
            system: str = "", tools: Sequence[Mapping[str, Any]] = (), alone: bool = False, call: str = "",
            blind: bool = False) -> Message:
        """Add a message behind `parent` (None: at the beginning) and bring its branch into sight.

        A blind message goes on with its parent's round while that has no vote, so its places stay as they are.
        """
        with self._guard:
            before = self.tree.messages.get(parent or "")
            seed = None
            if blind:
                goes_on = before is not None and self.tree.is_hidden(before) and set(before.slots) == set(slots)
                seed = before.blind if goes_on and before else secrets.randbits(48)
            id = _new("m")
            self._add({"do": "ask", "id": id, "parent": parent, "role": role, "content": content, "slots": dict(slots),
                       "system": system, "tools": list(tools), "alone": alone, "call": call, "blind": seed})
            return self.tree.messages[id]

    def point(self, id: str) -> None:
        """Bring the branch through this message into sight, to its latest end."""
        with self._guard:
            self._add({"do": "head", "id": self.tree.leaf(self.message(id).id)})

    def pick(self, id: str) -> None:
        """Let the conversation go on with this answer among several of its lane."""
        self._add({"do": "pick", "answer": self.answer(id).id})

    def correct(self, id: str, text: str | None) -> None:
        """Say what the answer should have been; None takes the correction back."""
        self._add({"do": "correct", "answer": self.answer(id).id, "text": text})

    def vote(self, id: str, choice: str) -> None:
        """Vote on a blind message: a place, `tie` or `bad`; the names are shown from then on, and the vote stays.

        Raises InputError vote_unknown, vote_not_blind, vote_again, vote_early.
        """
        with self._guard:
            self.refresh()
            message = self.message(id)
            if message.blind is None:
                raise InputError("vote_not_blind")
            if not self.tree.is_hidden(message):
                raise InputError("vote_again")
            chosen = {place: answer for place, slot in views.places(message)
                      if (answer := self.tree.picked(message, slot))}
            if choice not in (*chosen, "tie", "bad"):
                raise InputError("vote_unknown", value=choice, known=[*chosen, "tie", "bad"])
            if any(views.state_of(answer, is_live) == ANSWERING for answer in chosen.values()) or len(chosen) < 2:
                raise InputError("vote_early")
            self._add({"do": "vote", "message": id, "choice": choice,
                       "answers": {place: answer.id for place, answer in chosen.items()}})

    # ---- what a talk writes ----

    def begin(self, message: str, slot: str, lane: str, sampling: Mapping[str, Any] | None = None, content: str = "",
              thinking: str = "", tokens: Sequence[Token] = ()) -> Answer:
        """A new answer that this process is about to write, with what it begins with."""
        with self._guard:
            id = _new("a")
            _writing.add(id)
            self._add({"do": "answer", "id": id, "message": self.message(message).id, "slot": slot, "lane": lane,
                       "sampling": dict(sampling or {}), "content": content, "thinking": thinking,
                       "tokens": list(tokens), "writer": _me()})
            return self.tree.answers[id]

    def go_on(self, id: str) -> Answer:
        """An answer that had ended, to be written further by this process; raises InputError answer_going."""
        with self._guard:
            self.refresh()
            answer = self.answer(id)
            if answer.state == ANSWERING and is_live(answer):
                raise InputError("answer_going")
            _writing.add(id)
            self._add({"do": "go", "answer": id, "writer": _me()})
            return answer

    def grow(self, id: str, text: str = "", thinking: str = "", tokens: Sequence[Token] = ()) -> None:
        """Add to an answer, for readers in this process at once; `flush` brings it to the disk."""
        with self._guard:
            answer = self.tree.answers[id]
            part = self._pending.setdefault(id, {"do": "more", "answer": id, "text": "", "thinking": "", "tokens": []})
            part["text"] += text
            part["thinking"] += thinking
            part["tokens"] += tokens
            answer.content += text
            answer.thinking += thinking
            answer.add_tokens(tokens)
            if self.tree.messages[answer.message].blind is not None:
                answer.marks.append((len(answer.content), len(answer.thinking)))
            self.tree.version += 1
            self.tree.touch(answer)

    def flush(self) -> None:
        """Bring what has grown to the disk."""
        with self._guard:
            if self._pending:
                events, self._pending = list(self._pending.values()), {}
                self._journal.add(events, heard=True)

    def end(self, id: str, state: str = DONE, *, code: str = "", values: Mapping[str, Any] | None = None,
            proof: Mapping[str, Any] | None = None, tool_calls: Sequence[Mapping[str, Any]] = (),
            finish: str = "") -> None:
        """The answer is whole, stopped or failed; its words are written once more as one, for whoever searches."""
        with self._guard:
            answer = self.tree.answers[id]
            self._pending, rest = {}, list(self._pending.values())
            event = {"do": "end", "answer": id, "state": state, "code": code, "values": dict(values or {}),
                     "proof": dict(proof or {}), "tool_calls": list(tool_calls), "finish": finish,
                     "content": answer.content, "thinking": answer.thinking, "at": time.time()}
            try:
                self._journal.add([*rest, event], heard=True)
            finally:
                self.tree.fold(event)
                _writing.discard(id)

    def forget(self, id: str) -> None:
        """This process writes the answer no longer, though its end could not be written."""
        _writing.discard(id)

    @contextmanager
    def held(self) -> Iterator[Tree]:
        """The tree, which nobody in this process changes meanwhile."""
        with self._guard:
            yield self.tree

    def _add(self, event: Event) -> None:
        event = {**event, "at": time.time()}
        with self._guard:
            self._journal.add([event])

    def _part(self, parts: dict[str, Any], id: str) -> Any:
        with self._guard:
            found = parts.get(id)
            if found is None:
                self.refresh()
                found = parts.get(id)
        if found is None:
            raise InputError("conversation_part", value=id)
        return found


def is_live(answer: Answer) -> bool:
    """Whether somebody is writing this answer: a thread here, or another process that lives (or cannot be asked)."""
    if answer.id in _writing:
        return True
    writer = answer.writer
    if writer is None or (writer.pid == os.getpid() and writer == Identity.of(os.getpid())):
        return False
    return writer.alive() is not False


def slots_of(lanes: Sequence[str]) -> dict[str, str]:
    """Lanes in their columns: the first is A; an empty name leaves its column free.

    Raises InputError lanes_none, lanes_many, lane_address for an address with a password in it.
    """
    if len(lanes) > len(SLOTS):
        raise InputError("lanes_many", count=len(lanes), most=len(SLOTS))
    for name in lanes:
        refuse_secret(name)
    found = {slot: name for slot, name in zip(SLOTS, lanes, strict=False) if name}
    if not found:
        raise InputError("lanes_none")
    return found


def refuse_secret(lane: str) -> None:
    """Raise InputError lane_address for an address with a name or password in it: lanes are written down."""
    _, is_address, rest = lane.partition("://")
    place = rest.partition("/")[0]
    if is_address and "@" in place:
        raise InputError("lane_address", value=place.rpartition("@")[2])


def _me() -> dict[str, Any] | None:
    me = Identity.of(os.getpid())
    return me.as_json() if me else None


def _new(letter: str) -> str:
    return letter + secrets.token_hex(6)
