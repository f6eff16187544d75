"""Rows out of files, clean and messy ones."""

from __future__ import annotations

import datetime
import io
import json
from pathlib import Path

import openpyxl
import pyarrow
import pyarrow.ipc
import pytest
from pyarrow import parquet

from studio.data import reading
from studio.data.reading import Source, values
from studio.errors import InputError
from studio.texts.errors import of_error
from tests.data.packing import packed
from tests.data.replay import SHARED

ROWS = [{"instruction": "你好", "output": "Hi\n\"there\""}, {"instruction": "b", "output": "c", "n": 1.5, "x": None}]
TABLE = [{"ask": "问，a", "answer": "答\n二，三"}, {"ask": "c d", "answer": "e; f, g"}, {"ask": "h", "answer": "i"}]


def read(folder: Path, name: str, content: bytes | str | None) -> list:
    path = folder / name
    if content is not None:
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
    monkeypatch.setattr(values, "CHUNK", 7)
    rows = [{"instruction": "x" * size, "output": [1, 2, {"é": size}]} for size in (0, 3, 50, 500)]
    rows += [12345678, "ab", None]
    assert read(tmp_path, "a.json", json.dumps(rows, indent=1)) == rows


def test_values_one_after_the_other_are_read(tmp_path):
    text = "\n".join(json.dumps(row, indent=2) for row in ROWS)
    assert read(tmp_path, "a.json", text) == ROWS


def test_csv_is_read_with_quotes_newlines_and_a_bom(tmp_path):
    text = '\ufeffinstruction,output\n"a,\n""b""",中文\nc,d,\ne\n'
    assert read(tmp_path, "a.csv", text) == [{"instruction": 'a,\n"b"', "output": "中文"},
                                             {"instruction": "c", "output": "d"}, {"instruction": "e", "output": None}]


@pytest.mark.parametrize(("name", "content", "line"), [
    ("a.json", '[\n{"a": 1},\n{"a": 2},\n]', 4), ("a.json", '[\n{"a": 1}\n{"a": 2}]', 3), ("a.json", '[\n{"a": 1}', 2),
    ("a.json", '[{"a": 1}]\n[2]', 2), ("a.json", "no JSON at all\n", 1), ("a.jsonl", '{"a": 1}\n{"a": \n', 2),
    ("a.json", '[\n{"a": "b\n"}]', 2), ("a.jsonl", '{"a": 1}\n{"a": "cut', 2)])
def test_a_broken_file_is_refused_with_its_line(tmp_path, name, content, line):
    with pytest.raises(InputError) as refused:
        read(tmp_path, name, content)
    assert (refused.value.code, refused.value.values["line"]) == ("dataset_broken", line)


def test_an_empty_file_has_no_rows(tmp_path):
    assert [read(tmp_path, name, "") for name in ("a.json", "b.jsonl", "c.csv")] == [[], [], []]
    assert read(tmp_path, "d.json", "[ ]\n") == []


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.tsv", "a.txt", "a.md", "a.xlsx", "a.parquet"])
def test_a_file_of_no_bytes_has_a_kind_and_no_rows(tmp_path, name):
    assert read(tmp_path, name, b"") == []
    assert reading.describe(Source(tmp_path / name)).kind == name[2:]


@pytest.mark.parametrize(("name", "content", "code"), [
    ("a.json", b"[\xff\xff\xff\xff]", "dataset_encoding"), ("a.parquet", b"PAR2", "dataset_file_type"),
    ("a.txt", "Où était l'été passé à Besançon ? déjà".encode("latin-1"), "dataset_encoding"),
    ("a.txt", b"PK\x03\x04 a zip", "dataset_file_type"), ("a.txt", b"%PDF-1.7 ...", "dataset_file_type"),
    ("a.doc", b"x", "dataset_file_type"), ("a.csv", b"\xd0\xcf\x11\xe0" + b"\0" * 600, "dataset_file_type"),
    ("a.parquet", b"PAR1" + b"x" * 20 + b"PAR1", "dataset_broken"),
    ("a.xlsx", b"PK\x03\x04cut", "dataset_archive_broken"),
])
def test_other_bytes_are_refused(tmp_path, name, content, code):
    with pytest.raises(InputError) as refused:
        read(tmp_path, name, content)
    assert refused.value.code == code
    for lang in ("en", "zh"):
        assert name in of_error(lang, refused.value) and "{" not in of_error(lang, refused.value)


def tables() -> list[tuple[str, bytes]]:
    """The same rows in every kind of file."""
    text = "\r\n".join(["ask,answer", *(f'"{row["ask"]}","{row["answer"]}"' for row in TABLE)])
    book, sheet = openpyxl.Workbook(), io.BytesIO()
    for cells in (["ask", "answer"], *([row["ask"], row["answer"]] for row in TABLE)):
        book.active.append(cells)
    book.save(sheet)
    columns, made = pyarrow.Table.from_pylist(TABLE), {}
    for name, new in (("file", pyarrow.ipc.new_file), ("stream", pyarrow.ipc.new_stream)):
        made[name] = io.BytesIO()
        with new(made[name], columns.schema) as writer:
            writer.write_table(columns)
    made["parquet"] = io.BytesIO()
    parquet.write_table(columns, made["parquet"])
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in TABLE)
    return [("a.csv", text.encode()), ("a.tsv", text.replace('","', '"\t"').replace("ask,", "ask\t").encode()),
            ("b.csv", text.replace('","', '";"').replace("ask,", "ask;").encode("utf-8-sig")),
            ("c.csv", text.encode("utf-16")), ("d.csv", text.encode("utf-16-le")), ("e.csv", text.encode("gb18030")),
            ("a.xlsx", sheet.getvalue()), ("a.parquet", made["parquet"].getvalue()), ("a.jsonl", lines.encode()),
            ("a.json", text.encode()), ("b.json", lines.encode("utf-16-be")), ("f.csv", lines.encode()),
            ("a.arrow", made["file"].getvalue()), ("b.arrow", made["stream"].getvalue()),
            ("c.json", json.dumps(TABLE).encode("utf-8-sig"))]


@pytest.mark.parametrize(("name", "content"), tables(), ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("pack", ["", "gz", "xz", "zst", "zip"])
def test_the_same_rows_come_out_of_every_kind_of_file(tmp_path, name, content, pack):
    assert read(tmp_path, packed(tmp_path, name, content, pack), None) == TABLE


def test_what_a_file_is_is_told_from_its_bytes(tmp_path):
    told = {}
    for name, content in tables():
        (tmp_path / name).write_bytes(content)
        facts = reading.describe(Source(tmp_path / name))
        told[name] = facts.kind, facts.encoding, facts.delimiter, facts.is_misnamed
    assert told == {
        "a.csv": ("csv", "utf-8", ",", False), "a.tsv": ("tsv", "utf-8", "\t", False),
        "b.csv": ("csv", "utf-8-sig", ";", False), "c.csv": ("csv", "utf-16", ",", False),
        "d.csv": ("csv", "utf-16-le", ",", False), "e.csv": ("csv", "gb18030", ",", False),
        "a.xlsx": ("xlsx", None, None, False), "a.parquet": ("parquet", None, None, False),
        "a.jsonl": ("jsonl", "utf-8", None, False), "a.json": ("csv", "utf-8", ",", True),
        "b.json": ("jsonl", "utf-16-be", None, False), "f.csv": ("jsonl", "utf-8", None, True),
        "a.arrow": ("arrow", None, None, False), "b.arrow": ("arrow", None, None, False),
        "c.json": ("json", "utf-8-sig", None, False)}


@pytest.mark.parametrize("text", ["MZ is a mark", "PAR1 and more", "ARROW1 too", "GIF8 bits", "[not JSON", "{nor this"])
def test_running_text_may_begin_with_any_letters(tmp_path, text):
    assert read(tmp_path, "a.txt", text) == [{"text": text}]
    assert read(tmp_path, "a.csv", f"MZ,b\n{text},c\n")[0]["MZ"] == text


@pytest.mark.parametrize(("name", "content", "wanted"), [
    ("a.txt", "one\ntwo\n", [(1, "one"), (2, "two")]),
    ("b.txt", "one\ntwo\n\n\nthree", [(1, "one\ntwo"), (5, "three")]),
    ("c.md", "# a\n\n```\nx\n\ny\n```\n\nb\n", [(1, "# a"), (3, "```\nx\n\ny\n```"), (9, "b")]),
    ("d.txt", "\r\n一\r\n二\r\n\r\n三", [(2, "一\r\n二"), (5, "三")])])
def test_running_text_comes_by_paragraphs_or_else_by_lines(tmp_path, name, content, wanted):
    (tmp_path / name).write_bytes(content.encode())
    assert list(reading.numbered(tmp_path / name)) == [(line, {"text": text}) for line, text in wanted]


def test_a_row_knows_the_line_where_it_begins(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(ROWS, indent=2), encoding="utf-8")
    (tmp_path / "a.csv").write_text('a,b\n1,"x\ny"\n\n2,z\n', encoding="utf-8")
    assert [line for line, _ in reading.numbered(tmp_path / "a.json")] == [2, 6]
    assert [line for line, _ in reading.numbered(tmp_path / "a.csv")] == [2, 5]


def test_questions_of_several_choices_need_no_line_of_names(tmp_path):
    rows = read(tmp_path, "a.csv", "2+2?,3,4,5,6,B\n1+1?,2,3,4,5,A\n")
    assert rows[0] == {"question": "2+2?", "A": "3", "B": "4", "C": "5", "D": "6", "answer": "B"} and len(rows) == 2


def test_columns_of_one_name_are_kept_apart(tmp_path):
    assert read(tmp_path, "a.csv", "a,a,b\n1,2,3\n4,5,6\n")[0] == {"a": "1", "a_2": "2", "b": "3"}


def test_a_tab_table_may_hold_lone_quotes(tmp_path):
    rows = read(tmp_path, "a.tsv", 'a\tb\n"quoted" he said\tx\n5\' 3"\ty\n"\tz\n')
    assert [row["a"] for row in rows] == ['"quoted" he said', "5' 3\"", '"']


def test_columns_of_other_types_become_what_json_can_spell(tmp_path):
    day = datetime.datetime(2024, 5, 6, 7, 8, 9)
    table = pyarrow.Table.from_pylist([{"at": day, "of": b"\xff\x00", "text": b"ok", "many": [{"role": "user"}]}])
    parquet.write_table(table, tmp_path / "a.parquet")
    (row,) = reading.rows(tmp_path / "a.parquet")
    assert row == {"at": "2024-05-06T07:08:09", "of": "/wA=", "text": "ok", "many": [{"role": "user"}]}
    assert json.dumps(row)


def test_numbers_are_never_rounded(tmp_path):
    rows = [{"sum": 123456789012345678901234567890}, {"sum": -(2**63) - 1, "half": 0.5}]
    for name in ("a.jsonl", "a.json"):
        assert read(tmp_path, name, "\n".join(json.dumps(row) for row in rows)) == rows
        assert read(tmp_path, "b.json", json.dumps(rows)) == rows


def test_every_sheet_of_a_workbook_is_read(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["ask", "answer", None])
    book.active.append([1, 2.5])
    book.active.append([None, None])
    book.active.append(["a", None])
    other = book.create_sheet()
    other.append(["question"])
    other.append([datetime.date(2024, 5, 6)])
    book.save(tmp_path / "a.xlsx")
    assert list(reading.numbered(tmp_path / "a.xlsx")) == [
        (2, {"ask": 1, "answer": 2.5}), (4, {"ask": "a", "answer": None}), (2, {"question": "2024-05-06T00:00:00"})]


def test_the_position_grows_to_the_size(tmp_path):
    rows = [{"n": place, "text": "x" * 100} for place in range(40_000)]
    text = "\n".join(json.dumps(row) for row in rows).encode()
    for name, pack in (("a.jsonl", ""), ("a.json", ""), ("a.jsonl", "gz"), ("a.jsonl", "zip")):
        (source,), heard = reading.sources(tmp_path / packed(tmp_path, name, text, pack)), []
        assert sum(1 for _ in reading.numbered(source, heard.append)) == 40_000
        assert heard == sorted(heard) and heard[-1] == source.size and len(heard) > 2


def test_the_position_in_columns_and_sheets_grows_to_the_size_too(tmp_path):
    rows = pyarrow.Table.from_pylist([{"n": place, "text": "x" * 50} for place in range(3000)])
    parquet.write_table(rows, tmp_path / "a.parquet")
    for name, new in (("a.arrow", pyarrow.ipc.new_file), ("b.arrow", pyarrow.ipc.new_stream)):
        with new(str(tmp_path / name), rows.schema) as writer:
            writer.write_table(rows, max_chunksize=700)
    book = openpyxl.Workbook()
    for sheet in (book.active, book.create_sheet()):
        for cells in [["n", "n"], *([place, place] for place in range(1500))]:
            sheet.append(cells)
    book.save(tmp_path / "a.xlsx")
    for path in sorted(tmp_path.iterdir()):
        heard: list[int] = []
        assert sum(1 for _ in reading.rows(Source(path), heard.append)) == 3000
        assert heard == sorted(heard) and heard[-1] == path.stat().st_size and len(set(heard)) > 4, path.name
    assert next(reading.rows(tmp_path / "a.xlsx")) == {"n": 0, "n_2": 0}


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")
def test_real_messy_files():
    messy = SHARED / "messy"
    with pytest.raises(InputError) as refused:
        list(reading.rows(messy / "hk_alpaca_zh_9407-12345_unfinished.json"))
    assert refused.value.values["line"] == 14007
    rows = list(reading.rows(messy / "toyhom_gbk_内科_head1500.csv"))
    assert len(rows) == 1500 and rows[0]["department"] == "心血管科" and rows[0]["answer"]
