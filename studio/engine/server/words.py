"""Tokens become text while they come: no half characters, nothing that may yet turn out to be a stop string.

The pieces of an answer, joined, are what the tokenizer makes of all its ids at once; only where a model says bytes that
are no UTF-8 behind others that are, a tokenizer of bytes would give up the whole run and here what was shown stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from tokenizers import Tokenizer

_HALF = "\ufffd"
_LONGEST_WINDOW = 16  # tokens that are read again with each new one


class Vocabulary:
    """A tokenizer as it spells single tokens; one for all answers of a model."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        added = tokenizer.get_added_tokens_decoder()
        self.special = {one: token.content for one, token in added.items() if token.special}
        self._alone: dict[int, str] = {}

    @cached_property
    def bytes(self) -> frozenset[int]:
        """The ids that stand for one byte each (`<0xE4>`), of which a run is text only where all of it is UTF-8."""
        if self.tokenizer.decoder is None or b"ByteFallback" not in self.tokenizer.decoder.__getstate__():
            return frozenset()
        found = (self.tokenizer.token_to_id(f"<0x{byte:02X}>") for byte in range(256))
        return frozenset(one for one in found if one is not None)

    def text(self, ids: Sequence[int], skip_special: bool) -> str:
        """The text of ids."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=skip_special)

    def alone(self, token_id: int) -> str:
        """The text of one token as it stands behind another: with its leading space, a special one spelled out."""
        if token_id not in self._alone:
            self._alone[token_id] = self._spelled(token_id)
        return self._alone[token_id]

    def _spelled(self, token_id: int) -> str:
        if token_id in self.special:
            return self.special[token_id]
        before = self.text([self.letter], False)
        both = self.text([self.letter, token_id], False)
        return both[len(before):] if both.startswith(before) else self.text([token_id], False)

    @cached_property
    def letter(self) -> int:
        """A token that is one plain letter, to stand in front of another."""
        ids = self.tokenizer.encode("a", add_special_tokens=False).ids
        return ids[-1] if ids else 0


class Words:
    """The text of one answer, token by token."""

    def __init__(self, tokenizer: Tokenizer | Vocabulary, stop: Sequence[str] = (), skip_special: bool = True) -> None:
        self._vocabulary = tokenizer if isinstance(tokenizer, Vocabulary) else Vocabulary(tokenizer)
        self._stops = [one for one in stop if one]
        self._skips = skip_special
        self._stop_ids = {one for one, content in self._vocabulary.special.items() if content in self._stops}
        self._window: list[int] = []
        self._shown = 0  # characters of the window's text that were taken out of it
        self._waiting = ""  # text that may be the beginning of a stop string
        self.stopped = False

    def push(self, token_id: int) -> tuple[str, bool]:
        """The text that is certain now, and whether a stop string was found; what follows one is never said."""
        if self.stopped:
            return "", True
        if token_id in self._stop_ids:
            self.stopped = True
            return self._taken(whole=True) + self._rest(), True
        if self._skips and token_id in self._vocabulary.special:
            return "", False
        self._window.append(token_id)
        return self._checked(self._taken(whole=False))

    def flush(self) -> str:
        """The text that was held back; the answer has ended."""
        if self.stopped:
            return ""
        piece, stopped = self._checked(self._taken(whole=True))
        return piece if stopped else piece + self._rest()

    def _rest(self) -> str:
        rest, self._waiting = self._waiting, ""
        return rest

    def _taken(self, whole: bool) -> str:
        """The new text of the window, without what the next token may change unless the `whole` is wanted."""
        if not self._window:
            return ""
        last = self._window[-1]
        text = self._vocabulary.text(self._window, self._skips)
        if last in self._vocabulary.bytes and not whole:
            return self._characters(text[self._shown:])
        settled = len(text) - (text.endswith(_HALF) and not whole)
        piece = text[self._shown:settled]
        self._shown = max(self._shown, settled)
        if settled == len(text) and len(self._window) >= _LONGEST_WINDOW:
            self._window = [last]
            self._shown = len(self._vocabulary.text(self._window, self._skips))
        return piece

    def _characters(self, text: str) -> str:
        """The text of a run of bytes when it is whole characters; one broken byte more would make it all unreadable."""
        if _HALF in text or not text:
            return ""
        self._window = [self._vocabulary.letter]
        self._shown = len(self._vocabulary.text(self._window, self._skips))
        return text

    def _checked(self, piece: str) -> tuple[str, bool]:
        """The text up to a stop string, or up to where one may begin."""
        if not self._stops:
            return piece, False
        text = self._waiting + piece
        places = [place for place in map(text.find, self._stops) if place >= 0]
        if places:
            self.stopped, self._waiting = True, ""
            return text[:min(places)], True
        held = max(_begun(text, stop) for stop in self._stops)
        self._waiting = text[len(text) - held:]
        return text[:len(text) - held], False


def _begun(text: str, stop: str) -> int:
    """How many characters at the end of a text are the beginning of the stop string."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
