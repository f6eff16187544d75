"""The token microscope: one row as the model will be taught it, token by token, by the functions that training uses.

Ids and labels are those of `ChatTokenizer.encode`, never a second reckoning; here they are only laid beside the text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from studio.data import plain
from studio.data.chat import NOT_TRAINED, ChatTokenizer, Encoded, Located, pair
from studio.data.jinja import REFUSALS
from studio.data.pieces import Pieces
from studio.sample import Message, Sample

NO_CUTOFF = 1 << 30
TRAINED, CONTEXT, CUT = "trained", "context", "cut"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `state` is trained, context or cut (beyond cutoff_len), `special` says that it is a sign of its own.

    `start` and `end` are its characters in the slide's text. `bytes` is what it stands for; `text` shows that, with
    U+FFFD where it holds a part of a character, and `part` is then the whole character it takes part in. `turn` is
    the place of its turn. `added` says that training puts this end behind the answer, where the template writes none.
    """

    id: int
    text: str
    start: int
    end: int
    bytes: bytes
    state: str
    turn: int
    special: bool = False
    part: str = ""
    added: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of the conversation weighs in tokens; the template's words before it are counted with it."""

    role: str
    tokens: int
    trained: int
    context: int
    cut: int


@dataclass(frozen=True, slots=True)
class Slide:
    """One row under the microscope; `text` is the row as the template spells it, `rest` what training leaves off it.

    `reason` is the code (`data.skipped.<reason>`) of a row that teaches nothing, "" for one that is trained.
    """

    tokens: tuple[Token, ...]
    text: str
    turns: tuple[Turn, ...] = ()
    rest: str = ""
    reason: str = ""
    ids: list[int] = field(default_factory=list, repr=False)
    labels: list[int] = field(default_factory=list, repr=False)

    @property
    def seen(self) -> str:
        """The text that training has: up to cutoff_len, with an end token that the template does not write."""
        return "".join(words for words, _ in self.parts())

    def parts(self) -> list[tuple[str, str]]:
        """(words, state) of the text that training has, in as few parts as there are changes of state."""
        found: list[tuple[str, str]] = []
        at = 0
        for token in self.tokens[:len(self.ids)]:
            words = token.text if token.added else self.text[at:token.end]
            at = max(at, token.end)
            if found and found[-1][1] == token.state:
                found[-1] = (found[-1][0] + words, token.state)
            elif words:
                found.append((words, token.state))
        return found

    def count(self, state: str) -> int:
        """How many tokens are in this state."""
        return sum(token.state == state for token in self.tokens)

    @property
    def trained(self) -> int:
        """How many tokens are learned."""
        return self.count(TRAINED)

    @property
    def context(self) -> int:
        """How many tokens the model only sees."""
        return self.count(CONTEXT)

    @property
    def cut(self) -> int:
        """How many tokens lie beyond cutoff_len."""
        return self.count(CUT)


def look(chat: ChatTokenizer, sample: Sample, cutoff_len: int = NO_CUTOFF, train_on_prompt: bool = False,
         mask_history: bool = False) -> Slide:
    """The row under the microscope; a pair's chosen answer (see `look_both`).

    A row that cannot be spelled at all is a slide without tokens, with its reason.
    """
    return look_both(chat, sample, cutoff_len, train_on_prompt, mask_history)[0]


def look_both(chat: ChatTokenizer, sample: Sample, cutoff_len: int = NO_CUTOFF, train_on_prompt: bool = False,
              mask_history: bool = False) -> tuple[Slide, ...]:
    """One slide, or for a pair two: the chosen and the rejected answer."""
    if sample.text:
        text, kept_text = (plain.encode(chat, sample, most) for most in (NO_CUTOFF, cutoff_len))
        return (_slide(chat, sample, text, kept_text, cutoff_len),)
    if not sample.rejected:
        whole, kept = (chat.encode(sample, most, train_on_prompt, mask_history) for most in (NO_CUTOFF, cutoff_len))
        return (_slide(chat, sample, whole, kept, cutoff_len),)
    sides = [Sample(messages, tools=sample.tools) for messages in pair(sample)]
    whole_pair, kept_pair = (_both(chat.encode_pair(sample, most)) for most in (NO_CUTOFF, cutoff_len))
    return tuple(_slide(chat, *one, cutoff_len) for one in zip(sides, whole_pair, kept_pair, strict=True))


def _both(found: tuple[Encoded, Encoded] | str) -> tuple[Encoded | str, Encoded | str]:
    return (found, found) if isinstance(found, str) else found


def _slide(chat: ChatTokenizer, sample: Sample, whole: Encoded | str, kept: Encoded | str, cutoff_len: int) -> Slide:
    located = plain.located(chat, sample) if sample.text else chat.located(sample)
    if isinstance(whole, str) or isinstance(located, str):
        return Slide((), _rendered(chat, sample), reason=str(whole))
    text = located.text
    labels = np.full(cutoff_len, NOT_TRAINED, np.int32) if isinstance(kept, str) else kept.labels
    tokens = _tokens(chat, whole, labels, located, _borders(chat, sample, text))
    end = tokens[-1].end if tokens else 0
    return Slide(tokens, text, _turns(tokens, [one.role for one in _spoken(chat, sample)]), text[end:],
                 kept if isinstance(kept, str) else "", whole.ids[:len(labels)], labels.tolist())


def _tokens(chat: ChatTokenizer, whole: Encoded, labels: np.ndarray, located: Located,
            borders: Sequence[int]) -> tuple[Token, ...]:
    """Every token with its characters; an added end has none, and stands behind the last token that has."""
    pieces, special, text = _pieces(chat), _special(chat), located.text
    found: list[Token] = []
    added = len(whole.ids) - _same(whole.ids, located.ids)
    for place, one in enumerate(whole.ids):
        is_added = place >= len(whole.ids) - added
        start, end = (found[-1].end, found[-1].end) if is_added and found else located.offsets[place]
        spelled = pieces.bytes_of(one)
        shown = spelled.decode(errors="replace")
        state = CUT if place >= len(labels) else CONTEXT if labels[place] == NOT_TRAINED else TRAINED
        turn = bisect_right(borders, max(start, end - 1))
        found.append(Token(one, shown, start, end, spelled, state, turn, one in special,
                           text[start:end] if "\ufffd" in shown else "", is_added))
    return tuple(found)


def _same(ids: Sequence[int], others: Sequence[int]) -> int:
    """With how many equal ids both begin."""
    return next((place for place, (one, other) in enumerate(zip(ids, others, strict=False)) if one != other),
                min(len(ids), len(others)))


def _borders(chat: ChatTokenizer, sample: Sample, text: str) -> list[int]:
    """Where in the text each turn but the first begins."""
    messages, found, at = _spoken(chat, sample), [], 0
    for place in range(1, len(messages)):
        before = _prefix(chat, sample, messages[:place], text)
        if before is None:
            words = messages[place - 1].content.strip()
            seen = text.find(words, at)
            before = max(at, seen + len(words)) if words and seen >= 0 else at
        at = max(at, before)
        found.append(at)
    return found


def _prefix(chat: ChatTokenizer, sample: Sample, messages: Sequence[Message], text: str) -> int | None:
    """The length of what the template makes of the first turns alone, when the text begins with it."""
    try:
        before = chat.render(messages, tools=sample.tools)
    except REFUSALS:
        return None
    return len(before) if before and text.startswith(before) else None


def _spoken(chat: ChatTokenizer, sample: Sample) -> tuple[Message, ...]:
    """The turns as they are rendered: with the system message that is said when a row has none."""
    if chat.default_system and sample.messages and sample.messages[0].role != "system":
        return (Message("system", chat.default_system), *sample.messages)
    return sample.messages


def _rendered(chat: ChatTokenizer, sample: Sample) -> str:
    try:
        return chat.render(sample.messages, tools=sample.tools)
    except REFUSALS:
        return ""


def _turns(tokens: Sequence[Token], roles: Sequence[str]) -> tuple[Turn, ...]:
    found = []
    for place, role in enumerate(roles):
        states = [token.state for token in tokens if token.turn == place]
        found.append(Turn(role, len(states), *(states.count(state) for state in (TRAINED, CONTEXT, CUT))))
    return tuple(found)


@lru_cache(maxsize=4)
def _pieces(chat: ChatTokenizer) -> Pieces:
    return Pieces(chat.tokenizer)


@lru_cache(maxsize=4)
def _special(chat: ChatTokenizer) -> frozenset[int]:
    """The ids that are signs and not words."""
    added = chat.tokenizer.get_added_tokens_decoder()
    return frozenset(one for one, token in added.items() if token.special) | frozenset(chat.eos_ids)
