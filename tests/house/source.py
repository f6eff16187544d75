"""The studio's own source as the house rules see it: modules, their room, their strings, their calls."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
STUDIO = PROJECT / "studio"


@dataclass(frozen=True)
class Module:
    """One Python file below studio/."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(PROJECT).as_posix()

    @property
    def room(self) -> str:
        """`args`, `engine`, … for a file in a room, the module's own name for one beside the rooms."""
        parts = self.path.relative_to(STUDIO).parts
        return parts[0] if len(parts) > 1 else self.path.stem

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.name)

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self.parents:
            node = self.parents[node]
            yield node

    def strings(self) -> Iterator[ast.Constant]:
        """Every string that is not a docstring (a text that stands as a statement of its own)."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) \
                    and not isinstance(self.parents.get(node), ast.Expr):
                yield node

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """(name of what is called, the call)."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                called = node.func
                yield (called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")), node


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the studio."""
    return tuple(Module(path) for path in sorted(STUDIO.rglob("*.py")) if "__pycache__" not in path.parts)


def place(module: Module, node: ast.AST) -> str:
    """`studio/args/fields.py:12`, as an editor opens it."""
    return f"{module.name}:{getattr(node, 'lineno', 0)}"


def pattern(node: ast.expr) -> re.Pattern[str] | None:
    """What a literal or an f-string can become; None when nothing of it is known."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.compile(re.escape(node.value) + r"\Z")
    if isinstance(node, ast.JoinedStr):
        parts = [re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in node.values]
        return re.compile("".join(parts) + r"\Z") if any(part != ".+" for part in parts) else None
    return None
