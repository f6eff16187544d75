"""Bad input: each has its sentence with file and line, and what is right in the same file stays usable."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path

import pytest

from studio.data import reading
from studio.data.reading import Source, lines, values
from studio.errors import InputError
from studio.texts import say
from studio.texts.errors import of_error
from tests.data.replay import SHARED

GOOD = {"instruction": "问", "output": "答"}
LINE = json.dumps(GOOD, ensure_ascii=False)


def read(path: Path) -> tuple[list, list]:
    """(rows with their lines, what was left out); `path` with nobody listening raises at the first of those."""
    heard: list[tuple[int, str, str]] = []
    rows = list(reading.numbered(Source(path), broken=lambda *told: heard.append(told)))
    if heard:
        with pytest.raises(InputError) as refused:
            list(reading.numbered(path))
        assert refused.value.code == "dataset_broken" and refused.value.values["line"] == heard[0][0]
        for lang in ("en", "zh"):
            sentence = of_error(lang, refused.value)
            assert path.name in sentence and str(heard[0][0]) in sentence and "@" not in sentence
            assert all(say(lang, f"data.skipped.{code}") for _, code, _ in heard)
    return rows, [(line, code) for line, code, _ in heard]


def written(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


LINES = [
    ("", None), ("   ", None), ("// a comment", "comment_line"), ("# another", "comment_line"),
    ('{"instruction": "x", "output": "y', "broken_line"), ("{'instruction': 'x'}", "broken_line"),
    ('{"a": 1, "a": 2}', "duplicate_key"), ('{"a": {"b": [{"c": 1, "c": 2}]}}', "duplicate_key"),
    ('{"a": "x\0y"}', "nul_bytes"), ("\0\0\0\0", "nul_bytes"), (b'{"a": "\xff\xfe"}', "bad_bytes"),
    ('{"a": "cut \\ud83d"}', "half_character"), ('{"a": 1},', "broken_line"), ("[" * 100_000, "broken_line"),
    ('{"a": "tab\there"}', "broken_line"),
]


@pytest.mark.parametrize(("line", "code"), LINES)
@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_a_line_that_is_no_row_is_told_and_the_others_are_read(tmp_path, name, line, code):
    line = line if isinstance(line, bytes) else line.encode()
    path = written(tmp_path, name, b"\n".join([LINE.encode(), line, LINE.encode(), b""]))
    rows, told = read(path)
    assert rows == [(1, GOOD), (3, GOOD)] and told == ([(2, code)] if code else [])


@pytest.mark.parametrize(("line", "row"), [
    ('{"a": NaN, "b": "x"}', "nan"), ('{"a": -Infinity}', {"a": float("-inf")}), ('{"a": 1, "a": 1}', {"a": 1}),
    ('{"a" : "b" , "c": "\\":\\""}', {"a": "b", "c": '":"'}), ('{"a": ": x"}', {"a": ": x"}),
    ('\ufeff{"a": 1}', {"a": 1}), ('{"a": "\\ud83d\\ude00"}', {"a": "😀"}), ("7", 7), ('{"a": "\\u0000"}', {"a": "\0"}),
])
def test_what_is_odd_and_still_says_one_thing_is_read(tmp_path, line, row):
    for path in (written(tmp_path, "a.jsonl", f"{LINE}\n{line}\n"), written(tmp_path, "b.json", f"[{LINE},\n{line}]")):
        if "\ufeff" in line and path.suffix == ".json":
            continue
        rows, told = read(path)
        assert not told and (repr(rows[1][1]) == "{'a': nan, 'b': 'x'}" if row == "nan" else rows[1][1] == row)


def test_the_last_line_that_breaks_off_is_told_as_such(tmp_path):
    rows, told = read(written(tmp_path, "a.jsonl", f"{LINE}\n{LINE[:-5]}"))
    assert rows == [(1, GOOD)] and told == [(2, "cut_line")]


def test_every_mix_of_line_ends_counts_as_an_editor_counts(tmp_path):
    rows, told = read(written(tmp_path, "a.jsonl", f"{LINE}\r\n{LINE}\r{LINE}\n\r\nbroken\r{LINE}"))
    assert [line for line, _ in rows] == [1, 2, 3, 6] and told == [(5, "broken_line")]


def test_a_line_of_megabytes_is_read_and_one_beyond_the_limit_is_told(tmp_path, monkeypatch):
    long = json.dumps({"instruction": "x" * 3_000_000, "output": "y"})
    for name in ("a.jsonl", "a.json"):
        rows, _ = read(written(tmp_path, name, f"{LINE}\n{long}\n{LINE}\n"))
        assert [line for line, _ in rows] == [1, 2, 3] and len(rows[1][1]["instruction"]) == 3_000_000
    monkeypatch.setattr(lines, "LONGEST", 1000)
    assert read(tmp_path / "a.jsonl") == ([(1, GOOD), (3, GOOD)], [(2, "long_line")])


ARRAYS = [
    (f"[\n{LINE},\n{LINE},\n]", 4, 2), (f"[\n{LINE}\n{LINE}]", 3, 1), (f"[\n{LINE},\n// no\n{LINE}]", 3, 1),
    (f"[\n{LINE},\n{LINE[:-4]}", 3, 1), (f"[\n{LINE},\n{LINE}\n", 4, 2), (f"[\n{LINE},\n{{'a': 1}}]", 3, 1),
    (f'[\n{LINE},\n{{"a": "x\ny"}}]', 3, 1), (f'[\n{LINE},\n{{"a": "x\0y"}}]', 3, 1), (f"[{LINE}]\n\nmore", 3, 1),
    ('{"a":\n{"b": 1},\n"c" 2}', 3, 0),
]


@pytest.mark.parametrize(("text", "line", "before"), ARRAYS)
def test_a_broken_array_says_its_line_after_what_stands_before(tmp_path, text, line, before):
    path, rows = written(tmp_path, "a.json", text), []
    with pytest.raises(InputError) as refused:
        for row in reading.rows(path, broken=lambda *told: pytest.fail(str(told))):
            rows.append(row)  # what came before the error counts
    assert (refused.value.code, refused.value.values["line"]) == ("dataset_broken", line)
    assert rows == [GOOD] * before
    for lang in ("en", "zh"):
        assert "a.json" in of_error(lang, refused.value) and "@" not in of_error(lang, refused.value)


@pytest.mark.parametrize(("row", "code"), [
    (b'{"a": 1, "a": 2}', "duplicate_key"), (b'{"a": "\xff"}', "bad_bytes"), (rb'{"a": "\ud83d"}', "half_character")])
def test_a_row_of_an_array_that_is_whole_and_wrong_is_told_and_the_others_are_read(tmp_path, row, code):
    path = written(tmp_path, "a.json", b"[\n" + LINE.encode() + b",\n" + row + b",\n" + LINE.encode() + b"\n]")
    assert read(path) == ([(2, GOOD), (4, GOOD)], [(3, code)])


def test_a_broken_array_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(values, "CHUNK", 1000)
    (tmp_path / "a.json").write_text("[{'a': 1}," + f"{LINE}," * 100_000, encoding="utf-8")
    heard: list[int] = []
    with pytest.raises(InputError):
        list(reading.rows(Source(tmp_path / "a.json"), heard.append))
    assert max(heard) <= 3 << 20 < (tmp_path / "a.json").stat().st_size


@pytest.mark.parametrize(("row", "code"), [
    (b"a,b,c", "surplus_cells"), (b"a\0,b", "nul_bytes"), (b"a\xff,b", "bad_bytes"), (b'"a"x,b', "broken_line"),
    (b'"a, b', "open_quote")])
def test_a_wrong_row_of_a_table_is_told(tmp_path, row, code):
    rows = b"".join(f'"问, {place}","答"\n'.encode() for place in range(40))
    listed, told = read(written(tmp_path, "a.csv", b"ask,answer\n" + rows + row + b"\nx,y\n"))
    assert told == [(42, code)] and len(listed) == (40 if code == "open_quote" else 41)


def test_a_character_cut_at_the_end_costs_its_row_alone(tmp_path):
    text = "ask,answer\n" + "问,答案\n" * 20 + "问,答案"
    listed, told = read(written(tmp_path, "a.csv", text.encode("gbk")[:-1]))
    assert len(listed) == 20 and told == [(22, "bad_bytes")]
    assert reading.describe(Source(tmp_path / "a.csv")).encoding == "gb18030"


def test_characters_of_gb18030_alone_are_read(tmp_path):
    row = {"instruction": "𠮷㐀龥", "output": "ḿ€"}
    for name, text in (("a.jsonl", json.dumps(row, ensure_ascii=False)), ("a.csv", "instruction,output\n𠮷㐀龥,ḿ€\n")):
        assert read(written(tmp_path, name, text.encode("gb18030")))[0][0][1] == row


def test_chinese_after_megabytes_of_english_is_recognised(tmp_path):
    text = "".join(f'{{"a": "{"english " * 100}"}}\n' for _ in range(8000)) + '{"a": "中文在后面"}\n'
    path = written(tmp_path, "a.jsonl", text.encode("gbk"))
    assert read(path)[0][-1] == (8001, {"a": "中文在后面"})


def test_a_few_damaged_bytes_do_not_make_another_encoding(tmp_path):
    text = b"".join(f'{{"a": "第 {place} 行"}}\n'.encode() for place in range(200))
    path = written(tmp_path, "a.jsonl", text + b'{"a": "\xe4\xb8"}\n')
    listed, told = read(path)
    assert len(listed) == 200 and told == [(201, "bad_bytes")]
    assert reading.describe(Source(path)).encoding == "utf-8"


def test_running_text_with_damage_is_told_by_the_paragraph(tmp_path):
    text = "\n\n".join(f"第 {place} 段" for place in range(50)).encode() + b"\n\nbad \xff\n\nnul \0\n\nend"
    listed, told = read(written(tmp_path, "a.txt", text))
    assert len(listed) == 51 and told == [(101, "bad_bytes"), (103, "nul_bytes")]


@pytest.mark.parametrize("change", ["append", "replace", "rewrite", "remove"])
def test_a_file_that_changes_while_it_is_read_is_told(tmp_path, change):
    path = written(tmp_path, "a.jsonl", f"{LINE}\n" * 20_000)
    rows = reading.numbered(path)
    next(rows)
    if change == "append":
        with open(path, "a", encoding="utf-8") as file:
            file.write(LINE)
    elif change == "replace":
        written(tmp_path, "b.jsonl", f"{LINE}\n" * 20_000)
        os.replace(tmp_path / "b.jsonl", path)
    elif change == "rewrite":
        with open(path, "r+b") as raw:
            raw.write(b"broken")
    else:
        path.unlink()
    with pytest.raises(InputError) as refused:
        list(rows)
    assert refused.value.code == "dataset_changed" and "a.jsonl" in of_error("zh", refused.value)


def test_two_hundred_thousand_rows_are_read_in_little_memory(tmp_path):
    written(tmp_path, "a.jsonl", f"{LINE}\n" * 200_000)
    written(tmp_path, "a.json", "[" + ",\n".join([LINE] * 200_000) + "]")
    for name in ("a.jsonl", "a.json"):
        most, count = 0, 0
        tracemalloc.start()
        for count, _ in enumerate(reading.rows(tmp_path / name), 1):
            if count == 20_000:
                most = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
        assert count == 200_000 and 0 < most < 12_000_000


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")
def test_the_real_broken_array_gives_what_stands_before_its_line():
    rows = reading.numbered(SHARED / "messy" / "hk_alpaca_zh_9407-12345_unfinished.json")
    count = 0
    with pytest.raises(InputError) as refused:
        for _ in rows:
            count += 1
    assert (count, refused.value.values["line"]) == (2801, 14007)
