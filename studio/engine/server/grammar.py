"""Answers that are JSON, follow a schema or match a pattern: which tokens may come next, told by llguidance.

A vocabulary that cannot spell what a grammar needs is refused before the first token; one that gets stuck later ends
the answer, since no token is left to choose.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from studio.errors import InputError

KINDS = ("json", "schema", "regex", "lark")
# White space between JSON's signs: as much as an indented answer needs, not as much as a model cares to write.
_JSON: Any = {"whitespace_pattern": r"[ \t]{0,1}|\n[ \t]{0,40}"}
_SIGNS = '{}[]":,0123456789'


class Grammars:
    """The grammars of one tokenizer; `vocabulary` is how many logits the model gives."""

    def __init__(self, tokenizer: Tokenizer, end_ids: Sequence[int], vocabulary: int | None = None) -> None:
        self._tokenizer = tokenizer
        self._ends = list(end_ids)
        self._vocabulary = max(vocabulary or 0, tokenizer.get_vocab_size(with_added_tokens=True))
        self._known: dict[tuple[str, tuple[int, ...]], Any] = {}
        self._read: dict[tuple[int, ...], Any] = {}

    def __call__(self, asked: Mapping[str, Any], end_ids: Sequence[int] = ()) -> Grammar:
        """A grammar at its beginning: {"type": "json"}, {"type": "schema", "schema": …}, {"type": "regex", "regex": …}.

        With {"after": text} it begins behind that text: what ends a thinking part that the prompt has opened.
        Raises InputError grammar_kind, grammar_broken with the reason, grammar_unspellable with what is missing.
        """
        form = {name: value for name, value in asked.items() if name != "after"}
        key = json.dumps(form, sort_keys=True, default=str), tuple(sorted(end_ids or self._ends))
        if key not in self._known:
            if len(self._known) > 64:
                self._known.clear()
            self._known[key] = self._matcher(asked, self._signs(key[1]))
        return Grammar(self._known[key].deep_copy(), str(asked.get("after") or ""), self._tokenizer, key[1])

    def _signs(self, ends: tuple[int, ...]) -> Any:
        """The vocabulary as llguidance reads it, with the tokens that end an answer; that takes it a second."""
        if ends not in self._read:
            self._read[ends] = _signs(self._tokenizer, self._vocabulary, list(ends))
        return self._read[ends]

    def _matcher(self, asked: Mapping[str, Any], signs: Any) -> Any:
        from llguidance import LLMatcher

        kind = asked.get("type")
        try:
            if kind in ("json", "schema"):
                self._check_spelling(signs)
                schema: Any = {"type": "object"} if kind == "json" else asked.get("schema")
                text = LLMatcher.grammar_from_json_schema(schema, defaults=_JSON)
            elif kind == "regex":
                text = LLMatcher.grammar_from_regex(str(asked.get("regex") or asked.get("pattern") or ""))
            elif kind == "lark":
                text = LLMatcher.grammar_from_lark(str(asked.get("lark") or ""))
            else:
                raise InputError("grammar_kind", value=kind, allowed=", ".join(KINDS))
        except (ValueError, TypeError) as error:
            raise InputError("grammar_broken", reason=_first_line(error)) from error
        matcher = LLMatcher(signs, text, log_level=0)
        if matcher.is_error():
            raise InputError("grammar_broken", reason=_first_line(matcher.get_error()))
        if not any(matcher.compute_bitmask()):
            raise InputError("grammar_unspellable", missing=str(asked.get("regex") or kind))
        return matcher

    def _check_spelling(self, signs: Any) -> None:
        known = {signs.decode_bytes([one]) for one in range(self._tokenizer.get_vocab_size())}
        missing = [sign for sign in _SIGNS if sign.encode() not in known]
        if missing:
            raise InputError("grammar_unspellable", missing=" ".join(missing))


def _signs(tokenizer: Tokenizer, vocabulary: int, ends: list[int]) -> Any:
    from llguidance import LLTokenizer, TokenizerWrapper

    try:
        return LLTokenizer(tokenizer.to_str(), n_vocab=vocabulary, eos_token=ends or None)
    except ValueError:  # a way of decoding that it does not know: the pieces are told one by one
        told = TokenizerWrapper(_Told(tokenizer, ends))
        return LLTokenizer(told, n_vocab=vocabulary, eos_token=ends or None)


class Grammar:
    """One answer's way through a grammar; a `Mask` of a row. It begins behind the text `after`, else at once."""

    def __init__(self, matcher: Any, after: str, tokenizer: Tokenizer, ends: Sequence[int]) -> None:
        self._matcher = matcher
        self._after, self._tokenizer = after, tokenizer
        self._ends = list(ends)
        self._said: list[int] = []

    @property
    def is_broken(self) -> bool:
        """Whether a token was accepted that the grammar forbids, or the grammar grew too large."""
        return bool(self._matcher.is_error())

    def forbid(self, scores: Tensor) -> None:
        """Set to -inf, in place, every token of `scores` (vocabulary,) that may not come next; all when it is broken.
        """
        if self.is_broken:
            scores.fill_(-math.inf)
        elif self._after:
            scores[[one for one in self._ends if one < len(scores)]] = -math.inf
        else:
            bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
            may = np.unpackbits(bits, bitorder="little")[:len(scores)].astype(bool)
            scores[len(may):] = -math.inf
            scores[:len(may)].masked_fill_(torch.from_numpy(~may).to(scores.device), -math.inf)

    def accept(self, token_id: int) -> None:
        """Take note of the next token."""
        if not self._after:
            if not self.is_broken:
                self._matcher.consume_token(token_id)
            return
        self._said = [*self._said[-len(self._after.encode()):], token_id]  # a token is a byte at least
        if self._tokenizer.decode(self._said, skip_special_tokens=False).rstrip().endswith(self._after):
            self._after = ""


class _Told:
    """A tokenizer whose pieces are decoded one by one, in the form that llguidance asks for."""

    def __init__(self, tokenizer: Tokenizer, ends: Sequence[int]) -> None:
        size = tokenizer.get_vocab_size(with_added_tokens=True)
        added = tokenizer.get_added_tokens_decoder()
        self.special_token_ids = sorted(one for one, token in added.items() if token.special)
        self.eos_token_id = (list(ends) or self.special_token_ids or [0])[0]
        self.bos_token_id = None
        self.tokens = [(tokenizer.id_to_token(one) or f"<{one}>").encode() if one in self.special_token_ids
                       else tokenizer.decode([one], skip_special_tokens=False).encode() for one in range(size)]
        self._tokenizer = tokenizer

    def __call__(self, text: bytes | str) -> list[int]:
        """The ids of a text."""
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        return self._tokenizer.encode(text, add_special_tokens=False).ids


def _first_line(error: Any) -> str:
    return (str(error).strip().splitlines() or [""])[0]
