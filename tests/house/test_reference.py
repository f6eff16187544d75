"""The reference pages say what the declarations say."""

from __future__ import annotations

import pytest

from studio.specs import reference
from studio.specs.older_keys import ANYWAY, CONVERTED, JOINED, NOT_YET
from studio.specs.train import ALIASES, ARGUMENTS
from studio.texts import languages
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


def test_no_older_key_stands_in_two_tables() -> None:
    tables = (ARGUMENTS, ALIASES, CONVERTED, JOINED)
    keys = [key for table in tables for key in table]
    assert len(keys) == len(set(keys))
    assert not (set(keys) & (set(ANYWAY) | NOT_YET))
    assert not set(ANYWAY) & NOT_YET  # a key of ANYWAY is refused with every other value anyway
