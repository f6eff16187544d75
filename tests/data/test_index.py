"""Row numbers, places and rows of the index are those of the walk, whatever the file; and it is quick."""

from __future__ import annotations

import gzip
import json
import random
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.data import places, scanning
from studio.data.catalogue import Entry
from studio.data.index import RowIndex
from studio.data.walk import walk
from studio.errors import InputError, StopAsked
from tests.data.replay import SHARED

REAL = sorted(path for room in ("instruct", "preference", "pretrain", "tool", "eval", "messy", "extra")
              for path in (SHARED / room).glob("*")
              if path.is_file() and path.suffix not in (".model", ".gguf") and "unfinished" not in path.name) \
    if SHARED.exists() else []
MANY = 1_000_000


@pytest.fixture(params=[64, 4 << 20], ids=["small chunks", "large chunks"])
def chunks(request, monkeypatch) -> None:
    monkeypatch.setattr(scanning, "CHUNK", request.param)


def index_of(path: Path, cache: Path) -> RowIndex:
    return RowIndex.of(Entry(path.stem, path), cache)


def check_same(path: Path, cache: Path, most: int = 10**9) -> RowIndex:
    """The index gives what the walk gives."""
    index = index_of(path, cache)
    steps = list(walk(Entry(path.stem, path)))
    assert index.rows == len(steps)
    for place, row, sample in steps[:most]:
        assert index.row(place.number) == (place, row)
        if row is None and isinstance(sample, str):
            assert index.understood(place.number) in ((None, sample), (None, ""))
    blocks = [found for first, rows, _ in index.blocks(block_bytes=500) for found in enumerate(rows, first)]
    assert [number for number, _ in blocks] == list(range(index.rows))
    assert all(raw == index.raw(number) for number, raw in blocks[:most])
    return index


LINES = {
    "plain": b'{"a": 1}\n{"a": 2}\n',
    "no end": b'{"a": 1}\n{"a": 2}',
    "blank lines": b'\n\n{"a": 1}\n   \n\t\r\n{"a": 2}\n\n',
    "crlf": b'{"a": 1}\r\n\r\n{"a": 2}\r\n',
    "old mac": b'{"a": 1}\r{"a": 2}\r',
    "mixed ends": b'{"a": 1}\r\n{"a": 2}\r{"a": 3}\n{"a": 4}',
    "mark": b'\xef\xbb\xbf{"a": 1}\n{"a": 2}\n',
    "broken": b'{"a": 1}\n{"a": \n{"a": 3}\n{"a": 4}}\n{"a"',
    "comments": b'{"a": 1}\n// no row\n# none\n{"a": 2}\n',
    "nan": b'{"a": NaN}\n{"a": -Infinity}\n{"a": 1e999}\n',
    "names twice": b'{"a": 1, "a": 2}\n{"a": 1, "a": 1}\n',
    "nul": b'{"a": 1}\n{"a": "\0"}\n\0\0\0\n{"a": 2}\n',
    "half characters": b'{"a": "\\ud83d"}\n{"a": "\\ud83d\\ude00"}\n',
    "bad bytes": '{"a": "中文"}\n'.encode() * 40 + b'{"a": "\xe4\xb8"}\n{"a": 1}\n',
    "others than objects": b'[1, 2]\n{"a": 1}\n"text"\n3\nnull\n',
    "gbk": '{"a": "中文回答，句子不短。"}\n{"a": "誠懇與堅強乗齾"}\n\n{"a": "二"}\n'.encode("gb18030"),
    "utf-16": '{"a": "中文"}\n\n{"a": 2}\n{"b\n'.encode("utf-16"),
    "empty": b"",
    "only blank": b"\n\n \n",
}
ARRAYS = {
    "one line": b'[{"a": 1}, {"a": 2}]',
    "indented": json.dumps([{"a": i, "b": [i, {"c": "}],["}], "d": "q\"\\"} for i in range(9)], indent=2).encode(),
    "a row a line": b'[\n{"a": "x"},\n{"a": "y"}\n]\n',
    "nothing in it": b"[]",
    "spaces": b' \n [ \r\n {"a": 1} \r\n , {"a": 2} ] \n',
    "mark": b'\xef\xbb\xbf[{"a": 1},\n{"a": 2}]',
    "slashes": rb'[{"a": "\\"}, {"a": "\\\""}, {"a": "\\\\\\"}, {"\"": "[{,"}]',
    "lists": b'[[1, 2], [3], []]',
    "others than objects": b'[{"a": 1}, 2, "three", null, {"a": 4}]',
    "names twice": b'[{"a": 1, "a": 2}, {"a": 3}]',
    "half characters": b'[{"a": "\\ud83d"}, {"a": 1}]',
    "one object": b'{\n "a": 1\n}',
    "values": b'{\n "a": 1\n}\n{\n "a": 2\n}',
    "gbk": '[{"a": "中文回答，句子不短。"}, {"a": "誠懇與堅強乗齾〔丂〕"}]'.encode("gb18030"),
    "utf-16": '[{"a": "中文"}, {"a": 2}]'.encode("utf-16"),
    "empty": b"",
}
TABLES = {
    "plain": b"a,b\n1,2\n3,4\n",
    "quotes": b'a,b\n"x, ""y""","line\nline\r\n"\n\n"",z\nq,\n',
    "crlf": b"a,b\r\n1,2\r\n\r\n3,4",
    "old mac": b"a,b\r1,2\r3,4\r",
    "mark": b"\xef\xbb\xbfa,b\n1,2\n",
    "short and long": b"a,b,c\n1\n1,2,3,4\n1,2,3\n,,\n1,2,3,,\n",
    "a name over lines": b'\n"a\na",b\n1,2\n3,4\n',
    "names twice": b"a,a,b\n1,2,3\n4,5,6\n",
    "open quote": b'a,b\n1,2\n3,"4\n5,6\n7,8\n',
    "quote inside": b'a,b\n1,2"x\n"3"y,4\n5,6\n',
    "tabs": b"a\tb\n1\t2\n3\t4\n",
    "semicolons": b"a;b\n1;2\n3;4\n",
    "choices": b"Q one,w,x,y,z,A\nQ two,w,x,y,z,B\n",
    "gbk": "问题,回答\n一共几个？,\"三个，\n不多\"\n多少誠懇乗齾,两个\n".encode("gb18030"),
    "utf-16": "a,b\n中文,2\n".encode("utf-16"),
    "nul": b"a,b\n1,2\n\0,3\n4,5\n",
    "only names": b"a,b\n",
    "empty": b"",
}


@pytest.mark.parametrize("suffix, data", [
    *[pytest.param(".jsonl", data, id=f"lines {name}") for name, data in LINES.items()],
    *[pytest.param(".json", data, id=f"array {name}") for name, data in ARRAYS.items()],
    *[pytest.param(".csv", data, id=f"table {name}") for name, data in TABLES.items()],
    pytest.param(".txt", b"one\n\ntwo\nthree\n\n\nfour", id="text"),
])
def test_the_index_of_a_file_gives_what_the_walk_gives(suffix: str, data: bytes, tmp_path: Path, chunks: None) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(data)
    check_same(path, tmp_path / "cache")


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name, marks=[pytest.mark.slow] * (
    path.suffix in (".zip", ".xz"))) for path in REAL])
def test_the_index_of_a_real_file_gives_what_the_walk_gives(path: Path, tmp_path: Path) -> None:
    check_same(path, tmp_path / "cache", 3000)


@pytest.mark.parametrize("chunk", range(1, 24))
def test_quotes_and_slashes_are_told_apart_wherever_the_file_is_cut(tmp_path: Path, monkeypatch, chunk: int) -> None:
    monkeypatch.setattr(scanning, "CHUNK", chunk)
    path = tmp_path / "x.json"
    path.write_bytes(ARRAYS["slashes"])
    assert check_same(path, tmp_path / "cache").parts[0].path == path.resolve()


def test_files_of_a_folder_and_members_of_a_zip_are_numbered_on(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(LINES["blank lines"])
    (folder / "b.json").write_bytes(ARRAYS["indented"])
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(LINES["broken"]))
    (folder / "d.csv").write_bytes(TABLES["quotes"])
    (folder / "e.json").write_bytes(ARRAYS["nothing in it"])
    with zipfile.ZipFile(folder / "f.zip", "w") as archive:
        archive.writestr("in/x.jsonl", LINES["crlf"])
        archive.writestr("in/y.csv", TABLES["gbk"])
    index = check_same(folder, tmp_path / "cache")
    assert {part.name for part in index.parts} == {"a.jsonl", "b.json", "c.jsonl.gz", "d.csv", "f.zip/in/x.jsonl",
                                                   "f.zip/in/y.csv"}


NAME = st.text(max_size=4)
VALUE = st.recursive(st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=12), lambda inner:
                     st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3), max_leaves=6)
ROWS = st.lists(st.dictionaries(NAME, VALUE, max_size=4), max_size=12)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.none() | st.just(1), st.booleans(), st.integers(1, 40), st.booleans())
def test_any_json_that_python_writes_has_its_places(tmp_path_factory, rows, indent, plain, chunk, lines) -> None:
    folder = tmp_path_factory.mktemp("any")
    text = "".join(json.dumps(row, ensure_ascii=plain) + "\n" for row in rows) if lines \
        else json.dumps(rows, ensure_ascii=plain, indent=indent)
    path = folder / ("x.jsonl" if lines else "x.json")
    path.write_text(text, encoding="utf-8")
    before, scanning.CHUNK = scanning.CHUNK, chunk
    try:
        check_same(path, folder / "cache")
    finally:
        scanning.CHUNK = before


def test_a_file_that_changed_is_indexed_anew_and_an_open_index_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(LINES["plain"])
    index = index_of(path, tmp_path / "cache")
    assert index.fresh and index.rows == 2
    assert RowIndex.of(Entry("x", path), tmp_path / "cache").folder == index.folder
    path.write_bytes(LINES["plain"] + b'{"a": 3}\n')
    assert not index.fresh
    with pytest.raises(InputError) as error:
        index.rows_at(slice(0, 2))
    assert error.value.code == "dataset_changed"
    assert check_same(path, tmp_path / "cache").rows == 3


def test_a_damaged_or_deleted_index_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(LINES["plain"])
    for spoil in ("starts.npy", "facts.json"):
        index = index_of(path, tmp_path / "cache")
        (index.folder / spoil).write_bytes(b"no")
        assert check_same(path, tmp_path / "cache").rows == 2


def test_a_broken_array_says_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b'[\n{"a": 1},\n{"a": 2},\n]')
    with pytest.raises(InputError) as error:
        index_of(path, tmp_path / "cache")
    assert error.value.code == "dataset_broken" and error.value.values["line"] in (3, 4)


def test_indexing_tells_how_far_it_is_and_can_be_called_off(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(scanning, "CHUNK", 100)
    path = tmp_path / "x.jsonl"
    path.write_bytes(LINES["plain"] * 100)
    told: list[tuple[int, int]] = []
    with pytest.raises(StopAsked):
        RowIndex.of(Entry("x", path), tmp_path / "cache", lambda *far: told.append(far), lambda: len(told) > 3)
    assert len(told) == 4 and not list((tmp_path / "cache" / "index").glob(".making-*"))
    RowIndex.of(Entry("x", path), tmp_path / "cache", lambda *far: told.append(far))
    assert told[-1] == (1800, 1800)


@pytest.fixture(scope="module")
def million(tmp_path_factory) -> Path:
    """A million rows of some 200 bytes."""
    path = tmp_path_factory.mktemp("million") / "million.jsonl"
    rng = random.Random(1)
    tails = ["".join(rng.choices("abcdefgh ", k=rng.randrange(20, 250))) for _ in range(1000)]
    with open(path, "w", encoding="utf-8") as file:
        for number in range(MANY):
            file.write(f'{{"instruction": "question {number}", "input": "", "output": "{tails[number % 1000]}"}}\n')
    return path


@pytest.mark.slow
def test_row_nine_hundred_thousand_of_a_million_opens_in_a_moment(million: Path) -> None:
    cache = million.parent / "cache"
    index_of(million, cache)
    best = 1.0
    for _ in range(5):
        start = time.process_time()
        place, row = index_of(million, cache).row(900_000)
        best = min(best, time.process_time() - start)
    assert row["instruction"] == "question 900000" and place.line == 900_001
    assert best <= 0.05
    kept = sum(path.stat().st_size for path in index_of(million, cache).folder.iterdir())
    assert kept <= 24 * MANY + 10_000  # nothing of the rows themselves
    assert isinstance(index_of(million, cache)._starts, np.memmap)


def test_parts_of_a_dataset_are_indexed_as_the_catalogue_chooses_them(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for name in ("train", "test"):
        (folder / f"{name}.jsonl").write_text(json.dumps({"instruction": name, "output": "x"}) + "\n", encoding="utf-8")
    for split in ("train", "test"):
        entry = Entry("set", folder, split=split)
        assert [RowIndex.of(entry, tmp_path / "cache").row(0)] == [step[:2] for step in walk(entry)]
        assert RowIndex.of(entry, tmp_path / "cache").row(0)[1]["instruction"] == split


@pytest.mark.parametrize("suffix, data", [
    *[pytest.param(".jsonl", data, id=f"lines {name}") for name, data in LINES.items()],
    *[pytest.param(".json", data, id=f"array {name}") for name, data in ARRAYS.items()],
    *[pytest.param(".csv", data, id=f"table {name}") for name, data in TABLES.items()],
])
def test_rows_read_in_a_hurry_and_copied_as_lines_are_the_same(suffix: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(data)
    index = index_of(path, tmp_path / "cache")
    for block_bytes in (1, 1 << 20):
        lines, hurried = b"", []
        for _, rows, spelling in index.blocks(block_bytes=block_bytes):
            lines += b"".join(places.as_lines(rows, spelling))
            hurried += places.parsed(rows, spelling)
        (tmp_path / "copy.jsonl").write_bytes(lines)
        copy = index_of(tmp_path / "copy.jsonl", tmp_path / "cache")
        wanted = [index.row(number)[1] for number in range(index.rows)]
        assert str([copy.row(number)[1] for number in range(copy.rows)]) == str(wanted)
        assert len(hurried) == len(wanted)
        assert all(str(one) == str(other) for one, other in zip(hurried, wanted, strict=True) if other is not None)
