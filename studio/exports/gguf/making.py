"""A source becomes one GGUF file: streamed in the types that are written here, by llama.cpp's library in the others."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.data.jinja import REFUSALS
from studio.data.tokenizer_files import TokenizerFiles
from studio.errors import InputError, WorkError
from studio.exports import speech, weights
from studio.exports.gguf import kinds, quantizer, splits, writer
from studio.exports.gguf.kinds import KINDS
from studio.exports.gguf.layout import Layout, layout
from studio.exports.gguf.vocabulary import Spoken, Vocabulary, vocabulary
from studio.exports.place import sized
from studio.exports.source import Source
from studio.exports.work import Work
from studio.sample import Message
from studio.workspace import Workspace

HEAD_BYTES = 1 << 14  # the keys of a file but for its tokens
TOKEN_BYTES = 24  # a token's text, kind and share of the merges, where the tokenizer's file is smaller than that
_MARGIN = 1.02
_MOST_KNOWN = 16
_KNOWN: dict[tuple[Any, ...], InputError | None] = {}


def plan(source: Source) -> tuple[Any, Layout]:
    """The stream of a source in float32, and what the file of it holds.

    Raises InputError gguf_family, gguf_unlike, gguf_config, gguf_tensor and what `weights.stream` raises.
    """
    stream = weights.stream(source, "fp32")
    return stream, layout(stream.config, {name: tuple(one[0]) for name, one in stream.planned.items()})


def sizes(source: Source) -> dict[str, int]:
    """About the bytes of the file in every type, the largest first; raises what `plan` raises."""
    found = plan(source)[1]
    head = HEAD_BYTES + max(_tokens_bytes(source.base), TOKEN_BYTES * found.vocabulary)
    return {name: kinds.size(kind, found) + head for name, kind in KINDS.items()}


def _tokens_bytes(base: Path) -> int:
    """About what tokens and merges take in the file."""
    names = ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer.model")
    return next((path.stat().st_size for name in names if (path := base / name).is_file()), 0)


def against(source: Source, workspace: Workspace) -> InputError | None:
    """What speaks against a GGUF file of this source; remembered as long as its files do not change."""
    parts = tuple((part.folder, part.weight) for part in source.parts)
    folders = (source.base, *(folder for folder, _ in parts))
    stamps = tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size)
                   for folder in folders if folder.is_dir() for path in sorted(folder.iterdir()) if path.is_file())
    key = (source.base, parts, source.template, source.default_system, workspace.root, stamps)
    if key not in _KNOWN:
        while len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.pop(next(iter(_KNOWN)))
        _KNOWN[key] = _tried(source, workspace)
    return _KNOWN[key]


def _tried(source: Source, workspace: Workspace) -> InputError | None:
    try:
        stream, found = plan(source)
        words(source, workspace, stream.config, found)
    except InputError as error:
        return error if error.code.startswith("gguf_") else None
    return None


def can_quantize() -> bool:
    """Whether llama.cpp's library is installed, which the K-types need."""
    return importlib.util.find_spec("llama_cpp") is not None


def make(work: Work, name: str, path: Path) -> Vocabulary:
    """Write the file of `work`'s source in the type of this name.

    Raises InputError: what `plan` and `words` raise, gguf_needs_llama; WorkError disk_short, gguf_quantize; StopAsked.
    """
    kind = KINDS[name]
    stream, found = plan(work.source)
    told = words(work.source, work.workspace, stream.config, found)
    about = {"name": work.source.name.rpartition("/")[2] or work.source.base_name}
    if kind.own:
        writer.write(stream, found, told, kind, path, about, work.tell, work.stay)
        return told
    if not can_quantize():
        raise InputError("gguf_needs_llama", value=name)
    first = KINDS[_between(stream)]
    needed = int((kinds.size(first, found) + kinds.size(kind, found)) * _MARGIN)
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise WorkError("disk_short", path=str(path.parent), needed=sized(needed), free=sized(free))
    aside = path.with_suffix(".part")
    total = 2 * len(found.items)
    try:
        writer.write(stream, found, told, first, aside, about, lambda done, _, one: work.tell(done, total, one),
                     work.stay)
        quantizer.quantize(aside, path, kind, work.spec.cpu_threads, work.run.path,
                           lambda done, one: work.tell(len(found.items) + done, total, one), work.stay)
    finally:
        aside.unlink(missing_ok=True)
    return told


def _between(stream: Any) -> str:
    """The type from which llama.cpp quantizes: bf16 for a model that was bf16, else all that there is."""
    own = str(stream.config.get("dtype") or stream.config.get("torch_dtype") or "")
    return "f32" if "16" not in own or stream.merged else "bf16" if own == "bfloat16" else "f16"


# ---- the words ----

def words(source: Source, workspace: Workspace, config: Mapping[str, Any], found: Layout) -> Vocabulary:
    """The vocabulary of a source; raises what `vocabulary` and reading its tokenizer raise."""
    tokenizer, told = spoken(source, workspace)
    return vocabulary(tokenizer, told, found.vocabulary, str(config.get("model_type")))


def spoken(source: Source, workspace: Workspace) -> tuple[Any, Spoken]:
    """The tokenizer of a source and what it says of prompts and ends; without a chat template, the files' own word."""
    try:
        found = speech.speech(source, workspace)
    except InputError as error:
        if error.code != "template_missing":
            raise
        return _of_files(source.base)
    chat, prompts = found.chat, []
    for talk in splits.talks():
        turns = [Message("assistant" if place % 2 else "user", text) for place, text in enumerate(talk)]
        try:
            prompts.append(chat.render(turns, add_generation_prompt=True))
        except REFUSALS:
            continue
    begins = bool(found.bos) and bool(prompts) and prompts[0].startswith(str(found.bos))
    return chat.tokenizer, Spoken(chat.files.special, found.eos_ids, found.template, begins, tuple(prompts))


def _of_files(base: Path) -> tuple[Any, Spoken]:
    files = TokenizerFiles.of(base)
    tokenizer = files.tokenizer()
    begin = tokenizer.token_to_id(files.special.get("bos_token", ""))
    own = tokenizer.token_to_id(files.special.get("eos_token", ""))
    ends = tuple(dict.fromkeys(one for one in (own, *files.end_ids) if one is not None))
    begins = begin is not None and tokenizer.encode("1").ids[:1] == [begin]
    return tokenizer, Spoken(files.special, ends, None, begins)

