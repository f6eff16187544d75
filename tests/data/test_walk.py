"""The walk over a dataset: every row once, where it stands, and why it teaches nothing."""

from __future__ import annotations

import json

import pytest

from studio.data.catalogue import Entry
from studio.data.walk import walk
from studio.errors import InputError
from studio.sample import Sample


def test_every_row_is_a_step_with_its_place_and_its_reason(tmp_path):
    rows = [{"instruction": "a", "output": "b"}, {"instruction": "a", "output": ""}, 7, {"left": 1}]
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    steps = list(walk(Entry("d", tmp_path / "d.jsonl")))
    assert [row for _, row, _ in steps] == rows
    assert [place for place, _, _ in steps] == [("d.jsonl", number + 1, number) for number in range(4)]
    assert isinstance(steps[0][2], Sample)
    assert [found for _, _, found in steps[1:]] == ["empty_answer", "not_an_object", "no_question"]


def test_numbers_go_on_over_the_files_of_a_folder_and_each_file_is_recognised_for_itself(tmp_path):
    (tmp_path / "a.csv").write_text("question,answer\nq,a\n", encoding="utf-8")
    (tmp_path / "b.json").write_text('[{"messages": [{"role": "user", "content": "q"}, '
                                     '{"role": "assistant", "content": "a"}]}]', encoding="utf-8")
    (tmp_path / "c.json").write_text('[{"left": 1}]', encoding="utf-8")
    steps = list(walk(Entry("d", tmp_path)))
    assert [(place.file, place.number) for place, _, _ in steps] == [("a.csv", 0), ("b.json", 1), ("c.json", 2)]
    assert [found if isinstance(found, str) else found.messages[-1].content for _, _, found in steps] == [
        "a", "a", "unrecognised"]


def test_a_limit_ends_the_walk_and_the_bytes_behind_are_told(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"instruction": "a", "output": "b"}\n' * 600, encoding="utf-8")
    heard = []
    assert len(list(walk(Entry("d", tmp_path / "a.jsonl"), at=heard.append, limit=500))) == 500
    assert heard == sorted(heard) and 0 < heard[-1] <= (tmp_path / "a.jsonl").stat().st_size


def test_a_broken_line_is_a_step_of_its_own(tmp_path):
    good = '{"instruction": "a", "output": "b"}'
    (tmp_path / "d.jsonl").write_text(f"{good}\n{{broken\n{good}\nnot json\n", encoding="utf-8")
    steps = list(walk(Entry("d", tmp_path / "d.jsonl")))
    assert [place.line for place, _, _ in steps] == [1, 2, 3, 4]
    assert [place.number for place, _, _ in steps] == [0, 1, 2, 3]
    assert [row is None for _, row, _ in steps] == [False, True, False, True]
    assert all(isinstance(found, str) == (row is None) for _, row, found in steps)


def test_a_file_that_breaks_off_early_gives_what_stands_before(tmp_path):
    good = '{"instruction": "a", "output": "b"}'
    (tmp_path / "d.json").write_text(f"[{good},\n{good},\n{{broken,\n{good}]", encoding="utf-8")
    steps, found = walk(Entry("d", tmp_path / "d.json")), []
    with pytest.raises(InputError) as error:
        found.extend(steps)
    assert error.value.values["line"] == 3
    assert [(place.line, isinstance(sample, Sample)) for place, _, sample in found] == [(1, True), (2, True)]
