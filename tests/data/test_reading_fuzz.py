"""Whatever the bytes are: rows come out as they were written, or one clear sentence does; never another error."""

from __future__ import annotations

import csv
import io
import json
import random
import struct
import tempfile
from pathlib import Path

import openpyxl
import pyarrow
import pyarrow.ipc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from studio.data import reading
from studio.data.reading import Source, values
from studio.errors import InputError
from tests.data.packing import packed

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUE = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
                     lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=8)
ROW = st.dictionaries(TEXT, VALUE, min_size=1, max_size=5)
QUIET = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


def read(folder: Path, name: str, content: bytes) -> list:
    (folder / name).write_bytes(content)
    return list(reading.rows(Source(folder / name)))


@QUIET
@given(rows=st.lists(ROW, min_size=1, max_size=8), indent=st.sampled_from([None, 0, 2]), ascii=st.booleans(),
       encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030"]),
       chunk=st.sampled_from([5, 1 << 20]))
def test_json_is_read_as_python_reads_it(rows, indent, ascii, encoding, chunk):
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "CHUNK", chunk)
        folder = Path(place)
        whole = json.dumps(rows, ensure_ascii=ascii, indent=indent)
        lines = "\n".join(json.dumps(row, ensure_ascii=ascii) for row in rows)
        try:
            assert read(folder, "a.json", whole.encode(encoding)) == rows
            assert read(folder, "a.jsonl", lines.encode(encoding)) == rows
            assert read(folder, "b.json", lines.encode(encoding)) == rows
        except InputError as refused:  # a short text with rare characters may pass for another encoding
            assert encoding == "gb18030" and refused.code == "dataset_encoding"
        except AssertionError:
            assert encoding == "gb18030" and not whole.isascii() and _is_utf8(whole.encode(encoding))


def _is_utf8(content: bytes) -> bool:
    try:
        return bool(content.decode("utf-8"))
    except UnicodeDecodeError:
        return False


@QUIET
@given(rows=st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=2, max_size=12), sign=st.sampled_from([",", "\t", ";"]))
def test_tables_are_read_as_they_were_written(rows, sign):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=sign, quoting=csv.QUOTE_ALL)
    writer.writerow(["ask", "answer", "more"])
    writer.writerows(rows)
    wanted = [dict(zip(["ask", "answer", "more"], row, strict=True)) for row in rows if "\0" not in "".join(row)]
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "a.csv").write_text(out.getvalue(), encoding="utf-8", newline="")
        told: list[int] = []
        source = Source(Path(place) / "a.csv")
        assert list(reading.rows(source, broken=lambda line, *_: told.append(line))) == wanted
        assert len(told) == len(rows) - len(wanted)


def originals() -> dict[str, bytes]:
    """One right file of every kind."""
    rows = [{"ask": f"问 {place}", "answer": "答" * place, "n": place} for place in range(60)]
    book, sheet = openpyxl.Workbook(), io.BytesIO()
    book.active.append(list(rows[0]))
    for row in rows:
        book.active.append(list(row.values()))
    book.save(sheet)
    made = {"a.xlsx": sheet.getvalue(), "a.json": json.dumps(rows, indent=1, ensure_ascii=False).encode(),
            "a.jsonl": "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode("utf-16"),
            "a.csv": "\n".join(f'"{row["ask"]}",{row["n"]}' for row in rows).encode("gb18030"),
            "a.md": "\n\n".join(row["ask"] for row in rows).encode()}
    table = pyarrow.Table.from_pylist(rows)
    for name, write in (("a.arrow", pyarrow.ipc.new_file), ("b.arrow", pyarrow.ipc.new_stream)):
        out = io.BytesIO()
        with write(out, table.schema) as writer:
            writer.write_table(table)
        made[name] = out.getvalue()
    out = io.BytesIO()
    parquet.write_table(table, out)
    made["a.parquet"] = out.getvalue()
    with tempfile.TemporaryDirectory() as place:
        for pack in ("gz", "xz", "zst", "zip"):
            name = packed(Path(place), "a.jsonl", made["a.json"].replace(b"\n", b""), pack)
            made[name] = (Path(place) / name).read_bytes()
    return made


@pytest.mark.parametrize(("name", "content"), originals().items(), ids=originals())
def test_a_damaged_file_of_any_kind_gives_rows_or_a_sentence(tmp_path, name, content):
    chance, seen = random.Random(name), 0
    for _ in range(80):
        damaged = bytearray(content)
        for _ in range(chance.choice([1, 1, 3, 20])):
            place = chance.randrange(max(1, len(damaged) - 1))
            how = chance.randrange(4)
            if how == 0 and damaged:
                damaged[place] = chance.randrange(256)
            elif how == 1:
                del damaged[place:place + chance.randrange(1, 40)]
            elif how == 2:
                damaged[place:place] = chance.randbytes(chance.randrange(1, 9))
            else:
                damaged = damaged[:place + 1]
        (tmp_path / name).write_bytes(damaged)
        try:
            for source in reading.sources(tmp_path / name):
                for row in reading.rows(source, broken=lambda *_: None):
                    seen += isinstance(row, dict)
        except InputError as refused:
            assert refused.code.startswith(("dataset_", "file_"))
    assert seen or name.endswith((".parquet", ".xlsx", ".gz", ".xz", ".zst"))  # small ones are all or nothing


def test_an_offset_that_points_beyond_the_memory_is_told_and_not_followed(tmp_path):
    table, out = pyarrow.Table.from_pydict({"ask": ["abc"] * 8}), io.BytesIO()
    with pyarrow.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)
    right = struct.pack("<9i", *range(0, 27, 3))
    assert out.getvalue().count(right) == 1
    wrong = right[:12] + struct.pack("<i", 2**30) + right[16:]
    (tmp_path / "a.arrow").write_bytes(out.getvalue().replace(right, wrong))
    told: list[int] = []
    rows = list(reading.rows(tmp_path / "a.arrow", broken=lambda line, *_: told.append(line)))
    assert rows == [{"ask": "abc"}] * 6 and told == [3, 4]
