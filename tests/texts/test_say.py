"""Sentences by key, errors and problems in each language."""

from __future__ import annotations

import re

import pytest

from studio.errors import InputError, Problem, SpecError
from studio.texts import has, languages, listed, say, sentences
from studio.texts.errors import of_error, of_problem
from tests.house.test_sentences import placeholders

CODES = sorted(key.removeprefix("problems.") for key in sentences("en") if key.startswith("problems."))


def test_a_key_without_a_sentence_is_an_error_of_the_programmer() -> None:
    with pytest.raises(KeyError):
        say("en", "no.such.key")
    assert not has("en", "no.such.key")


def test_english_and_chinese_come_first() -> None:
    assert languages()[:2] == ("en", "zh")


def test_lists_are_written_by_each_languages_rules() -> None:
    assert listed("en", ["a", "b"]) == "a, b"
    assert listed("zh", ["a", "b"]) == "a、b"


@pytest.mark.parametrize("lang", languages())
@pytest.mark.parametrize("code", CODES)
def test_every_problem_has_a_whole_sentence(lang: str, code: str) -> None:
    values = dict.fromkeys(placeholders(sentences(lang)[f"problems.{code}"]), "7")
    sentence = of_problem(lang, Problem(code, "lora_rank", values))
    assert re.search(r"[.?]$" if lang == "en" else r"[。？]$", sentence), sentence
    assert "{" not in sentence


@pytest.mark.parametrize("lang", languages())
def test_every_error_is_a_whole_sentence(lang: str) -> None:
    end = re.compile(r"([.?:)}]|: .*)$" if lang == "en" else r"([。？：）}]|：.*)$")
    assert not [key for key, sentence in sentences(lang).items()
                if key.startswith("errors.") and not end.search(sentence)]


def test_values_are_shown_as_yaml_spells_them() -> None:
    def shown(value: object) -> str:
        return of_problem("en", Problem("at_least", "lora_rank", {"value": value, "bound": 1}))

    assert shown(True) == "lora_rank is true; it must be at least 1."
    assert shown(None) == "lora_rank is null; it must be at least 1."
    assert shown(0.5) == "lora_rank is 0.5; it must be at least 1."
    assert shown(["a", "b"]) == "lora_rank is a, b; it must be at least 1."
    assert len(shown("x" * 10_000)) < 500


def test_an_error_with_problems_says_each_on_its_line() -> None:
    error = SpecError([Problem("dataset_none", "dataset"), Problem("max_steps_zero", "max_steps", {"value": 0})])
    assert len(of_error("zh", error).splitlines()) == 2


def test_curly_brackets_in_a_value_are_harmless() -> None:
    assert "{x}" in of_error("en", InputError("file_missing", path="{x}"))


def test_a_problem_met_on_the_way_speaks_the_sentence_of_its_error() -> None:
    problem = Problem("run_unknown", "adapter_name_or_path", {"name": "x"})
    assert of_problem("en", problem) == of_error("en", InputError("run_unknown", name="x"))
