"""Vocabulary: a model's tokenizer as GGUF has it, proved on texts to cut and merge as the model's own does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.errors import InputError
from studio.exports.gguf import pieces, splits

NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_SPECIAL = (("bos", "bos_token"), ("unknown", "unk_token"), ("padding", "pad_token"))
_ENDS = ("eos", "eot", "eom")
# {% generation %} is transformers' own; a block that always holds says the same where the tag is unknown
_MARKED, _MARKED_END = re.compile(r"(\{%)([-+]?\s*)generation(\s*[-+]?%\})"), re.compile(
    r"(\{%[-+]?\s*)endgeneration(\s*[-+]?%\})")


@dataclass(frozen=True)
class Spoken:
    """What the tokenizer's file does not say: special tokens by name, the ids that end an answer, the template of
    training and whether a prompt begins with the begin token."""

    special: Mapping[str, str]
    end_ids: Sequence[int]
    template: str | None
    begins: bool
    prompts: Sequence[str] = ()


@dataclass(frozen=True)
class Vocabulary:
    """Everything below `tokenizer.`; `pre` is empty where `model` has no such thing."""

    model: str
    pre: str
    tokens: list[str]
    kinds: list[int]
    scores: list[float] | None
    merges: list[str] | None
    ids: dict[str, int]
    begins: bool
    space_in_front: bool
    template: str | None

    def add(self, made: Any) -> None:
        """Write the keys into a GGUFWriter."""
        made.add_tokenizer_model(self.model)
        made.add_tokenizer_pre(self.pre or "default")
        made.add_token_list(self.tokens)
        made.add_token_types(self.kinds)
        if self.scores is not None:
            made.add_token_scores(self.scores)
        if self.merges is not None:
            made.add_token_merges(self.merges)
        for name, place in self.ids.items():
            made.add_uint32(f"tokenizer.ggml.{name}_token_id", place)
        made.add_add_bos_token(self.begins)
        made.add_add_eos_token(False)
        if self.model == "llama":
            made.add_add_space_prefix(self.space_in_front)
        if self.template:
            made.add_chat_template(_MARKED.sub(r"\1\2if true\3", _MARKED_END.sub(r"\1endif\2", self.template)))


def vocabulary(tokenizer: Any, spoken: Spoken, rows: int, kind: str) -> Vocabulary:
    """The vocabulary of a `tokenizers.Tokenizer` for a model of so many embeddings and of this family.

    Raises InputError gguf_tokenizer (of a kind that the format lacks), gguf_split (that llama.cpp would cut otherwise),
    gguf_vocabulary (more tokens than embeddings).
    """
    told = json.loads(tokenizer.to_str())
    tokens, kinds = _tokens(tokenizer, told, rows, str(spoken.special.get("unk_token", "")))
    texts = [*splits.probes(), *spoken.prompts]
    if told["model"].get("type") != "BPE":
        raise InputError("gguf_tokenizer", value=str(told["model"].get("type")))
    merges = [tuple(one) if isinstance(one, list) else tuple(one.split(" ", 1)) for one in told["model"]["merges"]]
    shared: dict[str, Any] = {"tokens": tokens, "kinds": kinds, "ids": _ids(tokenizer, spoken, rows),
                              "begins": spoken.begins, "template": spoken.template}
    if _is_byte_level(told):
        name = splits.cuts_like(tokenizer, told, texts, kind)
        if name is None:
            raise InputError("gguf_split", value=_cutting(told))
        return Vocabulary("gpt2", name, scores=None, merges=_spelled(merges), space_in_front=False, **shared)
    if not told["model"].get("byte_fallback"):
        return _raw(tokenizer, told, merges, texts, shared)
    found = pieces.scores(tokenizer.get_vocab(with_added_tokens=True), merges)
    front = _front(tokenizer, told, found, spoken)
    return Vocabulary("llama", "", scores=_padded(found, kinds, rows), merges=None, space_in_front=front, **shared)


def _tokens(tokenizer: Any, told: Mapping[str, Any], rows: int, unknown: str) -> tuple[list[str], list[int]]:
    """A text and a kind for every embedding; rows that no token has are named as padding."""
    every = tokenizer.get_vocab(with_added_tokens=True)
    if every and max(every.values()) >= rows:
        raise InputError("gguf_vocabulary", count=max(every.values()) + 1, rows=rows)
    tokens, kinds = [f"[PAD{place}]" for place in range(rows)], [UNUSED] * rows
    added = {one["id"]: one for one in told["added_tokens"]}
    bytes_too = bool(told["model"].get("byte_fallback"))
    for text, place in every.items():
        tokens[place] = text
        one = added.get(place)
        if text == unknown and not _is_byte_level(told):
            kinds[place] = UNKNOWN
        elif one is not None:
            kinds[place] = CONTROL if one["special"] else USER
        else:
            kinds[place] = BYTE if bytes_too and _BYTE.fullmatch(text) else NORMAL
    return tokens, kinds


def _ids(tokenizer: Any, spoken: Spoken, rows: int) -> dict[str, int]:
    """Begin, ends, unknown and padding by the format's names."""
    found = {ours: tokenizer.token_to_id(spoken.special[theirs]) for ours, theirs in _SPECIAL
             if spoken.special.get(theirs) is not None}
    ends = [one for one in spoken.end_ids if one < rows][:len(_ENDS)]
    if ends:
        found |= dict(zip(_ENDS, [*ends, ends[0]] if len(ends) == 1 else ends, strict=False))
    return {name: place for name, place in found.items() if place is not None and place < rows}


# ---- byte-level ----

def _is_byte_level(told: Mapping[str, Any]) -> bool:
    return "ByteLevel" in json.dumps(told.get("pre_tokenizer"))


def _cutting(told: Mapping[str, Any]) -> str:
    """The model's own way to cut, short enough for a sentence."""
    return json.dumps(told.get("pre_tokenizer"), ensure_ascii=False)[:160]


def _spelled(merges: Sequence[tuple[str, ...]]) -> list[str]:
    """Merges as the format has them: two pieces with a space between."""
    return [f"{left} {right}" for left, right in merges]


# ---- pieces that begin with a mark for the space ----

def _front(tokenizer: Any, told: Mapping[str, Any], values: Sequence[float], spoken: Spoken) -> bool:
    """Whether a space is put before a text, as the tokenizer does it behind special tokens: prompts decide.

    Raises InputError gguf_split where llama.cpp would give other ids.
    """
    every = tokenizer.get_vocab(with_added_tokens=True)
    signs = sorted((one["content"] for one in told["added_tokens"]), key=len, reverse=True)
    cut = re.compile("(" + "|".join(map(re.escape, signs)) + ")") if signs else None

    def ids(text: str, front: bool) -> list[int]:
        found: list[int] = []
        for part in filter(None, cut.split(text) if cut else [text]):
            found += [every[part]] if part in signs else pieces.encode(part, every, values, front)
        return found

    texts = list(spoken.prompts) or list(splits.probes())
    for front in (True, False):
        if all(ids(text, front) == tokenizer.encode(text, add_special_tokens=False).ids for text in texts):
            return front
    raise InputError("gguf_split", value=json.dumps(told.get("normalizer"), ensure_ascii=False)[:160])


def _padded(values: list[float], kinds: Sequence[int], rows: int) -> list[float]:
    """A score for every embedding; special tokens and bytes are never merged, so theirs do not matter."""
    values = values + [0.0] * (rows - len(values))
    return [value if kind == NORMAL else 0.0 for value, kind in zip(values, kinds, strict=True)]


# ---- characters without bytes ----

def _raw(tokenizer: Any, told: Mapping[str, Any], merges: Sequence[tuple[str, ...]], texts: Sequence[str],
         shared: dict[str, Any]) -> Vocabulary:
    """Pieces without byte-level spelling and without bytes for unknown characters; llama.cpp leaves those out.

    The list of merges may not be empty there, so one that never applies stands for none.
    """
    if told.get("normalizer") or told.get("pre_tokenizer"):
        raise InputError("gguf_split", value=_cutting(told))
    never = [f"{shared['tokens'][0]} {shared['tokens'][0]}"]
    merges_told = _spelled(merges) or never
    return Vocabulary("gpt2", "sarvam-moe", scores=None, merges=merges_told, space_in_front=False, **shared)
