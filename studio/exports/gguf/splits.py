"""How llama.cpp cuts a text before byte pairs are merged, and which of its ways a model's own tokenizer goes.

`texts.yaml` has its names for them with their patterns, and the texts on which they are compared with the tokenizer, so
that the name that is written is known to cut as the model was trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_USUAL = {"glm": "chatglm-bpe", "glm4": "chatglm-bpe", "qwen2": "qwen2", "qwen3": "qwen2"}
_ANY_CASE = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_EACH_CASE = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"


@cache
def _texts() -> Mapping[str, Any]:
    return dict(yaml.safe_load((Path(__file__).parent / "texts.yaml").read_text(encoding="utf-8")))


def probes() -> tuple[str, ...]:
    """Plain texts of many scripts and signs."""
    return tuple(_texts()["probes"])


def talks() -> tuple[tuple[str, ...], ...]:
    """Conversations, question and answer by turns; each ends with a question."""
    return tuple(map(tuple, _texts()["talks"]))


def cuts_like(tokenizer: Any, told: Mapping[str, Any], texts: Sequence[str], kind: str) -> str | None:
    """llama.cpp's name for how this byte-level tokenizer cuts: the first that gives the same ids on all texts.

    `told` is the tokenizer as JSON, `kind` the model's type.
    """
    wanted = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    for name, tried in _tried(tokenizer, _ordered(told, kind)):
        found = (tried.encode(text, add_special_tokens=False).ids for text in texts)
        if all(ids == want for ids, want in zip(found, wanted, strict=True)):
            return name
    return None


def _ordered(told: Mapping[str, Any], kind: str) -> list[str]:
    """The names to try: first those with the tokenizer's very patterns, then the family's usual one, then the others.

    A small vocabulary cannot tell every two apart, its own patterns can.
    """
    patterns = _patterns(told["pre_tokenizer"])
    whole = bool(told["model"].get("ignore_merges"))
    known = _texts()["splits"]

    def strangeness(name: str) -> tuple[bool, bool, bool]:
        same = [_bare(one) for one in known[name]["patterns"]] == patterns
        return not same, known[name]["whole"] != whole, name != _USUAL.get(kind)

    return sorted(known, key=strangeness)


def _patterns(told: Mapping[str, Any] | None) -> list[str]:
    """The patterns of a pre-tokenizer, spelled as in the table."""
    if not told:
        return []
    if told["type"] == "Sequence":
        return [one for part in told["pretokenizers"] for one in _patterns(part)]
    if told["type"] == "Digits":
        return [r"\p{N}" if told.get("individual_digits") else r"\p{N}+"]
    if told["type"] == "ByteLevel":
        return list(_texts()["splits"]["gpt-2"]["patterns"]) if told.get("use_regex", True) else []
    if told["type"] == "Split":
        return [_bare(str(next(iter(told["pattern"].values()))))]
    return [str(told["type"])]


def _bare(pattern: str) -> str:
    """A pattern in one of its equal spellings."""
    return pattern.replace(_ANY_CASE, _EACH_CASE)


def _tried(tokenizer: Any, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """A copy of the tokenizer that cuts as each name says; llama.cpp changes no character beforehand."""
    from tokenizers import Regex, Tokenizer, pre_tokenizers

    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.normalizer = None
    bytes_last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for name in names:
        way = _texts()["splits"][name]
        steps = [pre_tokenizers.Split(Regex(one), behavior="isolated") for one in way["patterns"]]
        copy.pre_tokenizer = pre_tokenizers.Sequence([*steps, bytes_last])
        model = copy.model
        model.ignore_merges = way["whole"]
        copy.model = model
        yield name, copy
