"""`check` gives a dataset's format, encoding, counts and problems; real files are counted here independently."""

from __future__ import annotations

import csv
import io
import json
import lzma
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from studio.data.catalogue import Catalogue, Entry
from studio.data.check import check
from studio.data.doctor import examine
from studio.errors import InputError
from studio.workspace import PROJECT, Workspace
from tests.data.replay import SHARED

real = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not here")
LINES = ("jsonl", "adgen_dev.json", "belle_zh_seed_tasks.json")  # JSON lines, whatever they are called
FORMATS = {
    "instruct/adgen_dev.json": "adgen", "instruct/alpaca_data_head2000.json": "alpaca",
    "instruct/alpaca_seed_tasks.jsonl": "belle", "instruct/belle_zh_seed_tasks.json": "belle",
    "instruct/cet_examples.json": "alpaca", "instruct/cet_lima_head200.json": "alpaca",
    "instruct/cet_oaast_sft_zh.json": "alpaca", "instruct/cet_self_cognition.json": "alpaca",
    "instruct/chatglm-maths_math23k.sample.json": "math23k", "instruct/chatglm6b_improve_data_sample.jsonl": "pairs",
    "instruct/fastchat_dummy_conversation.json": "sharegpt", "instruct/firefly_dummy_data.jsonl": "firefly",
    "instruct/gpt4llm_user_oriented_instructions.jsonl": "belle", "instruct/hk_arith_zh.json": "alpaca",
    "instruct/hk_dangjian_zh.json": "alpaca", "instruct/hk_terms_zh.json": "alpaca",
    "instruct/huatuo_liver_cancer_multiturn_head300.json": "belle", "instruct/lf_alpaca_en_demo.json": "alpaca",
    "instruct/lf_alpaca_zh_demo.json": "alpaca", "instruct/lf_identity.json": "alpaca",
    "instruct/lf_v1_sft_demo.jsonl": "openai", "instruct/mgpt_medical_sft_head500.jsonl": "sharegpt",
    "instruct/rasbt_instruction-data.json": "alpaca", "preference/lf_dpo_en_demo.json": "preference",
    "preference/lf_dpo_zh_demo.json": "preference", "preference/lf_kto_en_demo.json": "kto",
    "preference/lf_v1_dpo_demo.jsonl": "preference", "preference/mgpt_dpo_zh_head200.jsonl": "preference",
    "preference/rasbt_instruction-data-with-preference.json": "preference",
    "pretrain/firefly_dummy_pretrain.jsonl": "text", "pretrain/lf_c4_demo.jsonl": "text",
    "pretrain/lf_wiki_demo.txt": "text", "pretrain/rasbt_the-verdict.txt": "text",
    "tool/lf_glaive_toolcall_en_demo.json": "sharegpt", "tool/lf_glaive_toolcall_zh_demo.json": "sharegpt",
    "tool/lf_reason_tool_use_demo_50.jsonl": "openai", "eval/gsm8k_test.jsonl": "pairs", "eval/lf_ceval.zip": "choice",
    "eval/lf_cmmlu.zip": "choice", "extra/code_alpaca_2k.json": "alpaca", "extra/gsm8k_train.jsonl.xz": "pairs",
}
# Rows that are no use, counted by hand or by the expressions below.
UNUSABLE = {
    "instruct/alpaca_data_head2000.json": {"empty_answer": 4}, "instruct/hk_dangjian_zh.json": {"empty_answer": 1},
    "instruct/hk_terms_zh.json": {"no_question": 1}, "extra/code_alpaca_2k.json": {"empty_answer": 2},
}


def bytes_of(path: Path) -> bytes:
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def rows_of(path: Path) -> list[Any]:
    """The rows of a real file, by other means than the studio's."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return [row for name in archive.namelist() if name.endswith(".csv")
                    for row in csv.DictReader(io.StringIO(archive.read(name).decode("utf-8-sig"), newline=""))]
    text = bytes_of(path).decode("utf-8")
    if path.name.replace(".xz", "").endswith(LINES):
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    return json.loads(text)


def problems(found: dict[str, Any]) -> dict[str, int]:
    return {one["code"]: one["count"] for one in found["problems"]}


@real
@pytest.mark.parametrize("name", FORMATS)
def test_a_real_file_is_recognised_and_every_row_counted(name):
    path = SHARED / name
    found = check(Entry(path.stem, path))
    assert (found["format"], found["encoding"]) == (FORMATS[name], "utf-8")
    if path.suffix != ".txt":
        assert found["rows"] == len(rows_of(path))
    assert found["rows"] - found["usable_rows"] == sum(
        count for code, count in problems(found).items() if code in ("empty_answer", "no_question", "no_answer"))
    if name in UNUSABLE:
        assert UNUSABLE[name].items() <= problems(found).items()


@real
@pytest.mark.parametrize(("name", "counted"), [
    ("lf_identity.json", lambda row: "{{" in row["output"]),
    ("cet_self_cognition.json", lambda row: any(f"<{word}>" in row["output"] and f"<{word}>" not in row["instruction"]
                                                for word in ("NAME", "AUTHOR"))),
])
def test_the_placeholders_of_self_cognition_are_counted_as_they_stand(name, counted):
    path = SHARED / "instruct" / name
    found = problems(check(Entry(name, path)))["placeholder"]
    assert found == sum(map(counted, rows_of(path))) > 70


@real
@pytest.mark.parametrize("name", ["lf_alpaca_en_demo.json", "lf_alpaca_zh_demo.json", "hk_arith_zh.json",
                                  "hk_dangjian_zh.json", "rasbt_instruction-data.json", "cet_oaast_sft_zh.json"])
def test_duplicates_and_conflicts_of_real_files_are_those_that_a_plain_count_finds(name):
    path, seen, asked = SHARED / "instruct" / name, Counter[str](), dict[str, str]()
    conflicts = 0
    for row in rows_of(path):
        history = [[words.strip() for words in pair] for pair in row.get("history") or []]
        more = row.get("input") or ""
        question = row["instruction"] + ("\n" + more if more.strip() else "")
        if not row["output"].strip():
            continue
        seen[json.dumps([history, question.strip(), row["output"].strip()])] += 1
        key = " ".join([*(words for pair in history for words in pair), question]).casefold().split()
        answer = " ".join(row["output"].casefold().split())
        conflicts += asked.setdefault(" ".join(key), answer) != answer
    found = problems(check(Entry(name, path)))
    assert found.get("duplicate", 0) == sum(count - 1 for count in seen.values())
    assert found.get("conflict", 0) == conflicts


@real
def test_equal_pairs_of_a_real_preference_file_are_counted():
    path = SHARED / "preference" / "rasbt_instruction-data-with-preference.json"
    equal = sum(row["chosen"].strip() == row["rejected"].strip() for row in rows_of(path))
    assert problems(check(Entry("rasbt", path)))["equal_pair"] == equal == 6


@real
def test_a_real_table_in_gbk_is_read_to_its_last_row():
    path = next((SHARED / "messy").glob("toyhom*.csv"))
    found = check(Entry("toyhom", path))
    rows = list(csv.reader(io.StringIO(path.read_bytes().decode("gb18030", "replace"), newline="")))
    assert (found["format"], found["encoding"], found["rows"]) == ("pairs", "gb18030", len(rows) - 1)


@real
def test_a_real_broken_array_says_its_line_and_what_stands_before_it_is_examined():
    path = next((SHARED / "messy").glob("hk_alpaca*unfinished.json"))
    found = check(Entry("unfinished", path), lang="zh")
    whole = json.loads(path.read_text(encoding="utf-8").rstrip().removesuffix("]").rstrip().removesuffix(",") + "]")
    assert found["rows"] == len(whole)
    broken = next(one for one in found["problems"] if one["code"] == "dataset_broken")
    assert broken["examples"][0]["line"] == 14007 and broken["examples"][0]["why"]


@real
@pytest.mark.slow
def test_the_whole_of_alpaca_has_its_28_empty_answers_and_few_alarms():
    found = check(Entry("alpaca", SHARED / "extra" / "alpaca_data.json.xz"))
    said = problems(found)
    assert (found["rows"], found["usable_rows"], said["empty_answer"]) == (52002, 51974, 28)
    assert 0 < said["cut_off"] <= 52 and 0 < said["personal"] <= 52  # one in a thousand at most
    assert not said.keys() & {"near_duplicate", "mojibake", "secret", "language_mix", "extreme_length"}


@pytest.mark.parametrize(("name", "alarms"), [
    ("arithmetic", {}), ("arithmetic_heldout", {}), ("number_words", {}), ("number_words_heldout", {}),
    ("bilingual", {"near_duplicate": 1}), ("bilingual_heldout", {}), ("preferences", {}),
])
def test_the_shipped_samples_raise_next_to_no_alarm(name, alarms):
    """One in 3,440 rows: two ways to ask "Do you speak English?" that have the same answer."""
    assert problems(check(Catalogue(Workspace(PROJECT)).entry(name))) == alarms


@real
@pytest.mark.parametrize(("name", "cut", "mixed"), [("lf_alpaca_en_demo", 5, 0), ("lf_alpaca_zh_demo", 4, 11)])
def test_well_kept_sets_raise_few_alarms(name, cut, mixed):
    """In a thousand rows each; read one by one, all nine do break off and ten of the eleven change language."""
    report = examine(Entry(name, SHARED / "instruct" / f"{name}.json"))
    said = {one.code: one.count for one in report.problems}
    assert said.get("cut_off", 0) <= cut and said.get("language_mix", 0) <= mixed
    assert not said.keys() & {"secret", "personal", "mojibake", "hollow_answer", "white_space", "extreme_length"}


def test_the_shape_is_what_a_machine_reads(tmp_path):
    path = tmp_path / "d.csv"
    path.write_bytes("question,answer\n你好,您好\n再见,\n谢谢,\n天气好吗,好 \n".encode("gb18030"))
    assert check(Entry("d", path)) == {
        "format": "pairs", "encoding": "gb18030", "rows": 4, "usable_rows": 2, "problems": [
            {"code": "empty_answer", "count": 2, "severity": "error", "examples": [
                {"file": "d.csv", "line": 3, "why": "the answer is empty"},
                {"file": "d.csv", "line": 4, "why": "the answer is empty"}]},
            {"code": "white_space", "count": 1, "severity": "note", "examples": [
                {"file": "d.csv", "line": 5, "why": "the answer has white space around it: 好"}]}]}


def test_lines_that_are_no_rows_are_problems_with_their_place(tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_text('{"question": "a", "answer": "b"}\n{oops\n\n{"question": "c", "answer": "d"}\n', encoding="utf-8")
    found = check(Entry("d", path))
    assert found["usable_rows"] == 2 and found["rows"] == 3
    assert [one["examples"][0]["line"] for one in found["problems"]] == [2]


def test_a_file_without_rows_is_refused(tmp_path):
    (tmp_path / "d.jsonl").write_text("\n\n", encoding="utf-8")
    with pytest.raises(InputError) as refusal:
        check(Entry("d", tmp_path / "d.jsonl"))
    assert refusal.value.code == "dataset_empty"


@real
@pytest.mark.parametrize(("name", "least"), [("lf_alpaca_en_demo", 30), ("lf_alpaca_zh_demo", 80)])
def test_one_word_changed_in_a_long_answer_is_found_nearly_always(tmp_path, name, least):
    rows = [row for row in rows_of(SHARED / "instruct" / f"{name}.json") if len(row["output"].split()) >= least
            or (least == 80 and len(row["output"]) >= least)][:400]
    rows = list({row["output"]: row for row in rows}.values())
    middle = [len(row["output"]) // 2 for row in rows]
    changed = [{**row, "output": f"{row['output'][:at]}某{row['output'][at + 1:]}"} for row, at in zip(rows, middle)]
    path = tmp_path / "twice.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *changed]), encoding="utf-8")
    found = examine(Entry("twice", path), codes=["near_duplicate"]).problem("near_duplicate")
    assert found.count >= 0.95 * len(rows) > 300
    assert all(one.number >= len(rows) for one in found.examples)
