"""Rows become conversations, or a reason why not."""

from __future__ import annotations

import re
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.data import reading
from studio.data.catalogue import Entry
from studio.data.recognise import Recognised, recognise
from studio.data.walk import walk
from studio.plugins import kinds, plugin
from studio.plugins.formats import Unusable
from studio.sample import KINDS, Message
from studio.texts import has
from studio.workspace import PROJECT
from tests.data.replay import SHARED


def turns(row, columns=None, tags=None, formatting=None):
    name = formatting or next(kind for kind in kinds("formats") if plugin("formats", kind).recognises(row))
    sample = plugin("formats", name).reader(columns or {}, tags or {})(row)
    return [(message.role[0], message.content) for message in sample.messages]


@pytest.mark.parametrize(("row", "columns", "wanted"), [
    ({"instruction": "a", "input": "b", "output": "c"}, {}, [("u", "a\nb"), ("a", "c")]),
    ({"instruction": "a", "input": "", "output": "c"}, {}, [("u", "a"), ("a", "c")]),
    ({"instruction": "", "input": "b", "output": "c"}, {}, [("u", "b"), ("a", "c")]),
    ({"instruction": "a", "output": 12, "system": "s"}, {}, [("s", "s"), ("u", "a"), ("a", "12")]),
    ({"instruction": "a", "output": "{{name}} by <AUTHOR>"}, {}, [("u", "a"), ("a", "{{name}} by <AUTHOR>")]),
    ({"instruction": "e", "input": "", "output": "f", "history": [["a", "b"], ["c", "d"]]}, {},
     [("u", "a"), ("a", "b"), ("u", "c"), ("a", "d"), ("u", "e"), ("a", "f")]),
    ({"q": "a", "more": "b", "r": "c", "h": []}, {"prompt": "q", "query": "more", "response": "r", "history": "h"},
     [("u", "a\nb"), ("a", "c")]),
    ({"input": "a", "target": "b"}, {"prompt": "input", "query": "", "response": "target", "history": ""},
     [("u", "a"), ("a", "b")]),
    ({"prompt": "a", "response": "b"}, {}, [("u", "a"), ("a", "b")]),
    ({"content": "a", "summary": "b"}, {}, [("u", "a"), ("a", "b")]),
])
def test_instruction_rows(row, columns, wanted):
    assert turns(row, columns, formatting="alpaca") == wanted


@pytest.mark.parametrize(("row", "tags", "wanted"), [
    ({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}, {}, [("u", "a"), ("a", "b")]),
    ({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"},
                   {"role": "assistant", "content": "b"}, {"role": "user", "content": "no answer"}]}, {},
     [("s", "s"), ("u", "a"), ("a", "b")]),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]},
                   {"role": "assistant", "content": [{"type": "text", "value": "b"}]}]}, {}, [("u", "a"), ("a", "b")]),
    ({"conversation": [{"human": "a", "assistant": "b"}]}, {}, [("u", "a"), ("a", "b")]),
    ({"conversation": [{"human": "a", "assistant": "b"}]}, {"role_tag": "from"}, [("u", "a"), ("a", "b")]),
    ({"conversations": [{"who": "Q", "says": "a"}, {"who": "A", "says": "b"}], "system": "s"},
     {"role_tag": "who", "content_tag": "says", "user_tag": "Q", "assistant_tag": "A"},
     [("s", "s"), ("u", "a"), ("a", "b")]),
])
def test_conversation_rows(row, tags, wanted):
    assert turns(row, tags=tags) == turns(row, tags=tags, formatting="sharegpt") == wanted


def talk(*roles: str) -> dict:
    return {"messages": [{"role": role, "content": "x"} for role in roles]}


@pytest.mark.parametrize(("row", "formatting", "reason"), [
    ({"instruction": "a", "output": "  "}, "alpaca", "empty_answer"), ({"instruction": "a"}, "alpaca", "empty_answer"),
    ({"instruction": None, "output": "b"}, "alpaca", "no_question"), ("text", "alpaca", "not_an_object"),
    ({"instruction": ["a"], "output": "b"}, "alpaca", "wrong_type"), ({"instruction": "a", "output": True}, "alpaca",
                                                                       "wrong_type"),
    ({"instruction": "a", "output": "b", "history": ["x"]}, "alpaca", "wrong_type"),
    ({"instruction": "a", "output": "b", "history": [["x", ""]]}, "alpaca", "empty_answer"),
    (talk(), "sharegpt", "no_question"), (talk("user"), "sharegpt", "no_question"), (7, "sharegpt", "not_an_object"),
    (talk("assistant", "user", "assistant"), "sharegpt", "bad_roles"), (talk("user", "user", "assistant"), "sharegpt",
                                                                         "bad_roles"),
    (talk("user", "system", "assistant"), "sharegpt", "bad_roles"), (talk("user", "judge"), "sharegpt", "bad_roles"),
    (talk("user", "tool", "assistant"), "sharegpt", "bad_roles"), ({"messages": "x"}, "sharegpt", "wrong_type"),
    ({"messages": ["x"]}, "sharegpt", "not_an_object"),
    ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "sharegpt", "not_text"),
])
def test_a_row_that_teaches_nothing_says_why(row, formatting, reason):
    with pytest.raises(Unusable) as unusable:
        turns(row, formatting=formatting)
    assert unusable.value.reason == reason


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")
@pytest.mark.parametrize(("name", "wanted"), [
    ("instruct/alpaca_data_head2000.json", {"used": 1996, "empty_answer": 4}),
    ("instruct/cet_oaast_sft_zh.json", {"used": 689}),
    ("instruct/adgen_dev.json", {"used": 1070}), ("instruct/fastchat_dummy_conversation.json", {"used": 500}),
    ("instruct/lf_v1_sft_demo.jsonl", {"used": 500}), ("instruct/firefly_dummy_data.jsonl", {"used": 33}),
    ("instruct/hk_terms_zh.json", {"used": 151, "no_question": 1}),
    ("messy/toyhom_gbk_内科_head1500.csv", {"used": 1500}),
    ("instruct/mgpt_medical_sft_head500.jsonl", {"used": 500}), ("instruct/cet_self_cognition.json", {"used": 80})])
def test_real_files_are_recognised_and_counted(name, wanted):
    found: Counter[str] = Counter()
    for row in reading.rows(SHARED / name):
        try:
            turns(row)
            found["used"] += 1
        except Unusable as unusable:
            found[unusable.reason] += 1
    assert found == wanted


CALLS = ({"name": "f", "arguments": {"x": 1}},)
SCHEMA = {"type": "function", "function": {"name": "f", "parameters": {}}}
QUESTION, GOOD, BAD = {"role": "user", "content": "q"}, {"role": "assistant", "content": "good"}, {
    "role": "assistant", "content": "bad"}


def read(row, formatting=None):
    name = formatting or recognise([row]).format
    return plugin("formats", name).reader({}, {})(row)


@pytest.mark.parametrize("turn", [
    {"from": "function_call", "value": '{"name": "f", "arguments": {"x": 1}}'},
    {"from": "function_call", "value": '[{"name": "f", "arguments": "{\\"x\\": 1}"}]'},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}]},
    {"role": "assistant", "content": [{"type": "tool_call", "value": '{"name": "f", "arguments": {"x": 1}}'}]}])
def test_a_tool_call_is_the_same_however_it_is_spelled(turn):
    turns = [QUESTION, turn, {"role": "tool", "content": "1"}, GOOD]
    row = {"messages": turns, "tools": [{"name": "f", "parameters": {}}]}
    sample = read(row)
    assert sample.messages[1:3] == (Message("assistant", "", CALLS), Message("tool", "1"))
    assert sample.tools == (SCHEMA,) == read({**row, "tools": '[{"name": "f", "parameters": {}}]'}).tools
    assert read({**row, "tools": [SCHEMA]}).tools == (SCHEMA,)


def test_words_and_the_calls_after_them_are_one_turn():
    call = {"from": "function_call", "value": '{"name": "f", "arguments": {"x": 1}}'}
    said = {"from": "gpt", "value": "let me see"}
    seen, end = {"from": "observation", "value": "1"}, {"from": "gpt", "value": "a"}
    sample = read({"conversations": [{"from": "human", "value": "q"}, said, call, call, seen, seen, end]})
    assert sample.messages[1:] == (Message("assistant", "let me see", CALLS * 2), Message("tool", "1"),
                                   Message("tool", "1"), Message("assistant", "a"))


@pytest.mark.parametrize("turn", [{"role": "assistant", "content": "a", "reasoning_content": "hm"},
                                  {"role": "assistant", "content": [{"type": "reasoning", "value": "hm"},
                                                                    {"type": "text", "value": "a"}]}])
def test_thinking_is_kept_apart_from_the_words(turn):
    assert read({"messages": [QUESTION, turn]}).messages[1] == Message("assistant", "a", thinking="hm")


@pytest.mark.parametrize("row", [
    {"instruction": "q", "chosen": "good", "rejected": "bad"}, {"question": "q", "output": ["good", "bad"]},
    {"instruction": "q", "input": "", "output": ["good", "bad"], "history": []},
    {"conversations": [{"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": "good"},
     "rejected": {"from": "gpt", "value": "bad"}},
    {"conversations": [{"from": "human", "value": "q"}], "chosen": "good", "rejected": "bad"},
    {"prompt": [QUESTION], "chosen": [GOOD], "rejected": [BAD]}, {"prompt": "q", "chosen": [GOOD], "rejected": [BAD]},
    {"chosen": [QUESTION, GOOD], "rejected": [QUESTION, BAD]},
    {"chosen_messages": [QUESTION, GOOD], "rejected_messages": [QUESTION, BAD]},
    {"chosen": "\n\nHuman: q\n\nAssistant: good", "rejected": "\n\nHuman: q\n\nAssistant: bad"}])
def test_a_preference_is_the_same_however_it_is_spelled(row):
    sample = read(row)
    assert sample.kind == "preference"
    assert sample.messages == (Message("user", "q"), Message("assistant", "good"))
    assert sample.rejected == (Message("assistant", "bad"),)


@pytest.mark.parametrize(("row", "liked"), [
    ({"messages": [QUESTION, GOOD], "label": True}, True),
    ({"prompt": "q", "completion": "good", "label": False}, False),
    ({"prompt": [QUESTION], "completion": [GOOD], "label": True}, True),
    ({"instruction": "q", "output": "good", "kto_tag": "false"}, False)])
def test_a_verdict_is_kept(row, liked):
    sample = read(row)
    assert (sample.kind, sample.liked, sample.messages[-1].content) == ("rated", liked, "good")


@pytest.mark.parametrize("row", [
    {"id": "0", "question": "q", "A": "a", "B": "b", "C": "c", "D": "d", "answer": "B", "explanation": "why"},
    {"": "0", "Question": "q", "A": "a", "B": "b", "C": "c", "D": "d", "Answer": "B"},
    {"question": "q", "choices": ["a", "b", "c", "d"], "answer": 1},
    {"question": "q", "options": {"label": ["A", "B", "C", "D"], "text": ["a", "b", "c", "d"]}, "answer": "(b)"}])
def test_a_question_of_several_choices_is_the_same_however_it_is_spelled(row):
    sample = read(row)
    assert sample.messages == (Message("user", "q\nA. a\nB. b\nC. c\nD. d"), Message("assistant", "B"))
    assert sample.choices == ("a", "b", "c", "d")


def test_mmlu_without_a_header_loses_no_question(tmp_path):
    path = tmp_path / "abstract_algebra_test.csv"
    path.write_text('"1, 2?",0,4,4,6,B\nwhat,"a ""b""",2,3,4,A\n', encoding="utf-8")
    samples = [sample for _, _, sample in walk(Entry("mmlu", path))]
    assert [sample.messages[1].content for sample in samples] == ["B", "A"]
    assert samples[0].messages[0].content == "1, 2?\nA. 0\nB. 4\nC. 4\nD. 6"


@pytest.mark.parametrize("row", [
    {"instruction": "Human: q1\nAssistant: a1\nHuman: q2\nAssistant: ", "input": "", "output": "a2"},
    {"instruction": " <user>: q1 <bot>: a1 <user>: q2", "output": "a2"},
    {"text": "User: q1\nBot: a1<|endoftext|>\nUser: q2\nBot: a2<|endoftext|>"},
    {"conversation": [{"human": "q1", "assistant": "a1"}, {"human": "q2", "assistant": "a2"}]},
    {"instruction": "q2", "output": "a2", "history": '[["q1", "a1"]]'}])
def test_a_dialogue_is_the_same_however_it_is_spelled(row):
    assert [(turn.role[0], turn.content) for turn in read(row).messages] == [
        ("u", "q1"), ("a", "a1"), ("u", "q2"), ("a", "a2")]


def test_texts_and_problems():
    assert read({"text": "once", "url": "x"}).text == "once"
    problem = {"original_text": "1+1=?", "segmented_text": "1 + 1", "equation": "x=1+1", "ans": "2"}
    assert read(problem).messages[-1].content == "2"
    columns = {"prompt": "original_text", "response": "ans", "equation": "equation"}
    assert plugin("formats", "math23k").reader(columns, {})(problem).messages[-1].content == "x=1+1\n2"


@pytest.mark.parametrize(("row", "formatting", "reason"), [
    ({"text": " "}, "text", "no_text"), ({"text": "a story"}, "transcript", "no_dialogue"),
    ({"question": "q", "A": "a", "B": "b"}, "choice", "no_answer"),
    ({"question": "q", "A": "a", "B": "b", "answer": "C"}, "choice", "bad_choice"),
    ({"question": "q", "A": "a", "answer": "A"}, "choice", "no_choices"),
    ({"turns": ["q1", "q2"]}, "questions", "no_answer"), ({"question_id": 1, "text": "q"}, None, "no_answer"),
    ({"instruction": "q", "chosen": "a", "rejected": ""}, None, "no_rejected"),
    ({"instruction": "q", "chosen": "", "rejected": "b"}, None, "empty_answer"),
    ({"chosen": [QUESTION, GOOD], "rejected": [QUESTION, BAD, QUESTION, BAD]}, None, "uneven_pair"),
    ({"messages": [QUESTION, GOOD], "label": "maybe"}, "kto", "no_rating"),
    ({"instruction": "q", "instances": [{"output": "a"}, {"output": "b"}]}, None, "several_instances"),
    ({"instruction": "q", "instances": []}, None, "empty_answer"),
    ({"messages": [QUESTION, {**GOOD, "loss_weight": 0.0}]}, None, "untrained_turn"),
    ({"messages": [QUESTION, GOOD], "tools": "run(x)"}, None, "bad_tools"),
    ({"messages": [QUESTION, {"role": "function_call", "content": "run(x)"}]}, None, "bad_tool_call"),
    ({"messages": [QUESTION, GOOD], "images": ["1.jpg"]}, None, "not_text"),
    ({"instruction": "q", "output": "a", "image": "1.jpg"}, None, "not_text"),
    ({"instruction": "q", "output": "a", "history": "not json"}, "alpaca", "wrong_type")])
def test_a_row_of_another_kind_says_why_it_teaches_nothing(row, formatting, reason):
    with pytest.raises(Unusable) as unusable:
        read(row, formatting)
    assert unusable.value.reason == reason


def test_every_reason_has_its_sentence():
    sources = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "studio/plugins/formats").glob("*.py"))
    reasons = set(re.findall(r'Unusable\("(\w+)"\)', sources)) | set(re.findall(r'parsed\(\w+, "(\w+)"\)', sources))
    assert len(reasons) > 20
    assert not [reason for reason in reasons for lang in ("en", "zh") if not has(lang, f"data.skipped.{reason}")]
    assert all(has("en", f"data.skipped.lost_{kind}") for kind in KINDS)


def test_what_is_recognised_says_how_sure_it_is():
    sure = recognise([{"instruction": "q", "output": "a"}, {"instruction": "q", "output": "a", "history": []}])
    columns = {"prompt": "instruction", "response": "output", "history": "history"}
    assert sure == Recognised("alpaca", columns, True, "chat")
    csv = recognise([{"department": "d", "title": "t", "ask": "q", "answer": "a"}])
    assert (csv.format, csv.columns, csv.sure) == ("pairs", {"prompt": "ask", "response": "answer"}, False)
    assert not recognise([{"instruction": "q", "output": "a"}, {"text": "t"}]).sure
    assert recognise([{"x": 1}, "y", None]) == Recognised(None)
    assert all(set(plugin("formats", name).columns_of({})) <= set(plugin("formats", name).COLUMNS)
               for name in kinds("formats"))


@pytest.mark.parametrize("row", [
    {"instruction": "what is it", "input": "", "output": "a thing"},
    {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
    {"messages": [QUESTION, GOOD]}])
def test_reading_a_row_costs_next_to_nothing(row):
    read_row = plugin("formats", recognise([row]).format).reader({}, {})
    start = time.process_time()
    for _ in range(20_000):
        read_row(row)
    assert time.process_time() - start < 1.0  # 0.1 s and 0.15 s on the machine it was written on


COLUMN_NAMES = st.sampled_from([
    "instruction", "input", "output", "prompt", "completion", "question", "answer", "history", "system",
    "tools", "text", "messages", "conversations", "conversation", "chosen", "rejected", "chosen_messages",
    "rejected_messages", "label", "instances", "content", "summary", "A", "B", "C", "choices", "original_text",
    "ans", "turns", "question_id", "images"])
KEYS = st.sampled_from([
    "role", "content", "from", "value", "human", "assistant", "tool_calls", "name", "arguments", "function",
    "type", "text", "loss_weight", "reasoning_content", "input", "output"])
WORDS = st.sampled_from([
    "user", "assistant", "human", "gpt", "tool", "function_call", "system", "a", "A", "[", "[]", "{}", "null",
    "text", "tool_call", "", '{"name":"f"}', "Human:a\nAssistant:b", "\ud800"])
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-1, 9), st.floats(), WORDS)
VALUES = st.recursive(LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(
    KEYS, inner, max_size=4)), max_leaves=12)
ANY_ROW = st.one_of(st.dictionaries(COLUMN_NAMES, VALUES, max_size=6), LEAVES, st.lists(LEAVES, max_size=2))


@given(ANY_ROW, st.one_of(st.just({}), st.dictionaries(st.sampled_from(["prompt", "query", "response", "messages",
                                                                        "chosen", "kto_tag", "tools"]), COLUMN_NAMES)))
def test_no_row_can_do_more_than_be_unusable(row, columns):
    recognise([row])
    for name in kinds("formats"):
        module = plugin("formats", name)
        try:
            sample = module.reader(columns, {})(row)
        except Unusable as why:
            assert has("en", f"data.skipped.{why.reason}")
            continue
        assert sample.kind == module.KIND
        assert not sample.messages or sample.messages[-1].role == "assistant"
