"""The token microscope: one row as the model will be taught it, token by token, by the functions that training uses.

Ids and labels are those of `ChatTokenizer.encode`, never a second reckoning; here they are only laid beside the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from studio.data.chat import NOT_TRAINED, ChatTokenizer, Encoded
from studio.data.jinja import REFUSALS
from studio.data.pieces import Pieces
from studio.sample import Message, Sample

NO_CUTOFF = 1 << 30
TRAINED, CONTEXT, CUT = "trained", "context", "cut"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `state` is trained, context or cut (beyond cutoff_len), `special` says that it is a sign of its own.

    `start` and `end` are its characters in the slide's text; both are the text's end for an end token that the
    template does not write. `bytes` is what it stands for; `text` shows that, with U+FFFD where it holds a part of a
    character, and `part` is then the whole character it takes part in. `turn` is the place of its turn.
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
        kept = self.tokens[:len(self.ids)]
        end = max((token.end for token in kept), default=0)
        return self.text[:end] + "".join(token.text for token in kept[-1:] if token.start == token.end == end)

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
    sides = _sides(sample)
    return tuple(_slide(chat, side, cutoff_len, train_on_prompt, mask_history) for side in sides)


def _sides(sample: Sample) -> tuple[Sample, ...]:
    """The conversations of a row: its own, and for a pair the one that ends in the rejected turns."""
    if not sample.rejected:
        return (sample,)
    kept = sample.messages[:len(sample.messages) - len(sample.rejected)]
    return (Sample(sample.messages, tools=sample.tools), Sample((*kept, *sample.rejected), tools=sample.tools))


def _slide(chat: ChatTokenizer, sample: Sample, cutoff_len: int, train_on_prompt: bool, mask_history: bool) -> Slide:
    whole = chat.encode(sample, NO_CUTOFF, train_on_prompt, mask_history)
    if isinstance(whole, str):
        return Slide((), _rendered(chat, sample), reason=whole)
    kept = chat.encode(sample, cutoff_len, train_on_prompt, mask_history)
    text = _rendered(chat, sample)
    places = _places(chat, whole, text)
    labels = kept.labels if isinstance(kept, Encoded) else np.full(cutoff_len, NOT_TRAINED, np.int32)
    borders = _borders(chat, sample, text)
    tokens = _tokens(chat, whole, labels, text, places, borders)
    end = places[-1][1] if places else 0
    return Slide(tokens, text, _turns(tokens, [one.role for one in _spoken(chat, sample)]), text[end:],
                 kept if isinstance(kept, str) else "", whole.ids[:len(labels)], labels.tolist())


def _tokens(chat: ChatTokenizer, whole: Encoded, labels: np.ndarray, text: str, places: Sequence[tuple[int, int]],
            borders: Sequence[int]) -> tuple[Token, ...]:
    pieces, special = _pieces(chat), _special(chat)
    found = []
    for place, (one, (start, end)) in enumerate(zip(whole.ids, places, strict=True)):
        spelled = pieces.bytes_of(one)
        shown = spelled.decode(errors="replace")
        state = CUT if place >= len(labels) else CONTEXT if labels[place] == NOT_TRAINED else TRAINED
        turn = int(np.searchsorted(borders, max(start, end - 1), side="right")) if borders else 0
        found.append(Token(one, shown, start, end, spelled, state, min(turn, len(borders)), one in special,
                           text[start:end] if "\ufffd" in shown else ""))
    return tuple(found)


def _places(chat: ChatTokenizer, whole: Encoded, text: str) -> list[tuple[int, int]]:
    """The characters of each token in the text; those of a token that the text does not hold are its end."""
    encoding = chat.tokenizer.encode(text, add_special_tokens=False)
    found = [tuple(place) for place in encoding.offsets[:len(whole.ids)]]
    same = len(whole.ids)
    while same and encoding.ids[same - 1:same] != whole.ids[same - 1:same]:
        same -= 1
    end = found[same - 1][1] if same else 0
    return found[:same] + [(end, end)] * (len(whole.ids) - same)


def _borders(chat: ChatTokenizer, sample: Sample, text: str) -> list[int]:
    """Where in the text each turn but the first begins."""
    messages, found, at = _spoken(chat, sample), [], 0
    for place in range(1, len(messages)):
        before = _prefix(chat, messages[:place], text)
        if before is None:
            words = messages[place - 1].content.strip()
            seen = text.find(words, at)
            before = max(at, seen + len(words)) if words and seen >= 0 else at
        at = max(at, before)
        found.append(at)
    return found


def _prefix(chat: ChatTokenizer, messages: Sequence[Message], text: str) -> int | None:
    """The length of what the template makes of the first turns alone, when the text begins with it."""
    try:
        before = chat.render(messages)
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
        return chat.render(sample.messages)
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
