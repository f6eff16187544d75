"""Which tokens of a rendered conversation are trained: those of the answers and of the ends behind them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from tokenizers import Encoding, Tokenizer

from studio.data.answers import Span
from studio.data.signposts import Signposts

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


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered conversation, its answers' characters [start, end), and the tokens of a heading left out of it."""

    text: str
    answers: list[Span]
    posts: Signposts | None = None
    heading: list[int] = field(default_factory=list)


def labels_of(ids: np.ndarray, spans: Sequence[Sequence[int]]) -> np.ndarray:
    """The ids inside the spans and -100 outside."""
    labels = np.full(len(ids), NOT_TRAINED, np.int32)
    for start, end in spans:
        labels[start:end] = ids[start:end]
    return labels


def masked(ids: list[int], spans: list[Span], heading: list[int], ends: Sequence[int], first: int, cutoff_len: int,
           train_on_prompt: bool) -> Encoded | str:
    """The tokens of a text whose answers are the tokens in `spans`; those from the `first`-th on are trained.

    `heading` are the tokens of what stands before the text. `ends` are the ids that end an answer; the first of them
    is added where the last answer has none. The reason prompt_too_long when nothing to train is left within
    cutoff_len tokens.
    """
    start, end = spans[-1]
    if ids[end - 1] not in ends:
        ids = [*ids[:end], ends[0]]
        spans = [*spans[:-1], (start, end + 1)]
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


def token_spans(tokenizer: Tokenizer, rendered: Sequence[Rendered],
                ends: Collection[int]) -> Iterator[tuple[list[int], list[Span]]]:
    """(ids, the [start, end) tokens of each answer with its end token) of texts.

    By signposts where they are known, by each token's place in the text otherwise.
    """
    posted = [one.posts if one.posts and one.posts.trusted else None for one in rendered]
    guided, others = ([one.text for one, posts in zip(rendered, posted, strict=True) if bool(posts) is wanted]
                      for wanted in (True, False))
    quick = iter(tokenizer.encode_batch_fast(guided, add_special_tokens=False))
    careful = iter(tokenizer.encode_batch(others, add_special_tokens=False))
    for one, posts in zip(rendered, posted, strict=True):
        if posts is None:
            yield _by_places(next(careful), one, ends)
            continue
        ids = next(quick).ids
        spans = posts.spans(ids)
        if spans is None or not posts.trusted or posts.due():
            exact = _by_places(tokenizer.encode(one.text, add_special_tokens=False), one, ends)
            posts.trusted = posts.trusted and spans in (None, exact[1])
            yield exact
        else:
            yield ids, spans


def _by_places(encoding: Encoding, one: Rendered, ends: Collection[int]) -> tuple[list[int], list[Span]]:
    ids = encoding.ids
    return ids, [_tokens(encoding, ids, one.text, start, end, ends) for start, end in one.answers]


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
