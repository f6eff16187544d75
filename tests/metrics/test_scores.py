"""What each metric counts as right."""

from __future__ import annotations

import pytest

from studio.errors import InputError
from studio.plugins import plugin
from studio.plugins.metrics import Row
from studio.texts.errors import of_error

CITIES = Row(choices=("London", "Paris", "Rome", "Berlin"))


def value(name: str, answer: str, reference: str = "", row: Row | None = None) -> float | None:
    return plugin("metrics", name).score(answer, reference, row or Row())


@pytest.mark.parametrize(("answer", "reference", "strict", "normalised"), [
    ("88", "88", 1, 1), ("88\n", "88", 0, 1), ("８８。", "88", 0, 1), ("你好，世界！", "你好世界", 0, 1),
    ("1,000.00", "1000", 0, 1),
    ("Don't", "dont", 0, 0), ("-5", "5", 0, 0), ("98+83=181", "98 83 181", 0, 0), ("3.5", "35", 0, 0),
    ("The **Answer**.", "the answer", 0, 1), ("“好”", "好", 0, 1), ("...", "!", 0, 0), ("", "", 1, 1),
    ("", "a", 0, 0),
])
def test_exact_matches(answer: str, reference: str, strict: int, normalised: int) -> None:
    assert value("exact_match", answer, reference) == strict
    assert value("exact_match_normalised", answer, reference) == normalised


def test_any_accepted_answer_is_right() -> None:
    row = Row(references=("UK", "United Kingdom"))
    for name in ("exact_match", "exact_match_normalised", "contains", "token_f1"):
        assert value(name, "United Kingdom", "UK", row) == 1
        assert value(name, "France", "UK", row) == 0


@pytest.mark.parametrize(("answer", "reference", "score"), [
    ("98+83=181", "181", 1), ("It is 181.", "98+83=181", 1), ("1,234.50 yuan", "1234.5", 1), ("x = 7-5", "5", 1),
    ("结果是-5", "-5", 1), ("5", "-5", 0), ("−5", "-5", 1), ("3/4", "0.75", 1), (r"\frac{3}{4}", "3/4", 1),
    ("3/4", "4", 0),
    ("2023/10/5", "5", 1), ("12 and then 30\n#### 12\nDone 2", "12", 1), ("1e3", "1000", 1), ("none", "5", 0),
    ("", "5", 0), ("5", "five", None), ("１２３", "123", 1), ("nan", "1", 0), ("9" * 5000, "9" * 5000, 1),
    ("No.5", "5", 1), ("1/0", "0", 1),
])
def test_the_last_number(answer: str, reference: str, score: float | None) -> None:
    assert value("last_number", answer, reference) == score


@pytest.mark.parametrize(("answer", "score"), [
    ("B", 1), ("b", 1), ("Paris", 1), ("(B)", 1), ("B. Paris", 1), ("**B**", 1), ("The answer is B.", 1),
    ("答案是：Ｂ", 1),
    ("正确答案为（B）。", 1), ("选B", 1), (r"\boxed{B}", 1), ("A is wrong, B is right. Answer: B", 1),
    ("B 因为巴黎是首都", 1),
    ("A cat might wonder, yet it is Paris", 1), ("A", 0), ("London, not Paris", 0), ("", 0), ("I do not know", 0),
    ("Z", 0),
    ("The answer is A. No, the answer is B.", 1), ("option B", 1), ("E", 0),
])
def test_the_choice_that_an_answer_takes(answer: str, score: float) -> None:
    assert value("choice", answer, "B", CITIES) == score
    assert value("choice", answer, "Paris", CITIES) == score


def test_a_reference_that_is_no_option_does_not_count() -> None:
    assert value("choice", "B", "Madrid", CITIES) is None
    assert value("choice", "B", "E", CITIES) is None
    assert value("choice", "B", "B") == 1  # tables such as C-Eval's bring letters only
    assert value("choice", "B", "") is None


@pytest.mark.parametrize(("answer", "reference", "score"), [
    ("It is Paris.", "paris", 1), ("88", "8", 0), ("8.5", "8", 0), ("is 8.", "8", 1), ("category", "cat", 0),
    ("大猫们", "猫", 1),
    ("", "a", 0), ("a", "", None), ("a", "。", None), ("88, 8", "8", 1),
])
def test_contains(answer: str, reference: str, score: float | None) -> None:
    assert value("contains", answer, reference) == score


def test_token_f1_counts_chinese_by_character() -> None:
    assert value("token_f1", "北京市", "北京") == pytest.approx(0.8)
    assert value("token_f1", "the cat sat", "The cat stood") == pytest.approx(2 / 3)


def test_repetition_distinct_and_length() -> None:
    assert value("repetition", "a b c d e f g h") == 0
    assert value("repetition", "好" * 104) == pytest.approx(100 / 101)
    assert value("repetition", "a b a b", row=Row(options={"repetition_n": 1})) == 0.5
    assert plugin("metrics", "distinct").whole(["a b c", "a b d"]) == 0.75
    assert plugin("metrics", "distinct").whole(["a a", "a"], [], {"distinct_n": 1}) == pytest.approx(1 / 3)
    assert value("length_ratio", "一二三四", "一二") == 2
    assert value("length_ratio", "a", "") is None


@pytest.mark.parametrize(("answer", "schema", "score"), [
    ('{"a": 1}', None, 1), ("{'a': 1}", None, 0), ('```json\n{"a": 1}\n```', None, 1), ("NaN", None, 0),
    ("Infinity", None, 0),
    ("", None, 0), ("[" * 100_000, None, 0), ("9" * 5000, None, 1), ('{"a": 1}', {"required": ["b"]}, 0),
    ('{"b": 1}', '{"required": ["b"]}', 1), ("{}", {"type": 5}, None), ("{}", "no schema", None), ("{}", {}, 1),
    ("{}", {"$ref": "http://example.org/x.json"}, None), ("[[[]]]", {"items": {"$ref": "#"}}, 1),
])
def test_json(answer: str, schema: object, score: float | None) -> None:
    assert value("json_valid", answer, "", Row(schema=schema)) == score


def test_a_schema_for_all_rows_is_checked_before_any_answer() -> None:
    options = {"json_valid_schema": {"required": ["b"]}}
    plugin("metrics", "json_valid").check(options)
    assert value("json_valid", '{"b": 1}', "", Row(options=options)) == 1
    assert value("json_valid", '{"a": 1}', "", Row(options=options)) == 0
    with pytest.raises(InputError) as raised:
        plugin("metrics", "json_valid").check({"json_valid_schema": {"type": 5}})
    assert of_error("en", raised.value).startswith("json_valid_schema is no JSON schema: 5 is not valid")


def test_a_schema_that_points_elsewhere_is_not_fetched(listening: tuple[int, list[object]]) -> None:
    port, came = listening
    assert value("json_valid", "{}", "", Row(schema={"$ref": f"http://127.0.0.1:{port}/x.json"})) is None
    assert not came


def test_corpus_scores_of_short_answers_are_not_lost() -> None:
    assert plugin("metrics", "corpus_bleu").whole(["88", "12"], ["88", "12"]) == pytest.approx(1)
    assert plugin("metrics", "chrf").whole(["88", "13"], ["88", "12"]) < 1
