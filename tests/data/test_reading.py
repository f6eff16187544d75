"""Rows out of files, clean and messy ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.data import reading
from studio.errors import InputError
from tests.data.replay import SHARED

ROWS = [{"instruction": "你好", "output": "Hi\n\"there\""}, {"instruction": "b", "output": "c", "n": 1.5, "x": None}]


def read(folder: Path, name: str, content: bytes | str) -> list:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return list(reading.rows(path))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_list_is_read_in_every_usual_encoding(tmp_path, encoding, indent):
    text = json.dumps(ROWS, ensure_ascii=False, indent=indent)
    assert read(tmp_path, "a.json", text.encode(encoding)) == ROWS


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\n\n  \n"])
def test_json_lines_are_read_under_both_names(tmp_path, name, newline):
    text = newline.join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    assert read(tmp_path, name, text) == ROWS


def test_rows_larger_than_the_window_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK", 7)
    rows = [{"instruction": "x" * size, "output": [1, 2, {"é": size}]} for size in (0, 3, 50, 500)]
    rows += [12345678, "ab", None]
    assert read(tmp_path, "a.json", json.dumps(rows, indent=1)) == rows


def test_values_one_after_the_other_are_read(tmp_path):
    text = "\n".join(json.dumps(row, indent=2) for row in ROWS)
    assert read(tmp_path, "a.json", text) == ROWS


def test_csv_is_read_with_quotes_newlines_and_a_bom(tmp_path):
    text = '\ufeffinstruction,output\n"a,\n""b""",中文\nc,d,surplus\ne\n'
    assert read(tmp_path, "a.csv", text) == [{"instruction": 'a,\n"b"', "output": "中文"},
                                             {"instruction": "c", "output": "d"}, {"instruction": "e", "output": None}]


@pytest.mark.parametrize(("name", "content", "line"), [
    ("a.json", '[\n{"a": 1},\n{"a": 2},\n]', 4), ("a.json", '[\n{"a": 1}\n{"a": 2}]', 3), ("a.json", '[\n{"a": 1}', 2),
    ("a.json", '[{"a": 1}]\n[2]', 2), ("a.json", "instruction,output\na,b\n", 1), ("a.jsonl", '{"a": 1}\n{"a": \n', 2),
    ("a.json", '[\n{"a": "b\n"}]', 2), ("a.jsonl", '{"a": 1}\n{"a": "cut', 2)])
def test_a_broken_file_is_refused_with_its_line(tmp_path, name, content, line):
    with pytest.raises(InputError) as refused:
        read(tmp_path, name, content)
    assert (refused.value.code, refused.value.values["line"]) == ("dataset_broken", line)


def test_an_empty_file_has_no_rows(tmp_path):
    assert [read(tmp_path, name, "") for name in ("a.json", "b.jsonl", "c.csv")] == [[], [], []]
    assert read(tmp_path, "d.json", "[ ]\n") == []


def test_a_character_cut_at_the_end_of_the_file_does_no_harm(tmp_path):
    rows = read(tmp_path, "a.csv", "ask,answer\n问,答案".encode("gbk")[:-1])
    assert rows[0]["ask"] == "问" and rows[0]["answer"].startswith("答")


def test_other_bytes_are_refused(tmp_path):
    for name, content, code in (("a.json", b"[\xff\xff\xff\xff]", "dataset_encoding"),
                                ("a.txt", b"x", "dataset_file_type"), ("a.parquet", b"PAR1", "dataset_file_type")):
        with pytest.raises(InputError) as refused:
            read(tmp_path, name, content)
        assert refused.value.code == code


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")
def test_real_messy_files():
    messy = SHARED / "messy"
    with pytest.raises(InputError) as refused:
        list(reading.rows(messy / "hk_alpaca_zh_9407-12345_unfinished.json"))
    assert refused.value.values["line"] == 14007
    rows = list(reading.rows(messy / "toyhom_gbk_内科_head1500.csv"))
    assert len(rows) == 1500 and rows[0]["department"] == "心血管科" and rows[0]["answer"]
