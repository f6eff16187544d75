"""Which tokens of a rendered conversation are trained: those of the answers and of the ends behind them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Encoding

from studio.data.answers import Span

NOT_TRAINED = -100


@dataclass(frozen=True, slots=True)
class Encoded:
    """One conversation in tokens; `spans` are the [start, end) places of trained tokens, `cut` says it was too long."""

    ids: list[int]
    spans: list[Span]
    cut: bool

    @property
    def labels(self) -> np.ndarray:
        """The ids where they are trained and -100 elsewhere, at the same places as the ids."""
        return labels_of(np.asarray(self.ids, np.int32), self.spans)


def labels_of(ids: np.ndarray, spans: Sequence[Sequence[int]]) -> np.ndarray:
    """The ids inside the spans and -100 outside."""
    labels = np.full(len(ids), NOT_TRAINED, np.int32)
    for start, end in spans:
        labels[start:end] = ids[start:end]
    return labels


def masked(encoding: Encoding, heading: list[int], text: str, answers: Sequence[Span], ends: Sequence[int], first: int,
           cutoff_len: int, train_on_prompt: bool) -> Encoded | str:
    """The tokens of a text whose `answers` are characters [start, end); those from the `first`-th on are trained.

    `heading` are the tokens of what stands before the text. `ends` are the ids that end an answer; the first of them
    is added where the last answer has none. The reason prompt_too_long when nothing to train is left within
    cutoff_len tokens.
    """
    ids = encoding.ids
    spans = [_tokens(encoding, ids, text, start, end, ends) for start, end in answers]
    start, end = spans[-1]
    if ids[end - 1] not in ends:
        ids = [*ids[:end], ends[0]]
        spans[-1] = (start, end + 1)
    elif not train_on_prompt:
        ids = ids[:end]
    if heading:
        ids, more = heading + ids, len(heading)
        spans = [(start + more, end + more) for start, end in spans]
    spans = [(0, len(ids))] if train_on_prompt else spans[first:]
    if len(ids) <= cutoff_len:
        return Encoded(ids, spans, False)
    spans = [(start, min(end, cutoff_len)) for start, end in spans if start < cutoff_len]
    return Encoded(ids[:cutoff_len], spans, True) if spans else "prompt_too_long"


def _tokens(encoding: Encoding, ids: list[int], text: str, start: int, end: int, ends: Collection[int]) -> Span:
    """The tokens that hold characters [start, end) of the text, and the end token that follows them."""
    first = _token_at(encoding, start, end)
    stop = _token_at(encoding, end, len(text))
    if stop is None:
        stop = len(ids)
    elif encoding.token_to_chars(stop)[0] < end:
        stop += 1
    if first is None:
        first = stop
    place = stop
    while place < len(ids):
        if ids[place] in ends:
            return first, place + 1
        left, right = encoding.token_to_chars(place)
        if not text[left:right].isspace():
            break
        place += 1
    return first, stop


def _token_at(encoding: Encoding, place: int, end: int) -> int | None:
    """The first token at or after a character; characters may vanish in normalising."""
    while place < end:
        token = encoding.char_to_token(place)
        if token is not None:
            return token
        place += 1
    return None
