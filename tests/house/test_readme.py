"""The pages for readers are true to the tree: every room is named, every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.source import PROJECT, STUDIO

READMES = ("README.md", "README_zh.md")
TOP = ("launch.py", "requirements.txt", "locales/", "data/", "examples/", "saves/", "studio/", "tests/", "benchmarks/",
       "docs/")
PAGES = [*PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md"), *(PROJECT / "data").glob("*.md")]
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("name", READMES)
def test_the_tree_names_every_room_and_file(name: str) -> None:
    tree = re.search(r"^```\nlaunch\.py.*?^```", (PROJECT / name).read_text(encoding="utf-8"), re.M | re.S)
    assert tree
    named = {line.split()[0] for line in tree[0].splitlines()[1:-1]}
    there = {f"{path.name}/" if path.is_dir() else path.name for path in STUDIO.iterdir()
             if path.name not in ("__pycache__", "__init__.py")}
    assert named == there | set(TOP)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert not dead


def test_the_readmes_show_the_same_commands_and_pictures() -> None:
    english, chinese = ((PROJECT / name).read_text(encoding="utf-8") for name in READMES)
    command = re.compile(r"^python launch\.py[^#\n]*", re.M)
    assert [line.strip() for line in command.findall(english)] == [line.strip() for line in command.findall(chinese)]
    assert len(re.findall(r"docs/images/\w+\.png", english)) == len(re.findall(r"docs/images/\w+\.png", chinese)) == 1
