"""The shape of a module: short, with a promise on top, without swallowed errors and half-made parts."""

from __future__ import annotations

import ast
import re

import pytest

from tests.house.source import PROJECT, Module, modules, place

MOST_LINES = 400
HALF_MADE = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_a_module_is_short_and_says_what_lives_in_it(module: Module) -> None:
    assert module.text.count("\n") <= MOST_LINES
    assert ast.get_docstring(module.tree)


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_no_error_is_swallowed_whole(module: Module) -> None:
    wrong = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
            if broad and all(isinstance(part, ast.Pass | ast.Continue) for part in node.body):
                wrong.append(place(module, node))
    assert not wrong


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_nothing_is_half_made(module: Module) -> None:
    found = [f"{module.name}:{number}" for number, line in enumerate(module.text.splitlines(), 1)
             if HALF_MADE.search(line)]
    assert not found


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_no_process_is_ended_by_pattern_and_no_command_is_a_shell_string(module: Module) -> None:
    found = [place(module, call) for name, call in module.calls()
             if name in ("system", "popen", "killall", "pkill")
             or any(word.arg == "shell" and getattr(word.value, "value", None) for word in call.keywords)]
    assert not found


def test_the_top_level_is_what_the_design_says() -> None:
    for name in ("studio", "locales", "data", "saves", "tests", "docs", "launch.py", "requirements.txt", "README.md",
                 "README_zh.md", "CHANGELOG.md", "LICENSE", "pyproject.toml"):
        assert (PROJECT / name).exists(), name
