"""An argument on the page is an argument that does something."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from studio.specs.train import ARGUMENTS
from tests.house.source import modules

# Where a spec's values are acted upon; asking for them in the form or in a rule is not enough.
ACTING = ("data", "engine", "runs", "plugins")
FILES = {"studio/specs/schedule.py", "studio/specs/auto.py"}


@cache
def acted_on() -> set[str]:
    """Every attribute that is read, and every name that is looked up as text, where runs are done."""
    found = set()
    for module in modules():
        if module.room in ACTING or module.name in FILES:
            found |= {node.attr for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)}
            found |= {node.value for node in module.strings()}
    return found


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_argument_is_acted_on_somewhere(name: str) -> None:
    assert name in acted_on()
