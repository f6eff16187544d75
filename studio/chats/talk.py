"""Talk: a conversation that is going on: what is said to its lanes, one thread a lane that writes down the answer.

A talk lives in the page's process and needs no page: a refresh or a second tab finds it going on (`talks.talk`).
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from studio.chats.answering import Work
from studio.chats.conversation import Conversation, slots_of
from studio.chats.tree import Answer, Message, Token
from studio.chats.views import Seen
from studio.errors import InputError


class Talk:
    """What can be done with a conversation; everything returns at once, `look` shows what became of it.

    `engine` is an `engine.Engine`. `sampling` holds temperature, top_p, top_k, min_p, max_tokens, seed, stop and the
    other names of the protocol. A `slot` is an answer's column (`Answer.slot`); where a blind round hides names, it is
    not the place in which the answer is shown. An answer that fails says so in its state; nothing is raised for it.
    """

    def __init__(self, conversation: Conversation, engine: Any) -> None:
        self.conversation = conversation
        self.engine = engine
        self._guard = threading.Lock()
        self._stops: dict[str, threading.Event] = {}
        self._threads: dict[str, threading.Thread] = {}

    # ---- saying ----

    def send(self, text: str, lanes: Sequence[str], sampling: Mapping[str, Any] | None = None, system: str = "",
             tools: Sequence[Mapping[str, Any]] = (), blind: bool = False) -> Message:
        """Say something to all lanes (the first stands in column A); their answers begin to come.

        Raises InputError lanes_none, lanes_many, words_none, answer_going, lanes_blind.
        """
        slots = slots_of(lanes)
        if blind and len(slots) < 2:
            raise InputError("lanes_blind")
        self.conversation.settle(lanes=list(lanes), asked=dict(sampling or {}), system=system, tools=list(tools),
                                 blind=blind)
        return self._ask(text, slots, sampling, system=system, tools=tools, blind=blind)

    def to(self, slot: str, text: str, sampling: Mapping[str, Any] | None = None) -> Message:
        """Say something to the lane in this column alone; the others do not hear of it.

        Raises InputError lane_column for a column without a lane, words_none, answer_going.
        """
        lane = self._lane_in(slot)
        last = self._last()
        return self._ask(text, {slot: lane}, sampling, system=last.system if last else "",
                         tools=last.tools if last else (), alone=True)

    def edit(self, message: str, text: str) -> Message:
        """Say it in other words: a branch beside the first wording, sent to the same lanes with the same sampling.

        Raises InputError words_none, answer_going.
        """
        old = self.conversation.message(message)
        before = [answer for slot in sorted(old.slots) if (answer := self.conversation.tree.picked(old, slot))]
        return self._ask(text, old.slots, before[0].sampling if before else None, parent=old.parent, moved=True,
                         system=old.system, tools=old.tools, alone=old.alone, blind=old.blind is not None,
                         role=old.role, call=old.call)

    def answer_tool(self, answer: str, results: Mapping[str, str]) -> Message:
        """Give the results of an answer's tool calls, by the id of the call; the lane goes on from there.

        Raises InputError call_unknown, calls_missing, answer_going.
        """
        asked = self.conversation.answer(answer)
        calls = [str(call.get("id") or "") for call in asked.tool_calls]
        for id in results:
            if id not in calls:
                raise InputError("call_unknown", value=id)
        if missing := [id for id in calls if id not in results]:
            raise InputError("calls_missing", found=missing)
        self._refuse_going(asked.slot)
        before, parent = self.conversation.message(asked.message), asked.message
        for id in calls:
            last = self.conversation.ask(results[id], {asked.slot: asked.lane}, parent=parent, role="tool",
                                         system=before.system, tools=before.tools, alone=True, call=id)
            parent = last.id
        self._start(last, asked.slot, asked.sampling)
        return last

    # ---- answering again ----

    def regenerate(self, message: str, slot: str | None = None, sampling: Mapping[str, Any] | None = None) -> None:
        """Have a message answered once more, by all its lanes or one; the earlier answers stay as variants.

        Unless other sampling is given, the seed of before is moved on, else the same words would come. Raises
        InputError answer_going.
        """
        asked = self.conversation.message(message)
        for one in [slot] if slot else sorted(asked.slots):
            before = self.conversation.tree.picked(asked, one)
            chosen = seeded(sampling if sampling is not None else before.sampling if before else {})
            if before and chosen == before.sampling:
                chosen["seed"] += 1
            self._refuse_going(one)
            self._start(asked, one, chosen)

    def proceed(self, answer: str) -> None:
        """Let an answer that ended go on from its last token; raises InputError answer_going.

        One that was corrected stays; what goes on from the correction is a variant beside it.
        """
        asked = self.conversation.answer(answer)
        self._refuse_going(asked.slot)
        if asked.correction is not None:
            begun = self.conversation.begin(asked.message, asked.slot, asked.lane, asked.sampling, asked.correction)
            self._run(Work(self.conversation, self.engine, begun, goes_on=True))
            return
        self._run(Work(self.conversation, self.engine, self.conversation.go_on(answer), goes_on=True))

    def again_from(self, answer: str, token: int, id: int) -> Answer:
        """Answer again from a token of an answer, with another choice in its place: the token lens.

        The new answer is a variant beside the old one. Raises InputError token_unknown, answer_going.
        """
        asked = self.conversation.answer(answer)
        kept, chosen = _with_choice(asked.tokens, token, id)
        self._refuse_going(asked.slot)
        begun = self.conversation.begin(asked.message, asked.slot, asked.lane, asked.sampling)
        self._run(Work(self.conversation, self.engine, begun, tokens=[*kept, chosen]))
        return begun

    def correct(self, answer: str, text: str | None) -> None:
        """Put right what a lane said: the conversation goes on with it, and it can be saved as a training row."""
        self.conversation.correct(answer, text)

    def vote(self, message: str, choice: str) -> None:
        """Vote on a blind message; see `Conversation.vote`."""
        self.conversation.vote(message, choice)

    # ---- watching ----

    def look(self, since: int = 0) -> Seen:
        """What changed after version `since`; cheap enough for five looks a second."""
        return self.conversation.look(since)

    def stop(self, slot: str | None = None) -> None:
        """Have the lane in this column stop talking, or all of them; what they said stays."""
        with self._guard:
            for one, event in self._stops.items():
                if slot in (None, one):
                    event.set()

    def answering(self) -> tuple[str, ...]:
        """The columns that are talking now."""
        with self._guard:
            return tuple(slot for slot, thread in self._threads.items() if thread.is_alive())

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nobody talks any more, at most so long; whether nobody does."""
        with self._guard:
            threads = list(self._threads.values())
        for thread in threads:
            thread.join(seconds)
        return not self.answering()

    # ---- within ----

    def _ask(self, text: str, slots: Mapping[str, str], sampling: Mapping[str, Any] | None, *,
             parent: str | None = None, moved: bool = False, **about: Any) -> Message:
        if not text.strip():
            raise InputError("words_none")
        for slot in slots:
            self._refuse_going(slot)
        self.conversation.refresh()
        place = parent if moved else self.conversation.tree.head
        message = self.conversation.ask(text, slots, parent=place, **about)
        chosen = seeded(sampling if sampling is not None else self.conversation.settings.get("asked") or {})
        for slot in sorted(slots):
            self._start(message, slot, chosen)
        return message

    def _start(self, message: Message, slot: str, sampling: Mapping[str, Any]) -> None:
        begun = self.conversation.begin(message.id, slot, message.slots[slot], sampling)
        self._run(Work(self.conversation, self.engine, begun))

    def _run(self, work: Work) -> None:
        slot = work.answer.slot
        thread = threading.Thread(target=work.run, name=f"lane {slot}", daemon=True)
        with self._guard:
            self._stops[slot] = work.stop
            self._threads[slot] = thread
        thread.start()

    def _refuse_going(self, slot: str) -> None:
        if slot in self.answering():
            raise InputError("answer_going")

    def _last(self) -> Message | None:
        path = self.conversation.path_to()
        return path[-1] if path else None

    def _lane_in(self, slot: str) -> str:
        """The lane that last stood in this column."""
        for message in reversed(self.conversation.path_to()):
            if slot in message.slots:
                return message.slots[slot]
        lanes = slots_of(self.conversation.settings.get("lanes") or [""])
        if slot not in lanes:
            raise InputError("lane_column", value=slot)
        return lanes[slot]


def seeded(sampling: Mapping[str, Any]) -> dict[str, Any]:
    """The sampling with a seed, which all lanes of a message share: a drawn one where none is given."""
    said = {name: value for name, value in sampling.items() if name != "answer_seed"}
    given = sampling.get("seed") if sampling.get("seed") is not None else sampling.get("answer_seed")
    return {**said, "seed": secrets.randbits(31) if given is None else int(given)}


def _with_choice(tokens: Sequence[Token], place: int, id: int) -> tuple[list[Token], Token]:
    """The tokens before a place, and the one that is chosen there among its alternatives."""
    if not 0 <= place < len(tokens):
        raise InputError("token_unknown", value=place)
    text, own, logprob, others = (*tokens[place], [])[:4]
    options = [[text, own, logprob], *(others or [])]
    chosen = next((one for one in options if one[1] == id), None)
    if chosen is None:
        raise InputError("token_unknown", value=id)
    return [list(one) for one in tokens[:place]], [*chosen[:3], others or []]
