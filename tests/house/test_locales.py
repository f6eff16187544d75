"""The languages: each complete, each written by its own rules."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest

from studio.args import document
from studio.specs.train import ARGUMENTS
from studio.texts import languages, sentences
from studio.workspace import LOCALES
from tests.house.test_sentences import placeholders

HAN = "\u3400-\u9fff"
OTHERS = [lang for lang in languages() if lang != "en"]
# Sentences that show the other language on purpose: the name of a language, the demo's task.
BOTH_SCRIPTS = re.compile(r"(^|\.)(language|languages|lang|demo\.intro)(\.|_|$)")
LONGEST_LABEL = 30
# Phases about which the state has said everything already.
SILENT = {"page.phase.finished", "page.phase.stopped", "page.phase.failed"}


@cache
def launch_sentences() -> dict[str, dict[str, str]]:
    """What launch.py says before the studio itself can speak."""
    return json.loads((LOCALES / "launch.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("lang", languages())
def test_no_key_stands_twice_in_a_language(lang: str) -> None:
    assert document.read(LOCALES / f"{lang}.yaml")  # this reader refuses a second key, PyYAML takes it in silence


@pytest.mark.parametrize("lang", OTHERS)
def test_every_language_has_the_same_keys_and_values(lang: str) -> None:
    english, other = sentences("en"), sentences(lang)
    assert sorted(english.keys() ^ other.keys()) == []
    different = [key for key in english if placeholders(english[key]) != placeholders(other[key])]
    assert not different


@pytest.mark.parametrize("lang", languages())
def test_no_sentence_is_empty(lang: str) -> None:
    assert not [key for key, sentence in sentences(lang).items() if not sentence.strip() and key not in SILENT]


def test_launching_speaks_every_language_too() -> None:
    spoken = launch_sentences()
    assert set(spoken) >= set(languages())
    for lang in OTHERS:
        assert spoken["en"].keys() == spoken[lang].keys()
        assert not [key for key in spoken["en"]
                    if placeholders(spoken["en"][key]) != placeholders(spoken[lang][key])]


def test_english_has_no_chinese_in_it() -> None:
    found = [key for key, sentence in sentences("en").items()
             if re.search(f"[{HAN}\u3000-\u303f\uff00-\uffef]", sentence) and not BOTH_SCRIPTS.search(key)]
    assert not found


def test_chinese_has_its_own_punctuation() -> None:
    wrong = re.compile(f"[{HAN}][,;:!?]|[,;!?][{HAN}]|[{HAN}][.](?![A-Za-z0-9])|[{HAN}][()]|[()][{HAN}]")
    assert not [f"{key}: {sentence}" for key, sentence in chinese() if wrong.search(sentence)]


def test_a_space_stands_between_chinese_and_latin() -> None:
    wrong = re.compile(f"[{HAN}][A-Za-z0-9`]|[A-Za-z0-9`%][{HAN}]")
    assert not [f"{key}: {sentence}" for key, sentence in chinese()
                if wrong.search(re.sub(r"\{\w+\}", "", sentence)) and not BOTH_SCRIPTS.search(key)]


def chinese() -> list[tuple[str, str]]:
    """Everything said in Chinese."""
    return [*sentences("zh").items(), *((f"launch.{key}", text) for key, text in launch_sentences()["zh"].items())]


@pytest.mark.parametrize("lang", languages())
@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_argument_has_its_words(lang: str, name: str) -> None:
    known, a = sentences(lang), ARGUMENTS[name]
    assert 0 < len(known[f"arguments.{name}.label"]) <= LONGEST_LABEL
    assert len(known[f"arguments.{name}.tip"]) >= 10
    assert f"groups.{a.group}" in known
    assert not [choice for choice in a.choices if f"choices.{name}.{choice}" not in known]


@pytest.mark.parametrize("lang", languages())
def test_two_arguments_of_a_form_never_share_a_label(lang: str) -> None:
    labels = [sentences(lang)[f"arguments.{name}.label"] for name in ARGUMENTS]
    assert sorted(label for label in set(labels) if labels.count(label) > 1) == []
