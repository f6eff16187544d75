"""The reference pages say what the declarations say."""

from __future__ import annotations

import pytest

from studio.specs import reference
from studio.specs.older_keys import ANYWAY, CONVERTED, JOINED, NOT_YET
from studio.specs.train import ALIASES, ARGUMENTS
from studio.texts import languages, say
from tests.house.source import PROJECT


@pytest.mark.parametrize("lang", languages())
def test_the_page_in_docs_is_fresh(lang: str) -> None:
    written = (PROJECT / "docs" / reference.PAGES[lang]).read_text(encoding="utf-8")
    assert written == reference.page(lang), "run: python -m studio.specs.reference"


@pytest.mark.parametrize("lang", languages())
def test_every_argument_and_every_older_key_is_on_the_page(lang: str) -> None:
    page = reference.page(lang)
    assert not [name for name in (*ARGUMENTS, *ALIASES, *CONVERTED, *JOINED, *ANYWAY, *NOT_YET)
                if f"`{name}`" not in page]


@pytest.mark.parametrize("lang", languages())
@pytest.mark.parametrize("verb", reference.OTHERS)
def test_the_arguments_of_other_verbs_stand_below_their_verb_with_their_own_defaults(lang: str, verb: str) -> None:
    title = f"## {say(lang, f'reference.verbs.{verb}.title')}\n"
    part = reference.page(lang).partition(f"\n{title}")[2].partition("\n## ")[0]
    declared = reference.OTHERS[verb]
    assert not [name for a in declared.values() for name in (a.name, *a.aliases)
                if f"`{name}`" not in part and f"### `{a.name}`" in part]
    assert not [name for name in declared if f"`{name}`" not in part]


def test_an_argument_with_another_default_is_told_again() -> None:
    part = reference.page("en").partition("## Evaluate and predict")[2]
    told = part.partition("### `temperature`")[2].partition("###")[0]
    assert "Default: `0`" in told


def test_no_older_key_stands_in_two_tables() -> None:
    tables = (ARGUMENTS, ALIASES, CONVERTED, JOINED)
    keys = [key for table in tables for key in table]
    assert len(keys) == len(set(keys))
    assert not (set(keys) & (set(ANYWAY) | NOT_YET))
    assert not set(ANYWAY) & NOT_YET  # a key of ANYWAY is refused with every other value anyway
