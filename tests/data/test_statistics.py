"""Statistics are what training counts and what pandas prints, measured without holding the rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from studio.data.catalogue import Catalogue, Entry
from studio.data.chat import ChatTokenizer, Encoded
from studio.data.cutoffs import CANDIDATES
from studio.data.lengths import Lengths
from studio.data.prepare import prepare
from studio.data.scripts import language
from studio.data.statistics import measure
from studio.data.walk import walk
from studio.errors import StopAsked
from studio.sample import Sample
from studio.specs import train
from studio.workspace import Workspace

STARTER = Workspace().starter


@pytest.fixture(scope="module")
def chat() -> ChatTokenizer:
    return ChatTokenizer.load(STARTER)


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, str]]:
    """Rows of mixed lengths and languages, two of them unusable, one with a question beyond any small cutoff."""
    dice = np.random.default_rng(1)
    found = [{"instruction": "Say it again: " + "one " * int(dice.integers(1, 30)),
              "output": "two " * int(dice.integers(1, 250))} for _ in range(300)]
    found += [{"instruction": "请再说一遍", "output": "好的，" * int(dice.integers(1, 20))} for _ in range(100)]
    found += [{"instruction": "no answer", "output": ""}, {"instruction": "", "output": "no question"}]
    found += [{"instruction": "long " * 300, "output": "short"}]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mixed.json").write_text(json.dumps(found), encoding="utf-8")
    return found


def entry(tmp_path: Path, name: str = "mixed") -> Entry:
    return Catalogue(Workspace(tmp_path)).entry(name)


def test_it_counts_what_training_counts(rows: list[dict[str, str]], tmp_path: Path, chat: ChatTokenizer) -> None:
    for cutoff in (32, 64, 1024):
        spec = train.check({"dataset": "mixed", "cutoff_len": cutoff, "val_size": 0, "eval_strategy": "no"})
        counts = prepare(spec, Workspace(tmp_path), STARTER, write_cache=False).counts
        found = measure(entry(tmp_path), chat, cutoff)
        assert (found.rows, found.used, found.cut_rows) == (counts.read, counts.used, counts.cut)
        assert (found.tokens, found.trained_tokens) == (counts.tokens, counts.trained_tokens)
        assert found.skipped == counts.skipped


def test_what_another_cutoff_would_do_is_what_it_does(
    rows: list[dict[str, str]], tmp_path: Path, chat: ChatTokenizer
) -> None:
    told = {one.cutoff_len: one for one in measure(entry(tmp_path), chat, 100).cutoffs}
    assert 100 in told and len(told) > 2
    for cutoff, said in told.items():
        found = measure(entry(tmp_path), chat, cutoff)
        assert (said.cut_rows, said.tokens, said.trained_tokens) == (found.cut_rows, found.tokens, found.trained_tokens)
        assert said.lost_rows == found.skipped.get("prompt_too_long", 0)


def test_the_suggested_cutoff_keeps_ninety_nine_rows_in_a_hundred_whole(
    rows: list[dict[str, str]], tmp_path: Path, chat: ChatTokenizer
) -> None:
    found = measure(entry(tmp_path), chat, 1024)
    told = {one.cutoff_len: one for one in found.cutoffs}
    best = told[found.suggested]
    assert best.cut_rows + best.lost_rows <= 0.01 * found.used
    shorter = [one for value, one in told.items() if value < found.suggested]
    assert shorter or found.suggested == CANDIDATES[0]
    assert all(one.cut_rows + one.lost_rows > 0.01 * found.used for one in shorter)


def test_the_percentiles_are_those_that_pandas_prints(
    rows: list[dict[str, str]], tmp_path: Path, chat: ChatTokenizer
) -> None:
    lengths = [len(encoded.ids) for _, _, sample in walk(entry(tmp_path)) if isinstance(sample, Sample)
               for encoded in [chat.encode(sample)] if isinstance(encoded, Encoded)]
    wanted = pd.Series(lengths).describe(percentiles=[0.25, 0.5, 0.75, 0.9, 0.95, 0.99]).to_dict()
    found = measure(entry(tmp_path), chat, 64).percentiles
    assert list(found) == list(wanted)
    assert found == pytest.approx(wanted)


def test_languages_and_turns_and_characters(rows: list[dict[str, str]], tmp_path: Path, chat: ChatTokenizer) -> None:
    found = measure(entry(tmp_path), chat, 1 << 20)
    assert found.languages == {"zh": 100, "en": 301, "other": 0}
    assert found.turns == {1: 401}
    usable = [row for row in rows if row["instruction"].strip() and row["output"].strip()]
    assert found.lengths["characters"].total == sum(len(row["instruction"] + row["output"]) for row in usable)


def test_a_mix_is_the_sum_of_its_sources(rows: list[dict[str, str]], tmp_path: Path, chat: ChatTokenizer) -> None:
    (tmp_path / "data" / "half.json").write_text(json.dumps(rows[:150]), encoding="utf-8")
    both = [entry(tmp_path, name) for name in ("mixed", "half")]
    found, parts = measure(both, chat, 64), [measure(one, chat, 64) for one in both]
    assert list(found.sources) == ["mixed", "half"]
    for name in ("rows", "used", "tokens", "trained_tokens", "cut_rows"):
        assert getattr(found, name) == sum(getattr(part, name) for part in parts)
    assert [one.tokens for one in found.sources.values()] == [part.tokens for part in parts]
    assert found.percentiles["count"] == sum(part.percentiles["count"] for part in parts)


def test_it_says_how_far_it_is_and_stops_when_asked(
    rows: list[dict[str, str]], tmp_path: Path, chat: ChatTokenizer
) -> None:
    (tmp_path / "data" / "much.json").write_text(json.dumps(rows * 5), encoding="utf-8")
    heard: list[tuple[int, int]] = []
    measure(entry(tmp_path, "much"), chat, 64, lambda done, total: heard.append((done, total)))
    assert heard == sorted(heard) and heard[-1] == (5 * len(rows),) * 2
    with pytest.raises(StopAsked):
        measure(entry(tmp_path, "much"), chat, 64, None, lambda: True)


def test_a_limit_reads_no_further(rows: list[dict[str, str]], tmp_path: Path, chat: ChatTokenizer) -> None:
    assert measure(entry(tmp_path), chat, 64, limit=7).rows == 7


def test_a_set_of_which_nothing_can_be_used_has_figures_too(tmp_path: Path, chat: ChatTokenizer) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bad.json").write_text('[{"instruction": "a", "output": ""}]', encoding="utf-8")
    found = measure(entry(tmp_path, "bad"), chat, 64)
    assert (found.rows, found.used, found.suggested, found.skipped) == (1, 0, 0, {"empty_answer": 1})
    assert found.percentiles["count"] == 0


def test_a_pair_is_as_long_as_its_longer_side_and_teaches_both(tmp_path: Path, chat: ChatTokenizer) -> None:
    (tmp_path / "data").mkdir()
    pair = {"instruction": "Which?", "chosen": "this one", "rejected": "that one, which is much longer " * 9}
    (tmp_path / "data" / "pairs.json").write_text(json.dumps([pair]), encoding="utf-8")
    sides = chat.encode_pair(next(said for _, _, said in walk(entry(tmp_path, "pairs")) if isinstance(said, Sample)))
    assert not isinstance(sides, str)
    found = measure(entry(tmp_path, "pairs"), chat, 1 << 20)
    assert found.percentiles["max"] == max(len(side.ids) for side in sides)
    assert found.tokens == sum(len(side.ids) for side in sides)
    assert measure(entry(tmp_path, "pairs"), chat, len(sides[1].ids) - 1).cut_rows == 1


def test_padding_saved_is_what_random_batches_would_pad() -> None:
    dice = np.random.default_rng(0)
    lengths = dice.integers(5, 200, 4000)
    counted = Lengths()
    for one in lengths:
        counted.add(int(one))
    padded = []
    for _ in range(30):
        batches = dice.permutation(lengths).reshape(-1, 8)
        padded.append(int((batches.max(1, keepdims=True) - batches).sum()))
    assert counted.padding(8) == pytest.approx(np.mean(padded), rel=0.01)
    assert counted.padding(1) == 0


def test_memory_holds_lengths_and_not_rows() -> None:
    counted = Lengths()
    for one in range(100_000):
        counted.add(one % 50)
    assert len(counted._found) == 50
    assert counted.describe()["count"] == 100_000


def test_a_histogram_has_every_row_once() -> None:
    counted = Lengths()
    for one in (1, 1, 5, 9, 100):
        counted.add(one)
    bars = counted.histogram(10)
    assert sum(rows for _, _, rows in bars) == 5
    assert bars[0] == (0, 11, 4) and bars[-1][0] <= 100 < bars[-1][1]
    clipped = counted.histogram(10, most=9)
    assert sum(rows for _, _, rows in clipped) == 5 and clipped[-1][2] == 2
    assert Lengths().histogram() == [] and Lengths().describe()["count"] == 0


@pytest.mark.parametrize(("text", "wanted"), [
    ("plain words", "en"), ("Straße und Äpfel", "en"), ("你好", "zh"), ("用 Python 写一个函数", "zh"),
    ("123 + 4", "other"), ("", "other"), ("これは日本語の文章です", "other"), ("안녕하세요", "other"),
    ("Привет, мир", "other"), ("The character 好 means good, and it is used often.", "en")])
def test_a_language_is_told_by_its_letters(text: str, wanted: str) -> None:
    assert language(text) == wanted
