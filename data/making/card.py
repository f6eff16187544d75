"""The starter model's card, written by the training script with the figures it measured."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path

CARD = """---
language: [en, zh]
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
---

# Starter

A very small chat model ({parameters:,} parameters, Llama architecture) that ships with the studio, so that every
tuner, checkpoint, chat lane and exporter can be tried on two CPU cores within minutes. It answers in English and
Chinese, does small sums, follows a few simple instructions and holds a short small talk. It knows nothing else.

## Made from

Only text that `data/making/` generates; nothing was downloaded, no other model was asked. Sums (+ − × ÷, whole numbers
of one to three digits and one decimal place, in many phrasings), simple instructions (repeat, count, opposites,
colours, capitals, translation of single words, …) and small talk, half English, half Chinese, in conversations of one
to four turns, some with a system message. The text leaves out every operand pair (in either order, under any sign) and
every instruction that `making/split.py` holds out. Writing numbers in words (`number_words`) is **not** among the
tasks: it is what the studio's demo teaches. The names of numbers do occur as plain words that are repeated or
translated, never beside their digits, so they are tokens that the model has seen.

## Recipe

| | |
| --- | --- |
| script | `python data/make_starter.py` |
| layers, width, heads | 4, 128 (inner 336), 4; tied embeddings, context {context} |
| tokenizer | byte-level BPE, {vocabulary} tokens, every digit its own; learnt from the same text |
| chat format | ChatML: `<\\|im_start\\|>`, `<\\|im_end\\|>` (end of answer), `<\\|endoftext\\|>` (padding) |
| loss | on the assistant's words and end token, in every turn |
| optimizer | Muon for the matrices inside the layers, AdamW for the rest; peak {peak:g}, cosine, 100 steps warm-up |
| steps × tokens | {steps:,} × {tokens:,} ({seen:,} tokens in all) |
| seed | {seed} |
| cost | {cpu_seconds:,} CPU-seconds, one thread ({machine}) |
| stored as | float32 safetensors, {megabytes:.1f} MB |

## Scores

Share of greedy answers that are exactly right, on questions that training cannot have contained, unless it says so.

| kind | exact match |
| --- | --- |
{scores}

## Limits

It is a toy to learn with: it invents answers to everything outside the tasks above, knows no facts, and its products,
quotients and decimals are only as good as the table says. Do not use it for anything that matters.

## 中文说明

Starter 是随工作室附带的小模型：约一百万个参数，Llama 结构，能用中英文做简单算术、听简单指令、聊几句家常，
除此之外一无所知。训练文本全部由 `data/making/` 里的脚本生成，没有任何外来文字；留出的题目（包括两个数交换位置
之后的题目）从未出现在训练里。把数字写成文字（`number_words`）不在训练内容之中，这正是演示要教给它的本领；
数词本身在词表里，训练时只作为普通词语出现，从不与数字并列。
配方、种子、耗时和得分见上面的表格。它只是用来学习和试验的玩具，请不要用在要紧的地方。
"""


def write_card(folder: Path, scores: Mapping[str, float], recipe: Mapping[str, object], seen: int, cost: int) -> None:
    """Write `README.md` and, for programs, `scores.json` into the model's folder."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = (folder / "model.safetensors").stat().st_size
    lines = "\n".join(f"| {kind} | {score:.3f} |" for kind, score in scores.items())
    text = CARD.format(
        parameters=parameters(folder / "model.safetensors"),
        context=config["max_position_embeddings"],
        vocabulary=config["vocab_size"],
        seen=seen,
        cpu_seconds=cost,
        machine=f"{platform.system()} {platform.machine()}",
        megabytes=weights / 1e6,
        scores=lines,
        **{name: recipe[name] for name in ("peak", "steps", "tokens", "seed")},
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
    rounded = {kind: round(score, 4) for kind, score in scores.items()}
    (folder / "scores.json").write_text(json.dumps(rounded, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def parameters(weights: Path) -> int:
    """How many numbers a float32 safetensors file holds: its size without the header, by four."""
    with weights.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    return (weights.stat().st_size - 8 - header) // 4
