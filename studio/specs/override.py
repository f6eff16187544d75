"""What the user says last, over what a recipe says: a flag replaces the recipe's key by whatever name that goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.args.fields import Argument
from studio.specs.older_keys import CONVERTED
from studio.specs.train import ALIASES, ARGUMENTS

# Older keys that say one thing together: key by key they may be overridden without losing the other.
_PARTS = {
    "max_source_length": "cutoff_len",
    "max_target_length": "cutoff_len",
    "bf16": "compute_type",
    "fp16": "compute_type",
}


def override(recipe: Mapping[str, Any], changes: Mapping[str, Any], declared: Mapping[str, Argument] = ARGUMENTS,
             aliases: Mapping[str, str] = ALIASES) -> dict[str, Any]:
    """The recipe with the changes in it; `bf16: true` gives way to `compute_type=fp32`, `lr` to `learning_rate`."""
    settled = {today(key, declared, aliases) for key in changes
               if key not in ("max_source_length", "max_target_length")}
    kept = {key: value for key, value in recipe.items() if today(key, declared, aliases) not in settled}
    if any(key in changes for key in ("max_source_length", "max_target_length")):
        kept.pop("cutoff_len", None)
        for alias in ARGUMENTS["cutoff_len"].aliases:
            kept.pop(alias, None)
    return kept | dict(changes)


def today(key: str, declared: Mapping[str, Argument] = ARGUMENTS, aliases: Mapping[str, str] = ALIASES) -> str:
    """The argument that a key of any age sets; an unknown key is itself."""
    if key in declared:
        return key
    if key in aliases:
        return aliases[key]
    return _PARTS.get(key) or (CONVERTED[key][0] if key in CONVERTED else key)
