"""Models, runs and checkpoints as the words of `serve` and `chat` name them, with the arguments beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import InputError, StudioError
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.args.fields import Argument
    from studio.chats.lanes import Lane

RECIPES = (".yaml", ".yml")
ADAPTER = "adapter_config.json"


def sorted_words(
    words: Sequence[str], declared: Mapping[str, Argument]
) -> tuple[list[str], list[Path], dict[str, Any]]:
    """(names, recipe files, arguments) among the words, in any order."""
    from studio.args.flags import read

    changes, plain = read(words, declared)
    recipes = [Path(word).expanduser() for word in plain if word.lower().endswith(RECIPES)]
    return [word for word in plain if not word.lower().endswith(RECIPES)], recipes, changes


def recipe_of(paths: Sequence[Path], errors: list[StudioError]) -> dict[str, Any]:
    """What the recipe files say, a later one over an earlier; what is wrong is added to the errors."""
    from studio.args import document
    from studio.specs.frozen import without_header

    found: dict[str, Any] = {}
    for path in paths:
        try:
            found |= without_header(document.read(path))
        except InputError as error:
            errors.append(error)
    return found


def found_lanes(names: Sequence[str], workspace: Workspace, errors: list[StudioError]) -> list[Lane]:
    """The lane of each name; the first that is a model stands as the base of adapters that name none."""
    from studio.chats.lanes import BASE, lane

    base: Lane | None = None
    found: list[Lane] = []
    for name in names:
        try:
            one = lane(name, workspace, base if name == BASE or _is_adapter_folder(name, workspace) else None)
        except StudioError as error:
            errors.append(error)
            continue
        base = base or (one if one.adapter is None else None)
        found.append(one)
    return found


def _is_adapter_folder(name: str, workspace: Workspace) -> bool:
    """Whether the name is the folder of an adapter that was learned elsewhere."""
    return any((folder / ADAPTER).is_file() for folder in (Path(name).expanduser(), workspace.models / name))


def needed(lanes: Sequence[Lane], quantization_bit: int | None, dtype: str) -> tuple[dict[str, int], int | None]:
    """(bytes that each lane adds, bytes that are free): the model once, each adapter on it by its own weights."""
    from dataclasses import replace

    from studio.chats.lanes import estimate

    added: dict[str, int] = {}
    free: int | None = None
    seen: set[Path] = set()
    for one in lanes:
        cost = estimate(one, quantization_bit, dtype)
        free = cost.available_bytes
        added[one.name] = cost.bytes
        if one.base in seen:
            added[one.name] -= estimate(replace(one, adapter=None), quantization_bit, dtype).bytes
        seen.add(one.base)
    return added, free
