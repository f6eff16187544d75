"""predictions.jsonl survives its writer, is read while it grows, and a hundred thousand rows are a second's work."""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.errors import InputError, StopAsked
from studio.scores import foreign
from studio.scores.browse import Predictions, View
from studio.scores.predictions import BLOCK_BYTES, Prediction, Writer, of_plain, parsed, read, spelled

MANY = 100_000
SOME = 20_000
LONG = "x" * 120


def one(model: str = "base", row: int = 0, answer: str = "4", **more: object) -> Prediction:
    given: dict[str, object] = {"reference": "4", "prompt": ({"role": "user", "content": f"2 + 2, no. {row}?"},),
                                "finish": "stop", "tokens": 3, "seconds": 0.5}
    return Prediction(model, row, answer, **(given | more))  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results" / "predictions.jsonl"


def write(path: Path, *predictions: Prediction) -> Predictions:
    with Writer(path) as writer:
        writer.write(*predictions)
    return Predictions(path)


# One line.

TEXTS = st.text(st.characters(exclude_categories=[]), max_size=40)


@settings(max_examples=60, deadline=None)
@given(answer=TEXTS, score=st.floats() | st.none(), row=st.integers(0, 10**9))
def test_whatever_a_model_says_is_one_line_and_comes_back(answer: str, score: float | None, row: int) -> None:
    raw = spelled(one(answer=answer, row=row, scores={"a": score}, parts={"b": (1.0, 2.0)}))
    assert raw.count(b"\n") == 1
    found = of_plain(parsed(raw) or {})
    assert found.answer == answer.encode("utf-8", "replace").decode()
    assert found.row == row and found.parts == {"b": (1.0, 2.0)}
    assert found.scores == {"a": None if score is None or not np.isfinite(score) else score}


def test_the_line_has_the_agreed_names() -> None:
    line = json.loads(spelled(one(choices=("a", "b"), thinking="hm", place=("a.json", 7), scores={"m": 1.0})))
    assert list(line) == ["model", "row", "prompt", "reference", "choices", "answer", "thinking", "finish", "tokens",
                          "seconds", "scores", "place"]
    assert line["place"] == ["a.json", 7]


# A file.

def test_a_writer_that_died_in_mid_line_is_gone_on_from(path: Path) -> None:
    write(path, one(row=0), one(row=1))
    with open(path, "ab") as file:
        file.write(b'{"model":"base","row":2,"answer":"4')
    half = Predictions(path)
    assert half.rows.tolist() == [0, 1] and half.broken == 0
    assert [found.row for found in read(path)] == [0, 1]
    again = write(path, one(row=2))
    assert again.rows.tolist() == [0, 1, 2] and again.broken == 0
    assert again.has("base", 2) and not again.has("base", 3) and not again.has("tuned", 0)


def test_what_is_written_meanwhile_is_taken_in(path: Path) -> None:
    found = write(path, one(row=0))
    assert not found.look()
    with Writer(path) as writer:
        writer.write(one(row=1), one("tuned", row=0, scores={"exact_match": 1.0}))
        assert found.look()
    assert found.models == ("base", "tuned") and found.rows.tolist() == [0, 1]
    assert np.isnan(found.scores("base", "exact_match")).all()
    assert found.scores("tuned", "exact_match")[0] == 1
    path.unlink()
    assert found.look() and not len(found.rows) and found.models == ()


def test_a_file_that_was_replaced_is_read_anew(path: Path) -> None:
    found = write(path, one(row=0), one(row=1))
    other = path.with_name("other")
    write(other, *(one("new", row=row) for row in range(5)))
    other.replace(path)
    assert found.look() and found.models == ("new",) and len(found.rows) == 5
    os.truncate(path, 40)
    assert found.look() and not len(found.rows)


def test_of_a_row_answered_twice_the_last_stands(path: Path) -> None:
    found = write(path, one(row=3, answer="5"), one(row=3, answer="4"))
    assert found.rows.tolist() == [3]
    answer = found.prediction("base", 3)
    assert answer is not None and answer.answer == "4"


def test_garbage_is_counted_and_does_no_harm(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b'\xff\xfe\n[1]\n{"model":"m"}\n\n{"model":"m","row":"x","answer":"a"}\n'
                     b'{"model":"m","row":1,"answer":NaN}\n' + spelled(one(row=2)))
    found = Predictions(path)
    assert found.rows.tolist() == [2] and found.broken == 5


def test_nothing_there_yet_is_an_empty_view(path: Path) -> None:
    found = Predictions(path)
    assert found.page(View(metric="exact_match")).total == 0
    assert found.prediction("base", 0) is None


# Views.

@pytest.fixture
def compared(path: Path) -> Predictions:
    answers = [("4", "4"), ("3", "4"), ("4", "5 apples"), ("3", "APPLE pie")]
    lines = [one(model, row, said[place], scores={"exact_match": float(said[place] == "4")},
                 finish="length" if row == 3 else "stop", tokens=row)
             for row, said in enumerate(answers) for place, model in enumerate(("base", "tuned"))]
    return write(path, *lines)


def rows(found: Predictions, view: View, **more: int) -> list[int]:
    return [shown.row for shown in found.page(view, **more).rows]


def test_rows_are_filtered_by_bucket_words_and_ending(compared: Predictions) -> None:
    by = {bucket: rows(compared, View(metric="exact_match", bucket=bucket))
          for bucket in ("same_right", "fixed", "broken", "same_wrong")}
    assert by == {"same_right": [0], "fixed": [1], "broken": [2], "same_wrong": [3]}
    assert rows(compared, View(words="apple")) == [2, 3]
    assert rows(compared, View(words="no. 1?")) == [1]
    assert rows(compared, View(words="content")) == [] == rows(compared, View(words="tuned"))
    assert rows(compared, View(words="apple", models=("base",))) == []
    assert rows(compared, View(finish="length")) == [3]
    page = compared.page(View(metric="exact_match", words="apple", bucket="broken"))
    assert page.total == 1 and page.counts["same_wrong"] == 1 and page.counts["fixed"] == 0
    assert page.rows[0].bucket == "broken" and list(page.rows[0].answers) == ["base", "tuned"]


def test_rows_are_sorted_and_paged(compared: Predictions) -> None:
    assert rows(compared, View(order="row", down=True)) == [3, 2, 1, 0]
    assert rows(compared, View(order="length", down=True)) == [3, 2, 0, 1]
    assert rows(compared, View(order="change", metric="exact_match")) == [2, 0, 3, 1]
    assert rows(compared, View(order="change", metric="exact_match", down=True)) == [1, 0, 3, 2]
    assert rows(compared, View(), first=1, count=2) == [1, 2] and rows(compared, View(), first=9) == []


def test_what_has_no_score_stands_last_whichever_way(path: Path) -> None:
    found = write(path, *(one(row=row, scores={"m": score}) for row, score in enumerate((None, 0.2, 0.9))))
    assert rows(found, View(order="score", metric="m")) == [1, 2, 0]
    assert rows(found, View(order="score", metric="m", down=True)) == [2, 1, 0]


def test_chinese_and_escaped_letters_are_found(path: Path) -> None:
    found = write(path, one(row=0, answer="\u7b54\u6848\u662f\u56db"), one(row=1, answer="a/b\x01c"))
    with open(path, "ab") as file:
        file.write(json.dumps(one(row=2, answer="\u7b54\u6848").plain()).encode() + b"\n")
        file.write(b'{"model":"base","row":3,"answer":"\\u0061pple \\u0041"}\n')
    found.look()
    assert rows(found, View(words="\u7b54\u6848")) == [0, 2] and rows(found, View(words="Apple a")) == [3]
    assert rows(found, View(words="a/b")) == [1] and rows(found, View(words="\x01C")) == [1]


def test_pages_are_whole_while_lines_come_in(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay, aligned = Predictions._lay, Predictions._aligned
    monkeypatch.setattr(Predictions, "_lay", lambda self: (time.sleep(0.002), lay(self))[1])
    monkeypatch.setattr(Predictions, "_aligned", lambda self, *given: (time.sleep(0.002), aligned(self, *given))[1])
    found = write(path, *(one(row=2 * row, answer=f"no. {2 * row}") for row in range(400)))
    wrong: list[object] = []

    def turn() -> None:
        for _ in range(30):
            try:
                page = found.page(View(order="tokens", finish="stop"), 100, 20)
            except (IndexError, ValueError) as error:
                wrong.append(error)
                continue
            wrong.extend(shown for shown in page.rows if shown.answers["base"] is None
                         or shown.answers["base"].answer != f"no. {shown.row}")

    readers = [threading.Thread(target=turn) for _ in range(2)]
    for reader in readers:
        reader.start()
    with Writer(path) as writer:
        for row in range(1, 200, 2):
            writer.write(one(row=row, answer=f"no. {row}"))
            found.look()
    for reader in readers:
        reader.join()
    assert not wrong


def test_a_search_can_be_called_off_and_a_changed_file_is_said(compared: Predictions) -> None:
    with pytest.raises(StopAsked):
        compared.page(View(words="4"), should_stop=lambda: True)
    compared.path.write_text("\n" * 10_000, encoding="utf-8")
    with pytest.raises(InputError, match="predictions_changed"):
        compared.page(View())


# A hundred thousand.

@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("many") / "predictions.jsonl"
    with open(path, "w", encoding="utf-8") as file:
        for place in range(MANY):
            model, row, score = ("base", "tuned")[place % 2], place // 2, (place * 7919) % 5 / 4
            file.write(f'{{"model":"{model}","row":{row},"prompt":[{{"role":"user","content":"What is {row} + {place}?"'
                       f'}}],"reference":"{row + place}","answer":"It is {place} {LONG}","finish":"stop","tokens":9,'
                       f'"seconds":0.1,"scores":{{"exact_match":{score > 0.5:d},"token_f1":{score}}}}}\n')
    yield path


def test_a_hundred_thousand_predictions_open_in_little_more_than_reading_them(many: Path) -> None:
    began = time.process_time()
    with open(many, "rb") as file:
        for line in file:
            orjson.loads(line)
    bare = time.process_time() - began
    began = time.process_time()
    page = Predictions(many).page(View(metric="exact_match", bucket="fixed"))
    took = time.process_time() - began
    assert page.total > 1_000 and len(page.rows) == 50
    assert took < max(1.0, 5 * bare)


def test_memory_holds_figures_and_a_block_but_no_texts(many: Path, tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    with open(many, "rb") as file:
        path.write_bytes(b"".join(itertools.islice(file, SOME)))
    tracemalloc.start()
    try:
        found = Predictions(path)
        kept = tracemalloc.get_traced_memory()[0]
        assert found.page(View(words="9998 + 19997", metric="exact_match")).total == 1
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert kept < 350 * SOME  # the lines are as long
    assert most < kept + 5 * BLOCK_BYTES


# Predictions from elsewhere.

def test_predictions_of_older_systems_are_read(tmp_path: Path) -> None:
    file = tmp_path / "generated_predictions.jsonl"
    file.write_text('{"label": "4", "predict": "5"}\n\n{"label": "", "predict": "", "prompt": "2 + 2?"}', "utf-8")
    first, second = foreign.predictions(file, "old", 2)
    assert (first.answer, first.reference, first.row, first.place) == ("5", "4", 0, (str(file), 1))
    assert (second.answer, second.question, second.row) == ("", "2 + 2?", 1)
    asked = [one(row=7), one(row=9)]
    assert [found.row for found in foreign.predictions(file, "old", rows=asked)] == [7, 9]


@pytest.mark.parametrize(("text", "code"), [
    ("", "predictions_empty"), ("\n", "predictions_empty"), ('{"label": "4"}\n', "predictions_line"),
    ("hello\n", "predictions_line"), ('[{"predict": "a"}]', "predictions_rows"), ("[", "predictions_line"),
    ('{"predict": "a"}\n{"predict": "b"}\n{"predict": "c"}\n', "predictions_rows"), ("[1, 2]", "predictions_line")])
def test_predictions_of_other_rows_are_refused(tmp_path: Path, text: str, code: str) -> None:
    file = tmp_path / "other.jsonl"
    file.write_text(text, "utf-8")
    with pytest.raises(InputError, match=code):
        next(foreign.predictions(file, "old", 2))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="file_missing"):
        list(foreign.predictions(tmp_path / "none.jsonl", "old"))


def test_predictions_are_written_as_the_older_systems_do(compared: Predictions) -> None:
    written = foreign.write_older(compared.path, "tuned")
    assert written.name == "generated_predictions.jsonl"
    lines = [json.loads(line) for line in written.read_text("utf-8").splitlines()]
    assert [(line["predict"], line["label"]) for line in lines][1:3] == [("4", "4"), ("5 apples", "4")]
    assert len(list(foreign.predictions(written, "again", 4))) == 4
