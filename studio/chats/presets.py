"""Presets of sampling: what a person means by precise, balanced and creative; their names are in `chats.preset`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from studio.texts import say

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    "precise": MappingProxyType({"temperature": 0.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}),
    "balanced": MappingProxyType({"temperature": 0.7, "top_p": 0.9, "top_k": 0, "min_p": 0.0}),
    "creative": MappingProxyType({"temperature": 1.1, "top_p": 1.0, "top_k": 0, "min_p": 0.05})})
DEFAULT = "balanced"


def name_of(lang: str, preset: str) -> str:
    """What a person calls it."""
    return say(lang, f"chats.preset.{preset}")


def preset_of(sampling: Mapping[str, Any]) -> str:
    """The preset that these values are, or "" when they are somebody's own."""
    return next((name for name, values in PRESETS.items()
                 if all(sampling.get(key) == value for key, value in values.items())), "")
