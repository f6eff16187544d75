"""Which rows are held out: decided by a hash, so that every generator draws the same line."""

from __future__ import annotations

import hashlib
from decimal import Decimal

Row = dict[str, str]

FACTS_BELOW = 21  # sums and products of two smaller whole numbers are facts to know by heart: always in training
ONE_PAIR_IN = 12
ONE_PROMPT_IN = 12


def bucket(text: str, buckets: int) -> int:
    """A number below `buckets` that depends on the text alone: the same on every machine and Python."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % buckets


def pair_is_held_out(left: str, right: str) -> bool:
    """True for about one operand pair in twelve, whatever the operator and whichever operand comes first."""
    small_facts = all("." not in side and abs(Decimal(side)) < FACTS_BELOW for side in (left, right))
    return not small_facts and bucket("|".join(sorted((left, right))), ONE_PAIR_IN) == 0


def prompt_is_held_out(row: Row) -> bool:
    """True for about one prompt in twelve, by its words."""
    return bucket(row["instruction"] + "\n" + row["input"], ONE_PROMPT_IN) == 0


def row(instruction: str, output: str, given: str = "") -> Row:
    """One row in alpaca's columns."""
    return {"instruction": instruction, "input": given, "output": output}
