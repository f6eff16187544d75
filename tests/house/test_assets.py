"""Scripts and styles of the page: no sentence of their own, nothing called from outside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.source import STUDIO
from tests.house.test_sentences import CHINESE

KINDS = (".js", ".css", ".html", ".svg")
ASSETS = sorted(path for path in (STUDIO / "ui" / "assets").rglob("*") if path.suffix in KINDS)
COMMENT = re.compile(r"/\*.*?\*/|^\s*//.*?$|<!--.*?-->", re.M | re.S)
QUOTED = re.compile(r"""(["'`])(?:(?!\1)[^\\\n])*?[A-Z][a-z]+(?: [a-z]+){2,}[^\n]*?\1""")
OUTSIDE = re.compile(r"(?:https?:)?//(?!www\.w3\.org/)[a-z0-9-]+\.[a-z]{2,}")


@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.name)
def test_an_asset_speaks_no_language(path: Path) -> None:
    text = COMMENT.sub("", path.read_text(encoding="utf-8"))
    assert not CHINESE.search(text)
    assert not QUOTED.search(text)


@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.name)
def test_an_asset_asks_no_other_machine(path: Path) -> None:
    assert not OUTSIDE.search(COMMENT.sub("", path.read_text(encoding="utf-8")))


def test_the_page_has_its_assets() -> None:
    assert {path.suffix for path in ASSETS} >= {".js", ".css"}
