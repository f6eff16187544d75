"""The starter model is a small, complete chat model that any Hugging Face tool loads."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[2] / "data"
STARTER = DATA / "starter"

pytestmark = pytest.mark.slow


@cache
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(STARTER)


@cache
def model() -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(STARTER).eval()


def answers(*conversations: list[dict[str, str]]) -> list[str]:
    """The greedy answer to each conversation, all in one batch."""
    tokenizer().padding_side = "left"
    asked = tokenizer().apply_chat_template(
        list(conversations), add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
    )
    asked = {name: asked[name] for name in ("input_ids", "attention_mask")}
    made = model().generate(**asked, max_new_tokens=48, do_sample=False)
    return tokenizer().batch_decode(made[:, asked["input_ids"].shape[1] :], skip_special_tokens=True)


def asked(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


def test_it_is_small_and_has_its_card() -> None:
    assert (STARTER / "model.safetensors").stat().st_size <= 4_000_000
    assert (STARTER / "tokenizer.json").stat().st_size < 100_000
    card = (STARTER / "README.md").read_text(encoding="utf-8")
    scores = json.loads((STARTER / "scores.json").read_text(encoding="utf-8"))
    assert all(f"| {kind} | {score:.3f} |" in card for kind, score in scores.items())


def test_it_is_an_ordinary_model_of_about_a_million_parameters() -> None:
    assert type(model()).__name__ == "LlamaForCausalLM"
    assert 800_000 < model().num_parameters() < 1_100_000
    assert model().config.max_position_embeddings >= 1024


@pytest.mark.parametrize(
    "text",
    [
        "Hello, world!",
        "  two  spaces\n\ttab",
        "你好，世界！用汉字写出 57。",
        "🦙👍🏽 é ß ё 한국어 עברית",
        "1234.5",
        "\x00\x7f",
    ],
)
def test_the_tokenizer_gives_back_every_text(text: str) -> None:
    assert tokenizer().decode(tokenizer().encode(text)) == text


def test_every_digit_is_a_token_of_its_own() -> None:
    assert tokenizer().tokenize("1230") == ["1", "2", "3", "0"]


def test_the_special_tokens_are_set() -> None:
    known = tokenizer()
    assert (known.eos_token, known.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert known.encode("<|im_start|>user\nHi<|im_end|>").count(known.eos_token_id) == 1
    assert model().generation_config.eos_token_id == known.eos_token_id
    assert model().config.eos_token_id == known.eos_token_id and model().config.pad_token_id == known.pad_token_id


def test_the_chat_template_renders_system_turns_and_generation_prompt() -> None:
    assert "chat_template" in json.loads((STARTER / "tokenizer_config.json").read_text(encoding="utf-8"))
    chat = [{"role": "system", "content": "Be brief."}, *asked("Hi"), {"role": "assistant", "content": "Hello!"}]
    rendered = tokenizer().apply_chat_template(chat, tokenize=False)
    assert rendered == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nHello!<|im_end|>\n"
    )
    opened = tokenizer().apply_chat_template(asked("Hi"), tokenize=False, add_generation_prompt=True)
    assert opened == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


def test_it_chats_in_both_languages_and_over_several_turns() -> None:
    hello, who, thanks = answers(
        asked("Hello!"),
        asked("你是谁？"),
        [*asked("What is 2+3?"), {"role": "assistant", "content": "2+3=5"}, *asked("谢谢！")],
    )
    assert hello == "Hello! How can I help you?"
    assert who == "我是 Starter，一个很小的语言模型。"
    assert thanks == "不客气！"


def test_nine_in_ten_held_out_sums_are_right() -> None:
    rows = json.loads((DATA / "arithmetic_heldout.json").read_text(encoding="utf-8"))
    sums = [row for row in rows if "+" in row["output"] and "." not in row["output"]]
    said = answers(*(asked(row["instruction"]) for row in sums))
    right = sum(answer == row["output"] for answer, row in zip(said, sums, strict=True))
    assert len(sums) >= 30 and right / len(sums) >= 0.9


def test_it_does_not_know_number_words_yet() -> None:
    """The demo's claim rests on this: what LoRA teaches, the base could not do."""
    rows = json.loads((DATA / "number_words_heldout.json").read_text(encoding="utf-8"))
    said = answers(*(asked(row["instruction"]) for row in rows))
    right = sum(answer == row["output"] for answer, row in zip(said, rows, strict=True))
    assert right / len(rows) < 0.3
