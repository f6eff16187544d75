"""How a result speaks: the chat template of training, the tokens that end an answer, and the files that say so.

What other programs read is written as they read it: the template in `chat_template.jinja` and in tokenizer_config.json,
every end token in generation_config.json. A default system message of the training stands inside the template.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from studio.data.chat import ChatTokenizer
from studio.exports.source import Source
from studio.exports.work import Work
from studio.records import read_json
from studio.sample import Message, Sample
from studio.workspace import Workspace

TOKENIZER = ("tokenizer*", "vocab.*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "*.tiktoken",
             "spiece.model", "sentencepiece*.model", "preprocessor_config.json", "processor_config.json")
LICENCES = ("*LICENSE*", "*LICENCE*", "NOTICE*", "USE_POLICY*")
_NEVER = (".bin", ".pt", ".pth", ".safetensors", ".pkl", ".index.json")
TEMPLATE = "chat_template.jinja"
_GENERATION = "generation_config.json"
_CARD_BYTES = 64 << 10
_WITH_SYSTEM = ("{{%- if messages and messages[0]['role'] != 'system' %}}"
                "{{%- set messages = [{{'role': 'system', 'content': {text}}}] + messages %}}{{%- endif %}}")
_PROBE = Sample((Message("user", "?"), Message("assistant", "!")))


@dataclass(frozen=True)
class Speech:
    """What a program must know to talk with the result as it was trained.

    `template` is Jinja with the default system message in it, `plain_template` without. `end_id` ends an answer as it
    was learned; `eos_ids` are all that end one, that first; `stops` are their texts. `generation` is
    generation_config.json. `chat` renders and encodes as the training did.
    """

    chat: ChatTokenizer
    template: str
    plain_template: str
    default_system: str | None
    bos: str | None
    bos_id: int | None
    end_id: int
    eos_ids: tuple[int, ...]
    pad_id: int
    stops: tuple[str, ...]
    generation: Mapping[str, Any]

    @property
    def template_jinja(self) -> str:
        """The template."""
        return self.template

    @property
    def eos_tokens(self) -> tuple[str, ...]:
        """The texts of `eos_ids`."""
        return self.stops

    @property
    def generation_config(self) -> Mapping[str, Any]:
        """generation_config.json."""
        return self.generation

    @property
    def end(self) -> str:
        """The text of the token that ends an answer as it was learned."""
        return self.stops[0]


def speech(source: Source, workspace: Workspace) -> Speech:
    """How a source speaks; raises what `ChatTokenizer.load` raises."""
    chat = source.chat(workspace)
    end = _learned_end(chat)
    ends = tuple(dict.fromkeys((end, *chat.eos_ids)))
    stops = tuple(str(chat.tokenizer.id_to_token(one)) for one in ends)
    bos = chat.files.special.get("bos_token")
    said = next((path for path in (chat.files.folder, source.base) if (path / _GENERATION).is_file()), source.base)
    generation = dict(read_json(said / _GENERATION) or {})
    generation.pop("_from_model_config", None)
    generation["eos_token_id"] = list(ends) if len(ends) > 1 else ends[0]
    if generation.get("pad_token_id") is None:
        generation["pad_token_id"] = chat.pad_id
    if chat.bos_id is not None and generation.get("bos_token_id") is None:
        generation["bos_token_id"] = chat.bos_id
    return Speech(chat, _with_system(chat.source, chat.default_system), chat.source, chat.default_system, bos,
                  chat.bos_id, end, ends, chat.pad_id, stops, generation)


def write_companions(work: Work) -> Speech:
    """Everything beside the weights: tokenizer, template, generation settings, licences of the base.

    Files of the tokenizer are copied as they are, so that a text becomes the same ids. A SentencePiece model alone,
    which others open only with its library, gets a tokenizer.json that gives these ids too.
    """
    found = speech(work.source, work.workspace)
    folder = found.chat.files.folder
    for path in sorted(folder.iterdir()):
        if path.is_file() and any(fnmatch(path.name, pattern) for pattern in TOKENIZER) and _is_harmless(path):
            work.stay()
            shutil.copyfile(path, work.into / path.name)
    if _is_pieces_alone(folder):
        found.chat.tokenizer.save(str(work.into / "tokenizer.json"))
    for path in sorted(work.source.base.iterdir()):
        if path.is_file() and any(fnmatch(path.name, pattern) for pattern in LICENCES):
            shutil.copyfile(path, work.into / path.name)
    (work.into / TEMPLATE).write_text(found.template, encoding="utf-8")
    _write(work.into / "tokenizer_config.json", tokenizer_config(found))
    _write(work.into / _GENERATION, found.generation)
    return found


def companions(source: Source) -> int:
    """About the bytes of what stands beside the weights: what `write_companions` copies, verdict and card."""
    found = (path for path in source.base.iterdir() if path.is_file()
             and any(fnmatch(path.name, pattern) for pattern in (*TOKENIZER, *LICENCES)))
    return _CARD_BYTES + sum(path.stat().st_size for path in found)


def tokenizer_config(found: Speech) -> dict[str, Any]:
    """tokenizer_config.json with the template of training; an end token is named where the base names none."""
    config = dict(read_json(found.chat.files.folder / "tokenizer_config.json") or {})
    special = found.chat.files.special
    for name in ("bos_token", "eos_token", "pad_token", "unk_token"):
        if config.get(name) is None and special.get(name) is not None:
            config[name] = special[name]
    if config.get("eos_token") is None:
        config["eos_token"] = found.end
    if config.get("pad_token") is None:
        config["pad_token"] = str(found.chat.tokenizer.id_to_token(found.pad_id))
    if _is_pieces_alone(found.chat.files.folder):
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config["chat_template"] = found.template
    return config


def _learned_end(chat: ChatTokenizer) -> int:
    """The id behind the words of an answer, as the training had it learned."""
    encoded = chat.encode(_PROBE)
    if not isinstance(encoded, str) and encoded.spans:
        last = encoded.ids[encoded.spans[-1][1] - 1]
        if last in chat.eos_ids:
            return int(last)
    return chat.eos_ids[0]


def _with_system(source: str, default_system: str | None) -> str:
    """The template that puts the default system message in front of a conversation without one."""
    if not default_system:
        return source
    head = _WITH_SYSTEM.format(text=json.dumps(default_system))
    return head + ("{{- '' }}" if source[:1] in ("\n", "\r") else "") + source


def _is_pieces_alone(folder: Path) -> bool:
    return not (folder / "tokenizer.json").is_file() and not (folder / "vocab.json").is_file()


def _is_harmless(path: Path) -> bool:
    return not path.name.endswith(_NEVER) and not path.name.startswith(".")


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
