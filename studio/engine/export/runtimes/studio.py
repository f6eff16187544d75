"""The studio's own way to load and answer: a base with its adapters in full numbers, as Chat has them.

The source of every export is replayed by it, and a prefix, which no other program can load as it was trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from studio.data.chat import ChatTokenizer
from studio.data.jinja import REFUSALS
from studio.data.tokenizer_files import TokenizerFiles
from studio.engine import adapters, loading, prefix
from studio.engine.export.runtimes import Task
from studio.engine.lora import Lora
from studio.engine.numerics import Numbers
from studio.engine.server.alone import Alone, Piece
from studio.engine.server.passes import Pass
from studio.errors import InputError
from studio.exports.comparison import BASE_LOGITS

_BLOCK = 128  # tokens whose logits are computed at a time
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class Studio:
    """A model as the studio has it; `chat` spells an artefact's rows, those of the source are spelled already."""

    runner: Alone
    vocabulary: int
    ends: tuple[int, ...]
    tokenizer: Any
    chat: ChatTokenizer | None = None

    def spell(self, row: Mapping[str, Any]) -> tuple[str | None, list[int]]:
        """By the folder's own template; of the source, what training made of it."""
        if self.chat is None:
            return row["prompt_text"], list(row["prompt"])
        if not row["turns"]:
            return None, self.chat.encode_text(row["text"])
        try:
            text = self.chat.render(row["turns"], True, row["tools"])
        except REFUSALS:
            return None, []
        return text, self.chat.encode_text(text)

    @torch.inference_mode()
    def logits(self, ids: Sequence[int], asked: Sequence[int]) -> np.ndarray:
        """In pieces of some tokens, each behind the keys and values of those before."""
        slot = self.runner.open("", len(ids))
        first, found = asked[0] - 1, []
        if first:
            self.runner.run([Piece(slot, ids[:first], 0)])
        for start in range(first, asked[-1], _BLOCK):
            block = ids[start:min(start + _BLOCK, asked[-1])]
            said = self.runner.run([Piece(slot, block, len(block))])
            places = [place - 1 - start for place in asked if start < place <= start + len(block)]
            found.append(said[places].float().cpu().numpy())
        return np.concatenate(found)

    @torch.inference_mode()
    def answer(self, ids: Sequence[int], most: int) -> tuple[list[int], bool]:
        """Greedy, one token at a time."""
        slot = self.runner.open("", len(ids) + most)
        said: list[int] = []
        logits = self.runner.run([Piece(slot, ids, 1)])
        while True:
            best = int(logits[-1].argmax())
            if best in self.ends:
                return said, True
            said.append(best)
            if len(said) == most:
                return said, False
            logits = self.runner.run([Piece(slot, [best], 1)])

    def decode(self, ids: Sequence[int]) -> str:
        """By the tokenizer of the base, or of the artefact."""
        return str(self.tokenizer.decode(list(ids)))


def open(task: Task) -> Studio:
    """The model of a task: `opens` with its parts, or an artefact on its base; raises what loading raises."""
    base = task.opens if task.parts is not None else task.base or task.opens
    parts = task.parts if task.parts is not None else _own(task)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    numbers = Numbers(device, _DTYPES[task.dtype], _DTYPES[task.dtype])
    network = loading.load_model(loading.Wanted(base, str(base)), numbers).eval()
    runner = Alone(network, Pass())
    if task.parts:
        _bare(runner, task)
    for place, part in enumerate(parts):
        _add(network, runner, part, is_last=place + 1 == len(parts))
    vocabulary = network.get_input_embeddings().weight.shape[0]
    if task.parts is not None:
        return Studio(runner, vocabulary, task.ends, TokenizerFiles.of(base).tokenizer())
    chat = ChatTokenizer.load(task.opens)
    return Studio(runner, vocabulary, chat.eos_ids, chat.tokenizer, chat)


def _bare(runner: Alone, task: Task) -> None:
    """Keep what the base says without its parts, by which their strength in a result is measured."""
    plain = Studio(runner, 0, (), None)
    with (task.into / BASE_LOGITS).open("wb") as file:
        for row in json.loads(task.rows.read_text(encoding="utf-8")):
            asked = [row["asked"][place] for place in row["kept"]]
            np.ascontiguousarray(plain.logits(row["ids"], asked), np.float32).tofile(file)


def _own(task: Task) -> tuple[Mapping[str, Any], ...]:
    """The artefact itself as a part of its base; none when it is a whole model."""
    if (task.opens / prefix.CONFIG).is_file():
        return ({"folder": str(task.opens), "kind": "prefix", "weight": 1.0},)
    if (task.opens / adapters.CONFIG).is_file():
        return ({"folder": str(task.opens), "kind": "lora", "weight": 1.0},)
    return ()


def _add(network: Any, runner: Alone, part: Mapping[str, Any], is_last: bool) -> None:
    """Put an adapter in place; all but the last are worked into the weights, and the last where it is weighted."""
    folder, weight = Path(str(part["folder"])), float(part.get("weight", 1.0))
    if part["kind"] == "prefix":
        runner.prefixes[""] = _keys_and_values(network, folder)
        return
    shape = adapters.read_shape(folder)
    kept = {name: p.detach().clone() for name, p in network.named_parameters()
            if name.rpartition(".")[0].rpartition(".")[2] in shape.also} if weight != 1.0 else {}
    adapters.load(folder, adapters.attach(network, shape))
    if weight != 1.0:
        _weigh(network, kept, weight)
    elif not is_last:
        adapters.merge(network)
    network.eval()


@torch.no_grad()
def _weigh(network: Any, kept: Mapping[str, torch.Tensor], weight: float) -> None:
    """Work an adapter in so that each weight goes `weight` times as far as it would."""
    for name, module in list(network.named_modules()):
        if isinstance(module, Lora):
            before = module.base.weight.detach().clone()
            after = module.merged()
            after.weight.data.copy_(torch.lerp(before.float(), after.weight.float(), weight))
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, after)
    own = dict(network.named_parameters())
    for name, before in kept.items():
        own[name].data.copy_(torch.lerp(before.float(), own[name].float(), weight))
    network.requires_grad_(False)


def _keys_and_values(network: Any, folder: Path) -> torch.Tensor:
    about = prefix.read_config(folder)
    shape = about.get("shape")
    if not isinstance(shape, list) or len(shape) != 5:
        raise InputError("adapter_mismatch", path=str(folder), name=f"shape {shape}")
    encoder = prefix.PrefixEncoder(torch.zeros(shape), bool(about.get("prefix_projection")), network.config.hidden_size)
    prefix.load(folder, dict(encoder.named_parameters()))
    return encoder().detach().to(network.device, network.dtype)
