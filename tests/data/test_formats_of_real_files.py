"""Every real file: its format is recognised and its rows are counted as this file counts them, by rules of its own.

The counting below reads with the standard library and decides by plain conditions on the raw rows; it shares no code
with the studio.
"""

from __future__ import annotations

import csv
import io
import json
import lzma
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from studio.data import recognise
from studio.data.catalogue import Entry
from studio.data.walk import walk
from studio.errors import InputError
from tests.data.replay import SHARED

FOLDERS = ("instruct", "preference", "pretrain", "tool", "eval", "messy", "extra", "multimodal")
NO_DATA = {"ggml-vocab-deepseek-llm.gguf"}
BROKEN = "hk_alpaca_zh_9407-12345_unfinished.json"
Rule = Callable[[Any], str]


def raw(path: Path) -> list[Any]:
    """The rows of a file, read in the plainest way."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".csv")]
            tables = [list(csv.reader(io.StringIO(archive.read(name).decode("utf-8-sig")))) for name in names]
        return [dict(zip(table[0], cells, strict=True)) for table in tables for cells in table[1:]]
    packed = path.suffix == ".xz"
    data = lzma.decompress(path.read_bytes()) if packed else path.read_bytes()
    if path.suffix == ".csv":
        return list(csv.DictReader(io.StringIO(data.decode("gb18030", errors="ignore"))))
    text = data.decode("utf-8")
    if path.suffix == ".txt":
        parts = re.split(r"\n[ \t]*\n", text.strip())
        return [part for part in (parts if len(parts) > 1 else text.split("\n")) if part.strip()]
    try:
        return json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.split("\n") if line.strip()]


def filled(*names: str) -> Rule:
    def rule(row: Any) -> str:
        asked = "".join(str(row.get(name) or "") for name in names[:-1])
        return "no_question" if not asked.strip() else "used" if str(row[names[-1]]).strip() else "empty_answer"
    return rule


def turns(column: str, said: str) -> Rule:
    """All turns have words and no two neighbours are of the same side."""
    def words(turn: Any) -> str:
        value = turn[said]
        return value if isinstance(value, str) else "".join(str(part["value"]) for part in value)

    def rule(row: Any) -> str:
        side = {"human": 0, "user": 0, "observation": 0, "tool": 0, "gpt": 1, "assistant": 1, "function_call": 1}
        spoken = [turn for turn in row[column] if turn.get("from", turn.get("role")) != "system"]
        sides = [side[turn.get("from", turn.get("role"))] for turn in spoken]
        good = sides[0] == 0 and all(one != other for one, other in pairwise(sides))
        return "used" if good and all(words(turn).strip() for turn in spoken) else "bad"
    return rule


def instance(row: Any) -> str:
    return "used" if len(row["instances"]) == 1 and row["instances"][0]["output"].strip() else "bad"


def letter(row: Any) -> str:
    return "used" if (row.get("answer") or row.get("Answer")) in ("A", "B", "C", "D") else "no_answer"


def referenced(row: Any) -> str:
    answers = row.get("reference", [])
    return "used" if len(answers) == len(row["turns"]) and all(answers) else "no_answer"


def both(row: Any) -> str:
    def said(turn: Any) -> str:
        return turn if isinstance(turn, str) else turn["value"]
    return "used" if said(row["chosen"]).strip() and said(row["rejected"]).strip() else "bad"


def last_two(row: Any) -> str:
    good, bad = row["chosen_messages"], row["rejected_messages"]
    return "used" if good[:-1] == bad[:-1] and good[-1]["role"] == bad[-1]["role"] == "assistant" else "bad"


ALPACA = ("alpaca", "chat", filled("instruction", "input", "output"))
WANTED: dict[str, tuple[str, str, Rule]] = {
    "adgen_dev.json": ("adgen", "chat", filled("content", "summary")),
    "alpaca_seed_tasks.jsonl": ("belle", "chat", instance),
    "belle_zh_seed_tasks.json": ("belle", "chat", instance),
    "gpt4llm_user_oriented_instructions.jsonl": ("belle", "chat", instance),
    "huatuo_liver_cancer_multiturn_head300.json": ("belle", "chat", filled("instruction", "output")),
    "cardputer_soda_chat_val.txt": (
        "transcript", "chat", lambda text: "used" if text.startswith("User: ") else "no_dialogue"),
    "chatglm-maths_math23k.sample.json": ("math23k", "chat", filled("original_text", "ans")),
    "chatglm6b_improve_data_sample.jsonl": ("pairs", "chat", filled("prompt", "response")),
    "fastchat_dummy_conversation.json": ("sharegpt", "chat", turns("conversations", "value")),
    "mgpt_medical_sft_head500.jsonl": ("sharegpt", "chat", turns("conversations", "value")),
    "firefly_dummy_data.jsonl": ("firefly", "chat", lambda row: "used" if all(
        pair["human"].strip() and pair["assistant"].strip() for pair in row["conversation"]) else "bad"),
    "lf_v1_sft_demo.jsonl": ("openai", "chat", turns("messages", "content")),
    "lf_glaive_toolcall_en_demo.json": ("sharegpt", "chat", turns("conversations", "value")),
    "lf_glaive_toolcall_zh_demo.json": ("sharegpt", "chat", turns("conversations", "value")),
    "lf_reason_tool_use_demo_50.jsonl": ("openai", "chat", turns("messages", "content")),
    "lf_dpo_en_demo.json": ("preference", "preference", both),
    "lf_dpo_zh_demo.json": ("preference", "preference", both),
    "mgpt_dpo_zh_head200.jsonl": ("preference", "preference", both),
    "rasbt_instruction-data-with-preference.json": ("preference", "preference", both),
    "lf_v1_dpo_demo.jsonl": ("preference", "preference", last_two),
    "lf_kto_en_demo.json": ("kto", "rated", turns("messages", "content")),
    "firefly_dummy_pretrain.jsonl": ("text", "text", filled("text", "text")),
    "lf_c4_demo.jsonl": ("text", "text", filled("text", "text")),
    "gsm8k_test.jsonl": ("pairs", "chat", filled("question", "answer")),
    "gsm8k_train.jsonl.xz": ("pairs", "chat", filled("question", "answer")),
    "lf_ceval.zip": ("choice", "chat", letter), "lf_cmmlu.zip": ("choice", "chat", letter),
    "mt_bench_question.jsonl": ("questions", "chat", referenced),
    "vicuna_question_80.jsonl": ("questions", "chat", lambda row: "no_answer"),
    "toyhom_gbk_内科_head1500.csv": ("pairs", "chat", filled("ask", "answer")),
    "lf_wiki_demo.txt": ("text", "text", lambda text: "used"),
    "rasbt_the-verdict.txt": ("text", "text", lambda text: "used"),
    "mllm_audio_demo.json": ("openai", "chat", lambda row: "not_text"),
    "mllm_demo.json": ("openai", "chat", lambda row: "not_text"),
    "v1_multimodal_demo.jsonl": ("openai", "chat", lambda row: "not_text"),
}
FILES = sorted(path for folder in FOLDERS for path in (SHARED / folder).glob("*")
               if path.is_file() and path.name not in NO_DATA) if SHARED.is_dir() else []


def test_the_real_files_are_here() -> None:
    if not FILES:
        pytest.skip("../shared/data is absent")
    assert len(FILES) == 50


@pytest.mark.parametrize("path", [path for path in FILES if path.name != BROKEN],
                         ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_real_file_has_its_format_and_its_counts(path: Path) -> None:
    name, kind, rule = WANTED.get(path.name, ALPACA)
    steps = list(walk(Entry("real", path)))
    found = recognise.recognise([row for _, row, _ in steps[:24]])
    assert (found.format, found.kind) == (name, kind)
    counts = Counter(said if isinstance(said, str) else "used" for _, _, said in steps)
    assert counts == Counter(map(rule, raw(path)))
    assert {said.kind for _, _, said in steps if not isinstance(said, str)} <= {kind}


@pytest.mark.skipif(not FILES, reason="../shared/data is absent")
def test_the_file_that_breaks_off_gives_its_rows_up_to_the_break_and_names_the_line() -> None:
    steps = walk(Entry("real", SHARED / "messy" / BROKEN))
    read = []
    with pytest.raises(InputError) as error:
        read.extend(said for _, _, said in steps)
    assert error.value.code == "dataset_broken" and error.value.values["line"] in (14006, 14007)
