"""Whatever an answer holds, every metric returns a number or says that it does not apply, in good time."""

from __future__ import annotations

import math
import pickle
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from studio.plugins import kinds, plugin
from studio.plugins.metrics import Row, _older, explained, label, plain, signature, tokens
from studio.texts import languages

NAMES = [name for name in kinds("metrics") if name not in ("custom", "code_runs")]
EACH = [name for name in NAMES if hasattr(plugin("metrics", name), "score")]
WHOLE = [name for name in NAMES if hasattr(plugin("metrics", name), "whole")]
PIECES = st.sampled_from(["NaN", "inf", "-Infinity", "1e999", "0/0", "3/4", "\\frac{1}{0}", "####", "答案是", "B",
                          "（Ａ）", "。",
                          "，", "……", "”", "😀", "👩‍👩‍👧", "\u200b", "\ufeff", "\ud800", "\x00", "\r\n", "\u3000",
                          "的", "国",
                          "```json\n", "```", "{", "}", "[", "\"", "null", "1,000.0", "-", ".", "?", "é", "e\u0301",
                          "ß", "İ"])
TEXTS = st.lists(st.text(max_size=12) | PIECES, max_size=8).map("".join)
QUIET = settings(deadline=None, max_examples=60)


def bounded(name: str, value: float | None) -> bool:
    if value is None:
        return True
    return math.isfinite(value) and value >= 0 and (value <= 1 + 1e-9 or not plugin("metrics", name).SHARE)


@QUIET
@given(answer=TEXTS, reference=TEXTS, choices=st.lists(TEXTS, max_size=5).map(tuple),
       schema=st.none() | st.just({"type": "object"}) | TEXTS, others=st.lists(TEXTS, max_size=2).map(tuple))
@example(answer="", reference="", choices=(), schema=None, others=())
@example(answer="   ", reference="a", choices=("a", "a"), schema="", others=("",))
@example(answer="。", reference="！", choices=("", ""), schema=None, others=())
def test_any_text_scores(answer: str, reference: str, choices: tuple[str, ...], schema: object,
                         others: tuple[str, ...]) -> None:
    row = Row("", choices, schema, others)
    for name in EACH:
        value = plugin("metrics", name).score(answer, reference, row)
        assert bounded(name, value), name
        assert plugin("metrics", name).score(answer, reference, row) == value, name


@QUIET
@given(pairs=st.lists(st.tuples(TEXTS, TEXTS), max_size=6))
@example(pairs=[])
@example(pairs=[("", "")])
def test_any_set_of_texts_scores_together(pairs: list[tuple[str, str]]) -> None:
    answers, references = [one for one, _ in pairs], [one for _, one in pairs]
    for name in WHOLE:
        metric = plugin("metrics", name)
        value = metric.whole(answers, references)
        assert 0 <= value <= 1 + 1e-9, name
        if hasattr(metric, "parts") and pairs:
            columns = zip(*(metric.parts(answer, reference, Row()) for answer, reference in pairs), strict=True)
            assert metric.total([sum(column) for column in columns]) == pytest.approx(value), name


@QUIET
@given(text=TEXTS)
def test_an_answer_equal_to_its_reference_has_the_best_score(text: str) -> None:
    for name in ("exact_match", "exact_match_normalised", "token_f1"):
        assert plugin("metrics", name).score(text, text, Row()) == 1, name
    for name in ("last_number", "contains", "length_ratio"):
        assert plugin("metrics", name).score(text, text, Row()) in (1, None), name


@QUIET
@given(text=TEXTS)
def test_what_is_plain_stays_as_it_is(text: str) -> None:
    assert tokens(plain(text)) == tokens(text) or any(mark in text for mark in ("*", "_", "`", "."))
    assert not any(word.isspace() for word in tokens(text))


@pytest.mark.slow
@pytest.mark.parametrize("text", ["好" * 100_000, "?\n" * 50_000, "a" * 100_000], ids=["Chinese", "lines", "Latin"])
def test_an_answer_of_a_hundred_thousand_characters_scores_in_seconds(text: str) -> None:
    for name in EACH:
        began = time.process_time()
        assert bounded(name, plugin("metrics", name).score(text, "the answer is 12", Row())), name
        assert time.process_time() - began < 5, name
    for name in WHOLE:
        began = time.process_time()
        assert 0 <= plugin("metrics", name).whole([text], ["the answer is 12"]) <= 1
        assert time.process_time() - began < 5, name


@pytest.mark.parametrize("text", ["answer " + " " * 100_000, "```" + " " * 100_000, "[" * 100_000, "1" * 100_000,
                                  "1.1a" * 25_000,
                                  "-" * 100_000, "A " * 50_000, "```\n" * 25_000, "1/" * 50_000, "((((" * 25_000,
                                  "1,111" * 20_000,
                                  r"\frac{1" * 20_000, "####" * 25_000],
                         ids=lambda text: repr(text[:8] + text[-1:]))
def test_no_pattern_takes_the_square_of_a_long_text(text: str) -> None:
    row = Row("", ("London", "Paris"), {"type": "object"})
    for name in ("choice", "last_number", "contains", "exact_match_normalised", "json_valid", "length_ratio"):
        began = time.process_time()
        value = plugin("metrics", name).score(text, "Paris" if name == "choice" else "the answer is 12", row)
        assert value is not None and bounded(name, value), name
        assert time.process_time() - began < 2, name


def test_two_endless_texts_are_compared_without_a_table_of_their_product() -> None:
    words = [f"w{place % 997}" for place in range(20_000)]
    began = time.process_time()
    assert _older.common_subsequence(words, words[::2]) == 10_000
    assert time.process_time() - began < 3


@QUIET
@given(a=st.lists(st.sampled_from("abcd"), max_size=12), b=st.lists(st.sampled_from("abcd"), max_size=12))
def test_the_longest_common_subsequence_is_that_of_the_plain_table(a: list[str], b: list[str]) -> None:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, left in enumerate(a):
        for j, right in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if left == right else max(table[i][j + 1], table[i + 1][j])
    assert _older.common_subsequence(a, b) == table[-1][-1]


@pytest.mark.parametrize("name", kinds("metrics"))
def test_every_metric_says_what_it_is(name: str) -> None:
    metric = plugin("metrics", name)
    assert hasattr(metric, "score") or hasattr(metric, "whole")
    assert set(metric.NEEDS) <= {"reference", "choices", "schema", "likelihood"}
    assert metric.SCALE in (1, 100) and metric.HIGHER in (True, False, None) and isinstance(metric.SHARE, bool)
    assert isinstance(signature(metric), str)
    group = getattr(metric, "Arguments", None)
    assert group is None or all(argument.startswith((name, "chrf")) for argument in group.model_fields)
    for lang in languages():
        assert label(lang, name) and explained(lang, name)


def test_a_row_travels_to_another_process() -> None:
    row = Row("q", ("a",), {"type": "object"}, ("x",), {"distinct_n": 3})
    assert pickle.loads(pickle.dumps(row)) == row
