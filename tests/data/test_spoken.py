"""What a template writes for an answer is heard again as that answer: whole, and letter by letter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from studio.data.chat import ChatTokenizer
from studio.data.jinja import REFUSALS
from studio.data.probes import begun_alike
from studio.data.spoken import Listener, Piece, Speech
from studio.data.turns import turn_of
from studio.plugins import kinds
from studio.sample import Message
from studio.workspace import PROJECT, Workspace
from tests.data.test_mask_on_trl_templates import TEMPLATES, chat_with

TOKENIZERS = PROJECT.parent / "shared" / "data" / "tokenizers"
TOOLS = [{"name": "get_weather", "description": "The weather of a city.", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"},
                                     "more": {"type": "object"}, "all": {"type": "boolean"}}, "required": ["city"]}}]
ONE = {"name": "get_weather", "arguments": {"city": "\u5317\u4eac \"x\" {", "days": 3}}
OTHER = {"name": "get_weather", "arguments": {"city": "7", "all": True, "more": {"a": [1, "b, c"]}}}
WORDS, THOUGHT = "It is 4 < 5, \u4f60\u597d.\n\nNext line.", "Well,\n2+2 is 4."
ANSWERS = {"words": Message("assistant", WORDS), "thinking": Message("assistant", WORDS, (), THOUGHT),
           "call": Message("assistant", "", (ONE,)), "words and call": Message("assistant", WORDS, (OTHER,)),
           "two calls": Message("assistant", "", (ONE, OTHER)),
           "everything": Message("assistant", WORDS, (ONE, OTHER), THOUGHT)}
# Templates that write no words beside a call, no thinking of an answer that is over, or one call at most.
WITHOUT_WORDS = {"mistral", "llama3_1", "llama3_2"}
WITHOUT_THINKING = {"deepseek_r1_distill", "deepseekv3", "gemma4", "gemma4_v3", "gemma4_v4"}
# Their calls name the tool twice or stand before the words: heard as words, or in another order.
OTHERWISE = {"muse_glimmer", "gptoss"}


def rendered(chat: ChatTokenizer, messages: Sequence[Message], tools: Sequence[dict[str, Any]], begins: bool) -> str:
    manner = (chat.tool_manner if tools else None) or chat.manner
    return chat.render([turn_of(one, manner) for one in messages], begins, tools)


def said(chat: ChatTokenizer, answer: Message) -> tuple[str, str] | None:
    """(the prompt, what a model says after it) of an answer; None where the template refuses it."""
    tools = TOOLS if answer.tool_calls else []
    question = Message("user", "What?")
    try:
        prompt = rendered(chat, [question], tools, True)
        text = rendered(chat, [question, answer], tools, False)
    except REFUSALS:
        return None
    shared = begun_alike(prompt, text)
    rest = text[len(shared):]
    ends = [rest.find(one) for one in (*map(chat.tokenizer.id_to_token, chat.eos_ids), "<|tool_response>")]
    end = min((one for one in ends if one >= 0), default=len(rest.rstrip("\n")))
    return shared, rest[:end]


def heard(listener: Listener, pieces: Sequence[str]) -> Message:
    found: list[Piece] = []
    for piece in pieces:
        found += listener.push(piece)
    found += listener.flush()
    words, thinking = ("".join(one.text for one in found if one.kind == kind) for kind in ("words", "thinking"))
    return Message("assistant", words, tuple(one.call for one in found if one.call is not None), thinking)


def check(chat: ChatTokenizer, answer: Message) -> None:
    """The answer is heard as it is, whole and letter by letter."""
    spoken = said(chat, answer)
    if spoken is None:
        pytest.skip("the template refuses it")
    prompt, text = spoken
    speech = Speech.of(chat)
    tools = TOOLS if answer.tool_calls else []
    assert speech.heard(text, prompt, tools) == answer
    assert heard(speech.listen(prompt, tools), list(text)) == answer


def possible(chat: ChatTokenizer, name: str, answer: Message) -> None:
    """Skip what a template does not write."""
    if answer.tool_calls and not chat.takes_tools:
        pytest.skip("the template calls no tools")
    if (answer.tool_calls and answer.content and name in WITHOUT_WORDS) or \
            (answer.thinking and name in WITHOUT_THINKING) or name in OTHERWISE:
        pytest.skip("the template leaves something out")


@pytest.mark.parametrize("name", kinds("templates"))
@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_of_a_named_template_is_heard(name: str, kind: str) -> None:
    chat = ChatTokenizer.load(Workspace(PROJECT).starter, name)
    possible(chat, name, ANSWERS[kind])
    check(chat, ANSWERS[kind])


@pytest.mark.parametrize("name", ["qwen2.5", "minimind"])
@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_of_a_published_tokenizer_is_heard(name: str, kind: str) -> None:
    if not (TOKENIZERS / name).is_dir():
        pytest.skip("needs the tokenizers beside the checkout")
    check(ChatTokenizer.load(TOKENIZERS / name), ANSWERS[kind])


@pytest.mark.parametrize("path", [one for one in TEMPLATES if not one.stem.endswith("_training")],
                         ids=lambda path: path.stem)
def test_answers_of_published_templates_are_heard(path: Path, tmp_path: Path) -> None:
    chat = chat_with(path, tmp_path)
    for answer in ANSWERS.values():
        try:
            possible(chat, path.stem, answer)
            check(chat, answer)
        except pytest.skip.Exception:
            continue


def test_calls_are_known_in_every_template_that_takes_tools() -> None:
    for name in kinds("templates"):
        chat = ChatTokenizer.load(Workspace(PROJECT).starter, name)
        assert (Speech.of(chat).calls is not None) == chat.takes_tools, name


def speech(name: str) -> Speech:
    return Speech.of(ChatTokenizer.load(Workspace(PROJECT).starter, name))


BROKEN = {
    "qwen": ['<tool_call>\n{"name": "get_weather", "argu', "<tool_call>\nget_weather\n</tool_call>",
             '<tool_call>{"arguments": {}}</tool_call>', "a <tool_call> b", "ends with <tool_", "<tool_call>"],
    "glm4": ["get_weather\nis a tool.", "get_wea", 'get_weather\n{"city": "x"', 'get_wind\n{"city": "x"}'],
    "chatglm3": ["get_weather\n ```python\nprint(1)\n```", "get_weather\n ```python\ntool_call(city='x'"],
    "llama3": ['{"name": "get_weather"', '{"name": 5, "parameters": {}}', '{"a": 1} and words', "[1, 2]"],
    "mistral": ['[TOOL_CALLS] [{"name": "get_weather", "arguments": {}', "[TOOL_CALLS] no"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in BROKEN.items() for text in texts])
def test_a_broken_call_is_given_back_as_words(name: str, text: str) -> None:
    for pieces in ([text], list(text)):
        found = heard(speech(name).listen(tools=TOOLS), pieces)
        assert found.content == text and not found.tool_calls


def test_words_follow_a_call_and_a_broken_one() -> None:
    text = ('<tool_call>\n{"name": "get_weather", "arguments": {"city": "x"}}\n</tool_call>\n'
            "Then <tool_call>\nno\n</tool_call> and more.")
    for pieces in ([text], list(text)):
        found = heard(speech("qwen").listen(), pieces)
        assert found.content == "Then <tool_call>\nno\n</tool_call> and more."
        assert found.tool_calls == ({"name": "get_weather", "arguments": {"city": "x"}},)


def test_a_call_comes_as_soon_as_it_is_whole() -> None:
    listener = speech("qwen").listen()
    assert listener.push('<tool_call>\n{"name": "a", "arguments": {"b": "}"}') == []
    assert listener.push("}") == [Piece("call", call={"name": "a", "arguments": {"b": "}"}})]


def test_words_are_not_held_back_longer_than_they_must() -> None:
    listener = speech("qwen").listen()
    assert [one.text for one in listener.push("Hello <b>you</b> <tool")] == ["Hello <b>you</b>"]
    assert [one.text for one in listener.push("box>")] == [" <toolbox>"]


def test_calls_without_an_opening_are_heard_only_where_tools_were_offered() -> None:
    text = 'get_weather\n{"city": "x"}'
    assert speech("glm4").heard(text, tools=TOOLS).tool_calls
    assert speech("glm4").heard(text) == Message("assistant", text)


def test_thinking_begun_by_the_prompt_is_heard_and_may_be_cut_short() -> None:
    listener = speech("qwen3").listen("<|im_start|>assistant\n<think>\n")
    pieces = [*listener.push("So it "), *listener.push("is."), *listener.flush()]
    assert {one.kind for one in pieces} == {"thinking"}
    assert "".join(one.text for one in pieces) == "So it is."


def test_special_tokens_are_no_words() -> None:
    found = speech("qwen").heard("Hi.<|im_end|>")
    assert found.content == "Hi."


def test_an_answer_that_goes_on_is_heard_from_where_it_stood() -> None:
    for begun, kind in (("<think>\nSo", "thinking"), ("<think>\nSo.\n</think>\n\nIt", "words"), ("It", "words")):
        listener = speech("vicuna").listen(f"USER: hi\nASSISTANT: {begun}", begun=begun)
        assert [*listener.push(" is 4"), *listener.flush()] == [Piece(kind, " is 4")]
