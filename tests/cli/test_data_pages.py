"""The pages about data: every command in them is one, every option is named, both languages say the same."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest

from studio.cli import data, words
from studio.cli.data import VERBS
from tests.house.source import PROJECT

PAGES = {lang: (PROJECT / "docs" / name).read_text(encoding="utf-8")
         for lang, name in (("en", "data.md"), ("zh", "data_zh.md"))}
COMMAND = re.compile(r"^python launch\.py (data .*)$", re.M)


def commands(page: str) -> list[str]:
    return COMMAND.findall(page)


def test_both_pages_show_the_same_commands_and_shapes() -> None:
    assert commands(PAGES["en"]) == commands(PAGES["zh"])
    shapes = [[keys(one) for one in blocks(page)] for page in PAGES.values()]
    assert shapes[0] == shapes[1] and len(shapes[0]) == 3
    assert re.findall(r"`data [a-z]+ --json`", PAGES["en"]) == re.findall(r"`data [a-z]+ --json`", PAGES["zh"])


@pytest.mark.parametrize("command", commands(PAGES["en"]))
def test_every_command_of_the_pages_is_one(command: str) -> None:
    _, name, *rest = shlex.split(command)
    verb = next(verb for verb in VERBS if verb.name == f"data {name}")
    words.sort(verb, rest, "en")  # raises for a wrong word


@pytest.mark.parametrize("lang", PAGES)
def test_every_verb_and_each_of_its_options_stands_in_the_pages(lang: str) -> None:
    for verb in data.VERBS:
        assert f"`{verb.name}" in PAGES[lang]
        assert not [option.flag for option in verb.options if option.flag not in PAGES[lang]]


def blocks(page: str) -> list[Any]:
    """The JSON shown in a page."""
    return [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", page, re.M | re.S)]


def keys(value: Any) -> Any:
    """The keys of a shape, however deep."""
    if isinstance(value, dict):
        return {key: keys(one) for key, one in value.items()}
    return [keys(value[0])] if isinstance(value, list) and value else type(value).__name__
