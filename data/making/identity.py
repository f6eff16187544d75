"""Who the assistant is, with {{name}} and {{author}} left open for the user's own."""

from __future__ import annotations

import random

from studio.data.make.identity import open_rows
from studio.data.make.phrases import Row


def sample(rng: random.Random) -> list[Row]:
    """Every way of asking in both languages, shuffled."""
    rows = open_rows()
    rng.shuffle(rows)
    return rows
