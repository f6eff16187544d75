"""What a token spells: the bytes behind its id, whatever way of spelling bytes its tokenizer has.

Byte-level vocabularies (GPT-2, Qwen, Llama 3) write each byte as a letter of their own; sentencepiece vocabularies
(Llama 2, ChatGLM) write a space as ▁ and a byte that no token holds as <0xE9>; word pieces (BERT) write ## before
what goes on.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tokenizers import Tokenizer

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACE = "\u2581"


def _letters() -> dict[str, int]:
    """The byte behind each letter of a byte-level vocabulary, as GPT-2 published it."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(rest)}


_LETTERS = _letters()


class Pieces:
    """The bytes of every token of one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._added = {place: token.content for place, token in tokenizer.get_added_tokens_decoder().items()}
        self.kind = _kind(tokenizer)

    def bytes_of(self, token: int) -> bytes:
        """The UTF-8 bytes that the token stands for, which may be a part of a character; b"" for an unknown id."""
        if token in self._added:
            return self._added[token].encode()
        piece = self._tokenizer.id_to_token(token)
        if piece is None:
            return b""
        if self.kind == "byte_level":
            return bytes(_LETTERS[one] for one in piece) if all(one in _LETTERS for one in piece) else piece.encode()
        found = _BYTE.fullmatch(piece)
        if found and self.kind == "sentencepiece":
            return bytes.fromhex(found[1])
        if self.kind == "sentencepiece":
            return piece.replace(_SPACE, " ").encode()
        return piece.removeprefix("##").encode() if self.kind == "wordpiece" else piece.encode()


def _kind(tokenizer: Tokenizer) -> str:
    """byte_level, sentencepiece, wordpiece or plain: how the tokenizer's decoder turns pieces into text."""
    state = tokenizer.decoder.__getstate__() if tokenizer.decoder is not None else b"null"
    named = {one.get("type") for one in _decoders(json.loads(state))}
    if "ByteLevel" in named:
        return "byte_level"
    if named & {"ByteFallback", "Metaspace"} or any(_SPACE in str(one) for one in _decoders(json.loads(state))):
        return "sentencepiece"
    return "wordpiece" if "WordPiece" in named else "plain"


def _decoders(state: Any) -> list[dict[str, Any]]:
    if not isinstance(state, dict):
        return []
    return [state, *(one for inner in state.get("decoders", []) for one in _decoders(inner))]
