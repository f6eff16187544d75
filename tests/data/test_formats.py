"""Rows become conversations, or a reason why not."""

from __future__ import annotations

from collections import Counter

import pytest

from studio.data import reading
from studio.plugins import kinds, plugin
from studio.plugins.formats import Unusable
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
    ({"conversations": [{"who": "Q", "says": "a"}, {"who": "A", "says": "b"}], "system": "s"},
     {"role_tag": "who", "content_tag": "says", "user_tag": "Q", "assistant_tag": "A"},
     [("s", "s"), ("u", "a"), ("a", "b")]),
])
def test_conversation_rows(row, tags, wanted):
    assert turns(row, tags=tags) == wanted


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
