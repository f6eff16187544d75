"""A dataset in another format: nothing lost in silence, nothing half-written."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from studio.data.catalogue import Entry
from studio.data.convert import convert, writable
from studio.data.walk import walk
from studio.errors import InputError, StopAsked
from studio.sample import Message, Sample
from tests.data.replay import SHARED

TALK = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
CALL = [{"from": "human", "value": "q"}, {"from": "function_call", "value": '{"name": "f", "arguments": {"x": 1}}'},
        {"from": "observation", "value": "1"}, {"from": "gpt", "value": "a"}]


def made(tmp_path, rows, name="in.json"):
    path = tmp_path / name
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return Entry("mine", path)


def samples(path):
    return [sample for _, _, sample in walk(Entry("out", path))]


def test_a_conversation_goes_through_every_format_that_can_hold_it(tmp_path):
    entry = made(tmp_path, [{"instruction": "问", "input": "more", "output": "答"}])
    wanted = (Message("user", "问\nmore"), Message("assistant", "答"))
    for name in ("alpaca", "sharegpt", "openai", "pairs", "firefly", "belle"):
        done = convert(entry, name, tmp_path / f"{name}.jsonl")
        assert (done.rows, done.written, done.left_out) == (1, 1, {})
        assert samples(done.path) == [Sample(wanted)]


def test_tools_stay_where_they_can_and_are_named_where_they_cannot(tmp_path):
    entry = made(tmp_path, [{"conversations": CALL, "tools": '[{"name": "f"}]'}, {"conversations": TALK}])
    before = samples(entry.path)
    assert samples(convert(entry, "openai", tmp_path / "openai.json").path) == before
    done = convert(entry, "alpaca", tmp_path / "alpaca.jsonl")
    assert (done.written, done.left_out) == (1, {"lost_tools": 1})
    assert done.examples["lost_tools"][0][:2] == ("in.json", 1)


def test_what_would_be_read_back_otherwise_is_left_out(tmp_path):
    history = [["x\nHuman: sly", "a"]]
    plain = {"instruction": "q", "output": "a"}
    entry = made(tmp_path, [{**plain, "history": history}, plain])
    done = convert(entry, "belle", tmp_path / "out.jsonl")
    assert done.left_out == {"lost_back": 1} and done.written == 1


def test_a_task_with_several_answers_becomes_one_row_each(tmp_path):
    instances = [{"input": "1", "output": "a"}, {"input": "2", "output": ""}, {"input": "3", "output": "c"}]
    entry = made(tmp_path, [{"instruction": "i", "instances": instances}])
    assert [reason for _, _, reason in walk(entry)] == ["several_instances"]
    done = convert(entry, "alpaca", tmp_path / "out.jsonl")
    assert (done.rows, done.written, done.left_out) == (1, 2, {"empty_answer": 1})
    assert [sample.messages[0].content for sample in samples(done.path)] == ["i\n1", "i\n3"]


@pytest.mark.parametrize(("to", "code"), [("choice", "convert_unknown"), ("klingon", "convert_unknown"),
                                          ("kto", "convert_nothing"), ("text", "convert_nothing")])
def test_a_conversion_that_gives_nothing_leaves_nothing(tmp_path, to, code):
    entry = made(tmp_path, [{"instruction": "q", "output": "a"}])
    with pytest.raises(InputError) as error:
        convert(entry, to, tmp_path / "out.jsonl")
    assert error.value.code == code and [path.name for path in tmp_path.iterdir()] == ["in.json"]


def test_nothing_is_overwritten_and_a_stop_leaves_nothing(tmp_path):
    entry = made(tmp_path, [{"instruction": "q", "output": "a"}])
    (tmp_path / "there.jsonl").write_text("precious", encoding="utf-8")
    with pytest.raises(InputError) as error:
        convert(entry, "openai", tmp_path / "there.jsonl")
    assert error.value.code == "convert_exists" and (tmp_path / "there.jsonl").read_text() == "precious"
    with pytest.raises(StopAsked):
        convert(entry, "openai", tmp_path / "stopped.jsonl", should_stop=lambda: True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.json", "there.jsonl"]


def test_half_a_character_is_kept(tmp_path):
    path = tmp_path / "in.json"
    path.write_text(r'[{"instruction": "a", "output": "\ud83d"}, {"instruction": "a", "output": "b"}]', "ascii")
    before = samples(path)
    assert samples(convert(Entry("mine", path), "openai", tmp_path / "out.jsonl").path) == [
        one for one in before if isinstance(one, Sample)]


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")
@pytest.mark.parametrize(("name", "to", "left_out"), [
    ("instruct/cet_oaast_sft_zh.json", "sharegpt", {}), ("tool/lf_glaive_toolcall_zh_demo.json", "openai", {}),
    ("tool/lf_reason_tool_use_demo_50.jsonl", "openai", {}),
    ("preference/lf_v1_dpo_demo.jsonl", "preference", {}), ("preference/lf_dpo_zh_demo.json", "preference", {}),
    ("preference/rasbt_instruction-data-with-preference.json", "preference", {}),
    ("preference/lf_kto_en_demo.json", "kto", {}), ("pretrain/lf_c4_demo.jsonl", "text", {}),
    ("instruct/alpaca_data_head2000.json", "pairs", {"empty_answer": 4}),
    ("tool/lf_reason_tool_use_demo_50.jsonl", "sharegpt", {"lost_thinking": 50})])
def test_real_files_come_back_as_they_were(tmp_path, name, to, left_out):
    entry = Entry("real", SHARED / name)
    if sum(left_out.values()) == 50:
        with pytest.raises(InputError):
            convert(entry, to, tmp_path / "out.jsonl")
        return
    done = convert(entry, to, tmp_path / "out.jsonl")
    assert done.left_out == left_out
    assert samples(done.path) == [one for one in samples(entry.path) if isinstance(one, Sample)]
    assert Counter(len(row) > 0 for row in done.path.read_text(encoding="utf-8").splitlines()) == {True: done.written}
    assert to in writable()
