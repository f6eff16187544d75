"""A tokenizer and its settings out of a model folder, read with `tokenizers` alone.

A folder has `tokenizer.json`, or `vocab.json` with `merges.txt`, or SentencePiece's `tokenizer.model`;
beside it stand `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`, `chat_template.jinja` and
`generation_config.json`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from studio.data import sentencepiece
from studio.errors import InputError

FILES = ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json",
         "added_tokens.json", "chat_template.jinja", "generation_config.json", "config.json")
# How Qwen2 splits text, published with its tokenizer: numbers digit by digit, words with their leading sign.
QWEN_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
              r"|\s*[\r\n]+|\s+(?!\S)|\s+")


@dataclass(frozen=True)
class TokenizerFiles:
    """What a model folder says about its tokenizer; read once."""

    folder: Path
    config: Mapping[str, Any]

    @classmethod
    def of(cls, folder: Path) -> TokenizerFiles:
        """The files of a folder; raises InputError tokenizer_missing, tokenizer_slow or tokenizer_broken."""
        if not (folder / "tokenizer.json").is_file() and not _is_pair(folder) and _pieces(folder) is None:
            slow = sorted(path.name for path in folder.glob("*.model*"))
            raise InputError("tokenizer_slow" if slow else "tokenizer_missing", path=str(folder), found=", ".join(slow))
        return cls(folder, _json(folder / "tokenizer_config.json"))

    @cached_property
    def special(self) -> dict[str, str]:
        """bos_token, eos_token and their like by name; what a chat template may mention."""
        said = {**self._of_pieces(), **_json(self.folder / "special_tokens_map.json"), **self.config}
        found = {name: _content(value) for name, value in said.items() if name.endswith("_token")}
        return {name: value for name, value in found.items() if isinstance(value, str)}

    def _of_pieces(self) -> dict[str, str]:
        """What a SentencePiece model says about its special tokens, where nothing else makes the tokenizer."""
        path = None if (self.folder / "tokenizer.json").is_file() or _is_pair(self.folder) else _pieces(self.folder)
        try:
            return sentencepiece.read(path).special if path else {}
        except (ValueError, KeyError) as error:
            raise InputError("tokenizer_broken", path=str(path), reason=str(error)) from error

    @cached_property
    def chat_template(self) -> str | None:
        """The model's own template; the one named "default" when it has several."""
        path = self.folder / "chat_template.jinja"
        if path.is_file():
            return path.read_text(encoding="utf-8")
        said = self.config.get("chat_template")
        if isinstance(said, list):
            named = {one.get("name"): one.get("template") for one in said if isinstance(one, dict)}
            said = named.get("default")
        return said if isinstance(said, str) and said else None

    @cached_property
    def end_ids(self) -> tuple[int, ...]:
        """The ids that the model's configuration says end an answer."""
        found: list[int] = []
        for name in ("generation_config.json", "config.json"):
            said = _json(self.folder / name).get("eos_token_id")
            found += [one for one in (said if isinstance(said, list) else [said]) if isinstance(one, int)]
        return tuple(dict.fromkeys(found))

    def fingerprint(self) -> str:
        """A hash of everything that decides how a text becomes ids."""
        digest = hashlib.sha256()
        for name in (*FILES, *([path.name] if (path := _pieces(self.folder)) else [])):
            path = self.folder / name
            digest.update(f"{name}\0".encode())
            if path.is_file():
                digest.update(path.read_bytes())
        return digest.hexdigest()

    def tokenizer(self) -> Tokenizer:
        """The tokenizer with every added token; raises InputError tokenizer_broken."""
        path = self.folder / "tokenizer.json"
        try:
            tokenizer = Tokenizer.from_file(str(path)) if path.is_file() else self._from_others()
        except Exception as error:  # tokenizers raises bare Exception for whatever is wrong with a file
            raise InputError("tokenizer_broken", path=str(self.folder), reason=str(error)) from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._add(tokenizer)
        return tokenizer

    def _from_others(self) -> Tokenizer:
        pieces = None if _is_pair(self.folder) else _pieces(self.folder)
        return sentencepiece.tokenizer(pieces) if pieces else self._from_pair()

    def _from_pair(self) -> Tokenizer:
        """Byte-level BPE out of vocab.json and merges.txt, as GPT-2 and Qwen2 publish it."""
        tokenizer = Tokenizer(models.BPE.from_file(str(self.folder / "vocab.json"), str(self.folder / "merges.txt")))
        if "Qwen2" in str(self.config.get("tokenizer_class")):
            tokenizer.normalizer = normalizers.NFC()
            split = pre_tokenizers.Split(Regex(QWEN_SPLIT), behavior="isolated")
            byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
        else:
            first = bool(self.config.get("add_prefix_space", False))
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=first)
        tokenizer.decoder = decoders.ByteLevel()
        return tokenizer

    def _add(self, tokenizer: Tokenizer) -> None:
        """Make every token that the settings call added or special one piece, in the order of its id."""
        known = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
        listed = {int(place): one for place, one in (self.config.get("added_tokens_decoder") or {}).items()}
        for content, place in _json(self.folder / "added_tokens.json").items():
            listed.setdefault(int(place), {"content": content, "special": True})
        for _, one in sorted(listed.items()):
            if one.get("content") not in known:
                tokenizer.add_tokens([_added(one)])
                known.add(one["content"])
        named = [content for content in self.special.values() if content and content not in known]
        tokenizer.add_special_tokens([AddedToken(content, special=True, normalized=False) for content in named])


def _is_pair(folder: Path) -> bool:
    return (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()


def _pieces(folder: Path) -> Path | None:
    """The SentencePiece model of a folder; Mistral writes its version behind the name."""
    found = sorted(path for path in folder.glob("tokenizer.model*") if path.is_file())
    return next((path for path in found if sentencepiece.looks_like_one(path)), None)


def _added(one: Mapping[str, Any]) -> AddedToken:
    names = ("lstrip", "rstrip", "normalized", "single_word", "special")
    flags = {name: bool(one[name]) for name in names if name in one}
    return AddedToken(str(one["content"]), **{"normalized": False, **flags})


def _content(value: Any) -> Any:
    return value.get("content") if isinstance(value, dict) else value


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError("tokenizer_broken", path=str(path), reason=str(error)) from error
    return value if isinstance(value, dict) else {}
