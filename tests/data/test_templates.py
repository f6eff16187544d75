"""Every named template against the real one where it is recorded or at hand, else against the original's words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio.data.jinja import REFUSALS, compiled
from studio.data.templates import aliases, wanted
from studio.data.turns import manners, schemas, turn_of
from studio.plugins import kinds, plugin
from studio.sample import Message
from studio.texts import languages, say
from tests.data.replay import SHARED, recordings
from tests.data.test_mask_on_trl_templates import FOLDER as TRL

RECORDED = recordings()
NAMED = [name for name in kinds("templates") if name != "own"]
ALL = ("one_turn", "one_turn_zh", "system_two_turns", "generation_prompt", "empty_answer")
WITH_SYSTEM = ("system_two_turns", "generation_prompt")
# The real template that a named one is, and the recorded conversations in which both are the same.
REAL = {
    "alpaca": ("alpaca", ALL), "vicuna": ("vicuna", ALL), "llama2": ("llama-2-chat", ALL),
    "solar": ("solar-instruct", ALL),
    "llama3": ("llama-3-instruct", ALL), "mistral": ("mistral-instruct", ALL), "internlm2": ("chatml", ALL),
    "gemma": ("google-gemma-2-2b-it", ALL), "phi": ("phi-3", ALL), "phi_small": ("phi-3-small", ALL),
    "qwen": ("Qwen-Qwen2.5-7B-Instruct", ALL), "qwen3": ("Qwen-Qwen3-0.6B", ALL), "zephyr": ("zephyr", ALL),
    "qwen3_nothink": ("Qwen3-Coder", ALL), "chatml": ("Qwen3-Coder", ALL), "yi": ("Qwen3-Coder", ALL),
    "openchat": ("openchat-3.5", ALL), "granite3": ("granite-3.0-instruct", ALL),
    # R1's generation prompt opens the thinking, V3's does not; Devstral has a system text of its own.
    "deepseek3": ("deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
                  ("one_turn", "one_turn_zh", "system_two_turns", "empty_answer")),
    "mistral_small": ("unsloth-mistral-Devstral-Small-2507", WITH_SYSTEM),
}
TALK = (Message("system", "S"), Message("user", "a"), Message("assistant", "b"), Message("user", "c"),
        Message("assistant", "d"))
# What the originals make of system S, question a, answer b, question c, answer d; and of a question alone, where the
# model goes on. From their cards and code: LLaMA-Factory, Chinese-LLaMA-Alpaca-2, DeepSeek LLM, Baichuan2, MOSS, Ziya,
# BELLE, ChatGLM-Efficient-Tuning, THUDM's ChatGLM repositories, InstructGLM, LLM-Finetune-Guide.
ORIGINAL = {
    "default": ("System: S<EOS>\nHuman: a<EOS>\nAssistant:b<EOS>\nHuman: c<EOS>\nAssistant:d<EOS>\n",
                "Human: a<EOS>\nAssistant:"),
    "alpaca_zh": ("<BOS>S\n\n### 指令：\na\n\n### 回复：\nb<EOS>\n\n### 指令：\nc\n\n### 回复：\nd<EOS>\n\n",
                  "<BOS>### 指令：\na\n\n### 回复：\n"),
    "alpaca_zh_tw": ("<BOS>S\n\n### 指令：\na\n\n### 回覆：\nb<EOS>\n\n### 指令：\nc\n\n### 回覆：\nd<EOS>\n\n",
                     "<BOS>### 指令：\na\n\n### 回覆：\n"),
    "llama2_zh": ("<BOS>[INST] <<SYS>>\nS\n<</SYS>>\n\na [/INST] b<EOS><BOS>[INST] c [/INST] d<EOS>",
                  "<BOS>[INST] <<SYS>>\nYou are a helpful assistant. 你是一个乐于助人的助手。\n<</SYS>>\n\na [/INST]"),
    "deepseek": ("<BOS>S\n\nUser: a\n\nAssistant: b<EOS>User: c\n\nAssistant: d<EOS>", "<BOS>User: a\n\nAssistant:"),
    "baichuan2": ("S<reserved_106>a<reserved_107>b<EOS><reserved_106>c<reserved_107>d<EOS>",
                  "<reserved_106>a<reserved_107>"),
    "chatglm": ("S\n[Round 1]\n\n问：a\n\n答：b\n\n[Round 2]\n\n问：c\n\n答：[gMASK]<sop>d<eop>",
                "[Round 1]\n\n问：a\n\n答：[gMASK]<sop>"),
    "chatglm2": ("[gMASK]sopS\n[Round 1]\n\n问：a\n\n答：b\n\n[Round 2]\n\n问：c\n\n答：d",
                 "[gMASK]sop[Round 1]\n\n问：a\n\n答："),
    "chatglm_round0": ("[Round 0]\n问：a\n答：b\n[Round 1]\n问：c\n答：[gMASK]<sop>d<eop>", "a[gMASK]<sop>"),
    "instructglm": ("S\nInstruction: a\nAnswer: b<EOS>\nInstruction: c\nAnswer: d<EOS>\n", "Instruction: a\nAnswer: "),
    "instructglm_zh": ("S\n指令: a\n答案: b<EOS>\n指令: c\n答案: d<EOS>\n", "指令: a\n答案: "),
    "chatglm3": ("[gMASK]sop<|system|>\n S<|user|>\n a<|assistant|>\n b<|user|>\n c<|assistant|>\n d",
                 "[gMASK]sop<|user|>\n a<|assistant|>"),
    "glm4": ("[gMASK]<sop><|system|>\nS<|user|>\na<|assistant|>\nb<|user|>\nc<|assistant|>\nd",
             "[gMASK]<sop><|user|>\na<|assistant|>"),
    "bloom": ("S\na\nb<EOS>\nc\nd<EOS>\n", "a\n"),
    "belle": ("<BOS>S\n\nHuman: a\n\nAssistant: b<EOS>\n\nHuman: c\n\nAssistant: d<EOS>\n\n",
              "<BOS>Human: a\n\nAssistant: "),
    "moss": ("S\n<|Human|>: a<eoh>\n<|MOSS|>: b<eom>\n<|Human|>: c<eoh>\n<|MOSS|>: d<eom>\n",
             "<|Human|>: a<eoh>\n<|MOSS|>:"),
    "ziya": ("S\n<human>:a\n<bot>:b<EOS>\n<human>:c\n<bot>:d<EOS>\n", "<human>:a\n<bot>:"),
}
# The real source that a named template follows further than the recordings show: tools, thinking, system texts.
SOURCES = {"qwen": "qwen2_5", "qwen3": "qwen3", "qwen3_nothink": "qwen3_instruct_2507", "gemma3": "gemma3",
           "gemma": "gemma", "phi": "phi3", "llama3": "llama3_1"}
LOOK = {"name": "weather", "description": "Says how it is outside.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}}
CALL = {"name": "weather", "arguments": {"place": "北京", "days": 2}}
TOOL_TALK = (Message("user", "Is it warm?"), Message("assistant", "", (CALL,)), Message("tool", '{"degrees": 21}'),
             Message("assistant", "Yes, 21°."), Message("user", "Thanks"), Message("assistant", "You're welcome."))
TWO_CALLS = (Message("system", "S"), Message("user", "Both?"),
             Message("assistant", "I look.", (CALL, {"name": "weather", "arguments": {"place": "Rome"}})),
             Message("tool", "1"), Message("tool", "2"), Message("assistant", "Both."))
THINKING = (Message("user", "1+1?"), Message("assistant", "2", (), "one and one"), Message("user", "2+2?"),
            Message("assistant", "4", (), "two and two"))


def rendered(source: str, messages: tuple[Message, ...], prompt: bool = False, tools: tuple[Any, ...] = ()) -> str:
    manner = manners(source)[0]
    return compiled(source)(messages=[turn_of(one, manner) for one in messages], tools=schemas(tools), documents=None,
                            add_generation_prompt=prompt, bos_token="<BOS>", eos_token="<EOS>")


def source_of(name: str) -> str:
    return plugin("templates", name).JINJA


def real_source(name: str) -> str:
    path = TRL / f"{SOURCES[name]}.jinja"
    if not path.is_file():
        pytest.skip("TRL is not installed")
    return path.read_text(encoding="utf-8")


def test_every_named_template_is_proved_by_a_recording_or_by_its_original() -> None:
    assert set(NAMED) - {"gemma3"} == {*REAL, *ORIGINAL}


@pytest.mark.skipif(not RECORDED, reason="../shared/data/template_renderings.json is absent")
@pytest.mark.parametrize("name", REAL)
def test_a_named_template_writes_what_the_real_one_writes(name: str) -> None:
    real, same = REAL[name]
    for kind in same:
        messages = tuple(Message(one["role"], one["content"]) for one in RECORDED["conversations"][kind])
        expected = RECORDED["rendered"][real][kind]
        if isinstance(expected, dict):
            with pytest.raises(REFUSALS):
                rendered(source_of(name), messages, kind == "generation_prompt")
        else:
            assert rendered(source_of(name), messages, kind == "generation_prompt") == expected


@pytest.mark.parametrize("name", ORIGINAL)
def test_a_named_template_writes_what_its_original_writes(name: str) -> None:
    talk, asked = ORIGINAL[name]
    messages = TALK if plugin("templates", name).SYSTEM else TALK[1:]
    assert rendered(source_of(name), messages) == talk
    assert rendered(source_of(name), TALK[1:2], prompt=True) == asked


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("messages", [TALK, TALK[1:], TALK[1:4]], ids=["system", "two turns", "question"])
def test_it_follows_the_real_source(name: str, messages: tuple[Message, ...]) -> None:
    ours, theirs = source_of(name), real_source(name)
    for prompt in (False, True):
        try:
            expected = rendered(theirs, messages, prompt)
        except REFUSALS:
            with pytest.raises(REFUSALS):
                rendered(ours, messages, prompt)
            continue
        if name == "llama3":  # 3.1 says the date in a system part of its own
            expected = "<|start_header_id|>user" + expected.partition("<|start_header_id|>user")[2]
            assert rendered(ours, messages, prompt).endswith(expected)
        else:
            assert rendered(ours, messages, prompt) == expected.removesuffix("" if prompt or name != "phi" else "<EOS>")


@pytest.mark.parametrize("name", ["qwen", "qwen3", "qwen3_nothink"])
@pytest.mark.parametrize("messages", [TOOL_TALK, TWO_CALLS, THINKING], ids=["a call", "two calls", "thinking"])
def test_tools_and_thinking_are_those_of_the_real_source(name: str, messages: tuple[Message, ...]) -> None:
    if messages is THINKING and name != "qwen3":
        pytest.skip("it does not think")
    tools = () if messages is THINKING else (LOOK,)
    for prompt in (False, True):
        ours, theirs = (rendered(source, messages, prompt, tools) for source in (source_of(name), real_source(name)))
        assert ours == theirs


def test_qwen_is_the_template_in_the_real_tokenizer() -> None:
    path = SHARED / "tokenizers/qwen2.5/tokenizer_config.json"
    if not path.is_file():
        pytest.skip("the real tokenizer is absent")
    theirs = json.loads(path.read_text(encoding="utf-8"))["chat_template"]
    for messages in (TALK, TALK[1:], TOOL_TALK, TWO_CALLS):
        for tools in ((), (LOOK,)):
            assert rendered(source_of("qwen"), messages, False, tools) == rendered(theirs, messages, False, tools)


def test_tools_of_llama3_are_those_of_the_real_source() -> None:
    expected = rendered(real_source("llama3"), TOOL_TALK[:2] + TOOL_TALK[3:], False, (LOOK,))
    ours = rendered(source_of("llama3"), TOOL_TALK[:2] + TOOL_TALK[3:], False, (LOOK,))
    head = "<|start_header_id|>user"
    assert ours.partition(head)[2] == expected.partition(head)[2] != ""


# How the originals' descriptions spell TOOL_TALK; {tool} and {tools} stand for the schemas.
TOOLS = {
    "mistral": (
        '<BOS>[INST] Is it warm? [/INST][TOOL_CALLS] [{"name": "weather", "arguments": {"place": "北京", "days": 2}}]'
        '<EOS>[TOOL_RESULTS] {"content": "{\\"degrees\\": 21}"}[/TOOL_RESULTS] Yes, 21°.<EOS>[AVAILABLE_TOOLS] '
        "$TOOLS[/AVAILABLE_TOOLS][INST] Thanks [/INST] You're welcome.<EOS>"),
    "chatglm3": (
        "[gMASK]sop<|system|>\n Answer the following questions as best as you can. You have access to the following "
        "tools:\n$INDENTED<|user|>\n Is it warm?<|assistant|>weather\n ```python\n"
        'tool_call(place="北京", days=2)\n```<|observation|>\n {"degrees": 21}<|assistant|>\n Yes, 21°.'
        "<|user|>\n Thanks<|assistant|>\n You're welcome."),
    "glm4": (
        "[gMASK]<sop><|system|>\n你是一个名为 ChatGLM 的人工智能助手。你是基于智谱 AI 公司训练的语言模型 "
        "GLM-4 模型开发的，你的任务是针对用户的问题和要求提供适当的答复和支持。\n\n# 可用工具\n\n## weather\n\n$ONE\n"
        "在调用上述函数时，请使用 Json 格式表示调用的参数。<|user|>\nIs it warm?<|assistant|>weather\n"
        '{"place": "北京", "days": 2}<|observation|>\n{"degrees": 21}<|assistant|>\nYes, 21°.'
        "<|user|>\nThanks<|assistant|>\nYou're welcome."),
}


@pytest.mark.parametrize("name", TOOLS)
def test_tools_are_spelled_as_the_originals_describe_it(name: str) -> None:
    expected = TOOLS[name]
    tools = schemas([LOOK])
    for sign, value, indent in (("$TOOLS", tools, None), ("$INDENTED", tools, 4), ("$ONE", LOOK, 4)):
        expected = expected.replace(sign, json.dumps(value, ensure_ascii=False, indent=indent))
    assert rendered(source_of(name), TOOL_TALK, False, (LOOK,)) == expected


@pytest.mark.parametrize("name", NAMED)
def test_every_template_says_whose_it_is_and_has_its_words(name: str) -> None:
    kind = plugin("templates", name)
    assert kind.__doc__ and isinstance(kind.SYSTEM, bool) and isinstance(kind.TOOLS, bool)
    assert all(say(lang, f"choices.template.{name}") for lang in languages())


def test_no_two_templates_have_one_place_or_one_alias() -> None:
    orders = [plugin("templates", name).ORDER for name in kinds("templates")]
    assert len(set(orders)) == len(orders)
    said = [alias for name in kinds("templates") for alias in plugin("templates", name).ALIASES]
    assert len(set(said)) == len(said) and not set(said) & set(kinds("templates"))
    assert aliases()["intern2"] == "internlm2"


@pytest.mark.parametrize(("folder", "name"), [
    ("Meta-Llama-3-8B", "llama3"), ("Llama-2-7b-chat-hf", "llama2"), ("lmsys--vicuna-7b-v1.5", "vicuna"),
    ("chinese-alpaca-2-7b", "llama2_zh"), ("chatglm2-6b", "chatglm2"), ("chatglm-6b-int4", "chatglm"),
    ("Baichuan2-7B-Chat", "baichuan2"), ("bloomz-560m", "bloom"), ("BELLE-7B-2M", "belle"), ("Qwen2.5-0.5B", "qwen"),
    ("Qwen3-4B-Instruct-2507", "qwen3_nothink"), ("Qwen3-0.6B", "qwen3"), ("something", "default"),
])
def test_a_model_without_a_template_wants_the_one_of_its_family(folder: str, name: str, tmp_path: Path) -> None:
    target = tmp_path / folder
    target.mkdir()
    (target / "tokenizer.json").write_text("{}", encoding="utf-8")
    assert wanted(target) == name
    (target / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    assert wanted(target) == "own"
