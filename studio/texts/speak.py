"""Sentences by dotted key from `locales/<lang>.yaml`; a new language is one new file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml

from studio.workspace import LOCALES

LANGUAGES = ("en", "zh")


def languages() -> tuple[str, ...]:
    """Every language that has a file, English and Chinese first."""
    found = sorted(path.stem for path in LOCALES.glob("*.yaml"))
    return (*LANGUAGES, *(name for name in found if name not in LANGUAGES))


@cache
def sentences(lang: str) -> Mapping[str, str]:
    """All sentences of a language by dotted key; raises FileNotFoundError for a language without a file."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with open(LOCALES / f"{lang}.yaml", encoding="utf-8") as file:
        return dict(_flat(yaml.load(file, Loader=loader)))


def _flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in (tree or {}).items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", str(value).rstrip("\n")))
    return found


def say(lang: str, key: str, /, **values: Any) -> str:
    """The sentence of `key` with its values filled in; raises KeyError for a key without a sentence."""
    sentence = sentences(lang)[key]
    return sentence.format(**values) if values else sentence


def has(lang: str, key: str) -> bool:
    """Whether the language has a sentence for the key."""
    return key in sentences(lang)


def listed(lang: str, items: list[str]) -> str:
    """A list as each language writes it: "a, b" or 「a、b」."""
    return say(lang, "common.comma").join(items)
