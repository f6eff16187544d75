"""docs/adding.md is true: every section, done in a copy of the studio, works."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from studio.args import document
from studio.plugins import HERE
from tests.house.source import PROJECT

PAGE = (PROJECT / "docs" / "adding.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
BLOCK = re.compile(r"^```\w+\n(.*?)^```", re.M | re.S)
NAMED = re.compile(r"# (\S+\.(?:py|yaml))\n")


def test_there_is_a_section_for_every_room() -> None:
    rooms = {path.name for path in HERE.iterdir() if (path / "__init__.py").is_file()}
    written = set(re.findall(r"# studio/plugins/(\w+)/", PAGE))
    assert rooms == written


@pytest.mark.slow
@pytest.mark.parametrize("title", SECTIONS)
def test_a_section_works_as_written(title: str, tmp_path: Path) -> None:
    for name in ("studio", "locales"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "data").symlink_to(PROJECT / "data")
    checks = []
    for block in BLOCK.findall(SECTIONS[title]):
        named = NAMED.match(block)
        if named is None:
            checks.append(block)
        elif named[1].endswith(".yaml"):
            add_words(tmp_path / named[1], document.loads(block))
        else:
            (tmp_path / named[1]).write_text(block.removeprefix(named[0]), encoding="utf-8")
    assert checks
    for check in checks:
        done = subprocess.run([sys.executable, "-c", check], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr


def add_words(path: Path, words: dict[str, Any]) -> None:
    """Add a section's words to a language."""
    path.write_text(document.dumps(merged(document.read(path), words)), encoding="utf-8")


def merged(old: dict[Any, Any], new: dict[Any, Any]) -> dict[Any, Any]:
    both = {key: merged(old[key], new[key]) for key in old.keys() & new.keys() if isinstance(new[key], dict)}
    return {**old, **new, **both}
