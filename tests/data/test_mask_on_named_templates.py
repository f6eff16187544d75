"""Every named template on real tokenizers: what is trained is what the assistant says, and its end."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from studio.data.chat import ChatTokenizer
from studio.errors import InputError
from studio.plugins import kinds, plugin
from studio.plugins.formats import Unusable
from studio.sample import Message, Sample
from tests.data.replay import SHARED

TOKENIZERS = ("qwen2.5", "minimind", "chatglm3-hf", "gpt2", "mistral")
NAMED = [name for name in kinds("templates") if name != "own"]
WITH_TOOLS = [name for name in NAMED if plugin("templates", name).TOOLS]
TALKS = {
    "one turn": (("user", "13+75=?"), ("assistant", "88")),
    "chinese": (("user", "请用一句话介绍北京。"), ("assistant", "北京是中国的首都，有故宫。")),
    "three turns": (("user", "Hi!"), ("assistant", "Hello.\nHow can I help?"), ("user", "2+2?"), ("assistant", "4"),
                    ("user", "And in words?"), ("assistant", "  four \n")),
    "system": (("system", "You are careful."), ("user", "Hi!"), ("assistant", "def f(x):\n\treturn x  # 好"),
               ("user", "ok"), ("assistant", "Bye 😀")),
    "signs": (("user", "What is </s>?"), ("assistant", "It ends: </s> or <|im_end|> or [/INST]."),
              ("user", "### Response:"), ("assistant", "USER: no. ASSISTANT: yes.")),
}
LOOK = {"type": "function", "function": {"name": "weather", "description": "Says how it is outside.", "parameters": {
    "type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}}}
CALL = {"name": "weather", "arguments": {"place": "北京 \"x\"", "days": 2}}
TOOL_TALK = Sample((Message("system", "S"), Message("user", "Is it warm?"), Message("assistant", "", (CALL,)),
                    Message("tool", '{"degrees": 21}'), Message("assistant", "Yes, 21."), Message("user", "Thanks"),
                    Message("assistant", "Welcome.")), tools=(LOOK,))
# How each spells the call; what stands before it on its line of the assistant belongs to the template.
CALLS = {
    "qwen": '<tool_call>\n{"name": "weather", "arguments": {"place": "北京 \\"x\\"", "days": 2}}\n</tool_call>',
    "llama3": '{"name": "weather", "parameters": {"place": "北京 \\"x\\"", "days": 2}}',
    "mistral": '[TOOL_CALLS] [{"name": "weather", "arguments": {"place": "北京 \\"x\\"", "days": 2}}]',
    "chatglm3": 'weather\n ```python\ntool_call(place="北京 \\"x\\"", days=2)\n```',
    "glm4": 'weather\n{"place": "北京 \\"x\\"", "days": 2}',
}
CALLS |= dict.fromkeys(("qwen3", "qwen3_nothink", "own"), CALLS["qwen"])


@cache
def load(tokenizer: str, template: str) -> ChatTokenizer:
    folder = SHARED / "tokenizers" / tokenizer
    if not folder.is_dir():
        pytest.skip(f"{tokenizer} is absent (../shared/data)")
    return ChatTokenizer.load(folder, template)


def talk(*turns: tuple[str, str]) -> Sample:
    return Sample(tuple(Message(*turn) for turn in turns))


def trained(chat: ChatTokenizer, sample: Sample) -> list[str]:
    encoded = chat.encode(sample)
    assert not isinstance(encoded, str), encoded
    assert all(left[1] <= right[0] for left, right in pairwise(encoded.spans))
    labels = encoded.labels
    for place, label in enumerate(labels):
        inside = any(start <= place < end for start, end in encoded.spans)
        assert (label != -100) == inside and label in (-100, encoded.ids[place])
    return [chat.decode(encoded.ids[start:end], skip_special_tokens=False) for start, end in encoded.spans]


def known(chat: ChatTokenizer, text: str) -> str:
    """The text as the vocabulary can hold it, without white space: what stands at its ends may join the template's."""
    return "".join(chat.decode(chat.encode_text(text), False).split())


def words_and_end(chat: ChatTokenizer, said: str, words: str, is_last: bool, has_end: bool) -> bool:
    """Whether `said` is the words, perhaps with a sign of the template in the first token, and one end behind them."""
    # Qwen 3 opens and closes a thinking part before the last words; the model has to say that too.
    shown, wanted = "".join(said.removeprefix("<think>\n\n</think>\n\n").split()), known(chat, words)
    ends = ["".join(chat.tokenizer.id_to_token(one).split()) for one in chat.eos_ids]
    end = next((one for one in ends if shown.endswith(one) and shown.removesuffix(one).endswith(wanted)), "")
    # Where a template ends no answer, the first sign of the next question may be one token with the last of the words.
    shown = shown.removesuffix(end) if end else shown if has_end else shown.removesuffix("<")
    return len(shown) - len(wanted) <= 1 and shown.endswith(wanted) and bool(end or not (is_last or has_end))


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("template", NAMED)
def test_trained_are_the_words_and_the_end_of_every_answer(tokenizer: str, template: str) -> None:
    chat = load(tokenizer, template)
    has_end = "eos_token" in chat.source or getattr(plugin("templates", template), "END", "\0") in chat.source
    for kind, turns in TALKS.items():
        if kind == "system" and not plugin("templates", template).SYSTEM:
            assert chat.encode(talk(*turns)) == "template_no_system"
            continue
        answers = [content for role, content in turns if role == "assistant"]
        answers = answers[-1:] if chat.last_only else answers
        said = trained(chat, talk(*turns))
        assert len(said) == len(answers)
        for place, (one, words) in enumerate(zip(said, answers, strict=True)):
            assert words_and_end(chat, one, words, place == len(answers) - 1, has_end), (kind, one, words)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("template", WITH_TOOLS)
def test_a_call_is_trained_as_the_model_must_write_it(tokenizer: str, template: str) -> None:
    chat = load(tokenizer, template)
    said = trained(chat, TOOL_TALK)
    assert len(said) == 3
    expected = (CALLS[template], "Yes, 21.", "Welcome.")
    for place, (one, words) in enumerate(zip(said, expected, strict=True)):
        assert known(chat, words) in "".join(one.split())
        assert "degrees" not in one and "warm" not in one and "Thanks" not in one
        if template not in ("chatglm3", "glm4", "qwen3"):  # no end of their own; an opened thinking part
            assert words_and_end(chat, one, words, place == 2, True), one


@pytest.mark.parametrize("template", NAMED)
def test_a_template_without_a_place_for_tools_says_so(template: str) -> None:
    chat, kind = load("qwen2.5", template), plugin("templates", template)
    assert chat.takes_tools is kind.TOOLS and chat.takes_system is kind.SYSTEM
    sample = TOOL_TALK if kind.SYSTEM else Sample(TOOL_TALK.messages[1:], tools=TOOL_TALK.tools)
    assert kind.TOOLS or chat.encode(sample) == "template_no_tools"


def test_a_system_text_for_a_template_without_one_is_refused_before_training() -> None:
    folder = SHARED / "tokenizers" / "qwen2.5"
    if not folder.is_dir():
        pytest.skip("the tokenizer is absent")
    with pytest.raises(InputError) as refused:
        ChatTokenizer.load(folder, "gemma", "Be kind.")
    assert refused.value.code == "template_no_system"


@pytest.mark.parametrize(("tokenizer", "template"), [("qwen2.5", "own"), ("minimind", "own"), ("qwen2.5", "qwen3")])
def test_thinking_is_trained_in_the_manner_of_the_template(tokenizer: str, template: str) -> None:
    chat = load(tokenizer, template)
    sample = Sample((Message("user", "1+1?"), Message("assistant", "2", (), "one and one")))
    end = chat.tokenizer.id_to_token(chat.eos_ids[0])
    # minimind's generation prompt opens the thinking
    opened = "" if tokenizer == "minimind" else "<think>\n"
    assert trained(chat, sample) == [opened + "one and one\n</think>\n\n2" + end]


def test_earlier_thinking_that_a_template_leaves_out_is_not_trained() -> None:
    chat = load("qwen2.5", "qwen3")
    sample = Sample((Message("user", "1+1?"), Message("assistant", "2", (), "one"), Message("user", "2+2?"),
                     Message("assistant", "4", (), "two")))
    assert trained(chat, sample) == ["2<|im_end|>", "<think>\ntwo\n</think>\n\n4<|im_end|>"]


def rows(name: str) -> list[Any]:
    path = SHARED / "tool" / name
    if not path.is_file():
        pytest.skip(f"{name} is absent (../shared/data)")
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if name.endswith(".json") else [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", ["lf_glaive_toolcall_en_demo.json", "lf_glaive_toolcall_zh_demo.json",
                                  "lf_reason_tool_use_demo_50.jsonl"])
@pytest.mark.parametrize(("tokenizer", "template"), [("qwen2.5", "own"), ("minimind", "own"), ("qwen2.5", "qwen3"),
                                                     ("chatglm3-hf", "glm4")])
def test_in_real_rows_calls_and_answers_are_trained_and_results_are_not(name: str, tokenizer: str,
                                                                        template: str) -> None:
    chat, seen = load(tokenizer, template), 0
    for row in rows(name)[:40]:
        format_name = next(one for one in kinds("formats") if plugin("formats", one).recognises(row))
        try:
            sample = plugin("formats", format_name).reader({}, {})(row)
        except Unusable:
            continue
        said = trained(chat, sample)
        turns = [message for message in sample.messages if message.role == "assistant"]
        assert len(said) == len(turns)
        for one, turn in zip(said, turns, strict=True):
            shown = "".join(one.split())
            assert all(known(chat, call["name"]) in shown for call in turn.tool_calls)
            assert known(chat, turn.content.strip()) in shown
            seen += len(turn.tool_calls)
        whole = "".join(said)
        for message in sample.messages:
            if message.role in ("user", "tool") and len(message.content) > 60:
                assert message.content not in whole
    assert seen > 5
