"""Make a dataset: sums with a held-out side, or who the assistant is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.data.make import arithmetic, identity
from studio.data.make.phrases import Row
from studio.data.make.registered import check_free, register
from studio.workspace import Workspace

HELD_OUT = "_heldout"


def work(arguments: Mapping[str, Any], workspace: Workspace, tell: Callable[[int, int], None],
         should_stop: Callable[[], bool]) -> dict[str, Any]:
    """Arguments: kind (arithmetic or identity), name (of the new set), and what the maker of that kind takes.

    A held-out side becomes NAME_heldout. The result is {name, rows, held_out: {name, rows} or None}.
    """
    wanted: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value
                              for key, value in arguments.items() if key not in ("kind", "name")}
    name = str(arguments["name"])
    check_free(workspace, name)
    if arguments["kind"] == "identity":
        rows, held = identity.make(wanted.pop("who"), **wanted), list[Row]()
    else:
        rows, held = arithmetic.make(arithmetic.Arithmetic(**wanted))
    if held:
        check_free(workspace, f"{name}{HELD_OUT}")
    tell(len(rows), len(rows) + len(held))
    register(workspace, name, rows)
    if held:
        register(workspace, f"{name}{HELD_OUT}", held)
    return {"name": name, "rows": len(rows),
            "held_out": {"name": f"{name}{HELD_OUT}", "rows": len(held)} if held else None}
