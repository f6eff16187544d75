"""The rooms of the house: who may import whom, and who may know torch and Gradio."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.house.source import STUDIO, Module, modules, place

FLOORS = (
    {"__init__", "errors", "workspace", "sample", "identity", "records", "hosts", "prepare"},
    {"args", "texts"}, {"plugins"}, {"specs"}, {"data"}, {"runs"}, {"chats"}, {"scores"}, {"exports"},
    {"engine", "ui"}, {"cli"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
TORCH = {"torch", "transformers", "trl", "peft", "accelerate", "datasets", "bitsandbytes"}
GRADIO = {"gradio", "gradio_client"}


def imports(module: Module) -> Iterator[tuple[ast.AST, str, bool]]:
    """(statement, dotted name, at module level) of every import, those for type checkers alone left out."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        around = list(module.ancestors(node))
        if any(isinstance(outer, ast.If) and "TYPE_CHECKING" in ast.unparse(outer.test) for outer in around):
            continue
        top = not any(isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef) for outer in around)
        if isinstance(node, ast.Import):
            yield from ((node, alias.name, top) for alias in node.names)
        else:
            assert not node.level, f"{place(module, node)}: relative import"
            yield from ((node, f"{node.module}.{alias.name}", top) for alias in node.names)


def test_every_room_has_a_floor() -> None:
    assert {module.room for module in modules()} <= set(FLOOR)


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_a_module_imports_only_from_its_own_room_and_lower_floors(module: Module) -> None:
    wrong = []
    for node, name, top in imports(module):
        if not name.startswith("studio."):
            continue
        room = name.split(".")[1]
        if room not in FLOOR:
            room = "__init__"  # `from studio import __version__`
        # a method's train(job) runs inside the engine, a form's write(work) among the exports
        entered = module.room == "plugins" and room in ("engine", "exports") and not top
        if room != module.room and FLOOR[room] >= FLOOR[module.room] and not entered:
            wrong.append(f"{place(module, node)} imports {name}")
    assert not wrong


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_torch_stays_in_the_engine_and_gradio_in_the_page(module: Module) -> None:
    wrong = []
    for node, name, top in imports(module):
        first = name.split(".")[0]
        torch_allowed = module.room == "engine" or (module.room == "plugins" and not top)
        if (first in TORCH and not torch_allowed) or (first in GRADIO and module.room != "ui"):
            wrong.append(f"{place(module, node)} imports {name}")
    assert not wrong


def test_nobody_imports_the_engine_but_itself_and_the_methods_that_run_inside_it() -> None:
    found = {place(module, node) for module in modules() for node, name, top in imports(module)
             if name.startswith("studio.engine") and module.room != "engine" and (module.room != "plugins" or top)}
    assert not found


def test_preparing_the_environment_needs_nothing_of_the_studio() -> None:
    found = {place(module, node) for module in modules() if module.room == "prepare"
             for node, name, _ in imports(module)
             if name.startswith("studio.") and not name.startswith("studio.prepare")}
    assert not found


def test_the_rooms_of_the_design_exist() -> None:
    for room in ("args", "texts", "plugins", "specs", "data", "runs", "chats", "scores", "engine", "ui", "cli"):
        assert (STUDIO / room / "__init__.py").is_file(), room
