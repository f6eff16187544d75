"""Who the assistant is: self-cognition with a name and an author filled in."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Any

from studio.data.make.phrases import LANGUAGES, Row, phrases, row
from studio.errors import InputError

OPEN = re.compile(r"\{\{\s*(name|author)\s*\}\}|<(NAME|AUTHOR)>")


def make(name: str, author: str, languages: Sequence[str] = LANGUAGES, seed: int = 2024) -> list[Row]:
    """Every way of asking who the assistant is, answered with this name and author, shuffled by the seed.

    Raises InputError make_name_empty and make_choice.
    """
    if not languages or any(one not in LANGUAGES for one in languages):
        raise InputError("make_choice", name="@data.make.languages", value=", ".join(languages),
                         allowed=", ".join(LANGUAGES))
    rows = [filled(one, name, author) for one in open_rows(languages)]
    random.Random(f"identity {seed}").shuffle(rows)
    return rows


def open_rows(languages: Sequence[str] = LANGUAGES) -> list[Row]:
    """Every way of asking with its answer, {{name}} and {{author}} left open."""
    return [row(asked, one["answer"]) for lang in languages for one in phrases()["identity"][lang]
            for asked in one["ask"]]


def filled(value: Any, name: str, author: str) -> Any:
    """A row with {{name}}, {{author}}, <NAME> and <AUTHOR> filled in, wherever they stand in it.

    Raises InputError make_name_empty.
    """
    if not (name.strip() and author.strip()):
        raise InputError("make_name_empty")
    if isinstance(value, dict):
        return {key: filled(one, name, author) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, name, author) for one in value]
    if not isinstance(value, str):
        return value
    return OPEN.sub(lambda found: name if (found[1] or found[2]).lower() == "name" else author, value)
