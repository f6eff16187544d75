"""Every real file beside the checkout goes through `data check`; what it says is counted here a second time.

Rows and what can be used of them are counted by the rules of test_formats_of_real_files, encodings and exact
duplicates by those below: standard library only, nothing of the studio.
"""

from __future__ import annotations

import json
import lzma
import zipfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from studio.data.catalogue import Entry
from studio.data.check import check
from tests.data.test_formats_of_real_files import ALPACA, BROKEN, FILES, WANTED, raw

CHECKED = ("instruct", "preference", "pretrain", "tool", "eval", "messy", "extra")
HERE = [path for path in FILES if path.parent.name in CHECKED]
SKIPPED = {"empty_answer", "no_question", "not_text", "several_instances", "no_answer", "no_dialogue", "bad_roles",
           "pair_differs"}
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not HERE, reason="needs the shared data beside the checkout")]


@pytest.fixture(scope="module")
def said() -> dict[Path, dict[str, Any]]:
    """What the check says of every file."""
    return {path: check(Entry(path.name, path)) for path in HERE}


def encoding(path: Path) -> str:
    """The encoding of a file, or of the first table in an archive."""
    data = path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            data = archive.read(next(name for name in archive.namelist() if name.endswith(".csv")))
    elif path.suffix == ".xz":
        data = lzma.decompress(data)
    if data.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"


@pytest.mark.parametrize("path", HERE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_has_the_format_the_encoding_and_the_counts(path: Path, said: dict[Path, dict[str, Any]]) -> None:
    found = said[path]
    name, _, rule = WANTED.get(path.name, ALPACA)
    assert (found["format"], found["encoding"]) == (name, encoding(path))
    rows = before_the_break(path) if path.name == BROKEN else raw(path)
    wanted = Counter(map(rule, rows))
    assert (found["rows"], found["usable_rows"]) == (len(rows), wanted["used"])
    counts = {problem["code"]: problem["count"] for problem in found["problems"]}
    assert sum(counts.get(code, 0) for code in SKIPPED) == len(rows) - wanted["used"]
    for code in ("empty_answer", "no_question"):
        if code in wanted:
            assert counts[code] == wanted[code]


def before_the_break(path: Path) -> list[Any]:
    """The rows of an array that breaks off at its end."""
    text = path.read_text(encoding="utf-8")
    rows: list[Any] = json.loads(text[:text.rindex("}") + 1] + "]")
    return rows


def test_a_broken_array_is_told_with_the_line_of_the_break(said: dict[Path, dict[str, Any]]) -> None:
    path = next(path for path in HERE if path.name == BROKEN)
    problem = next(one for one in said[path]["problems"] if one["code"] == "dataset_broken")
    text = path.read_text(encoding="utf-8")
    with pytest.raises(json.JSONDecodeError) as error:
        json.loads(text)
    assert [one["line"] for one in problem["examples"]] == [error.value.lineno]


@pytest.mark.parametrize("path", HERE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_example_stands_where_it_is_said_to_stand(path: Path, said: dict[Path, dict[str, Any]]) -> None:
    for problem in said[path]["problems"]:
        assert problem["count"] > 0 and problem["examples"]
        for example in problem["examples"]:
            assert example["file"].split("/")[0] == path.name
            assert example["line"] > 0 and example["why"]
            if path.suffix in (".json", ".jsonl") and problem["code"] != "dataset_broken":
                assert "{" in line(path, example["line"])


@cache
def lines(path: Path) -> list[str]:
    """The lines of a text."""
    return path.read_text(encoding="utf-8").split("\n")


def line(path: Path, number: int) -> str:
    """One line of a text, counted from 1."""
    return lines(path)[number - 1]
