"""Which rows are held out: decided by a hash, so that every generator draws the same line."""

from __future__ import annotations

from decimal import Decimal

from studio.data.make.phrases import Row, bucket, row

__all__ = ["Row", "bucket", "pair_is_held_out", "prompt_is_held_out", "row"]

FACTS_BELOW = 21  # sums and products of two smaller whole numbers are facts to know by heart: always in training
ONE_PAIR_IN = 12
ONE_PROMPT_IN = 12


def pair_is_held_out(left: str, right: str) -> bool:
    """True for about one operand pair in twelve, whatever the operator and whichever operand comes first."""
    small_facts = all("." not in side and abs(Decimal(side)) < FACTS_BELOW for side in (left, right))
    return not small_facts and bucket("|".join(sorted((left, right))), ONE_PAIR_IN) == 0


def prompt_is_held_out(row: Row) -> bool:
    """True for about one prompt in twelve, by its words."""
    return bucket(row["instruction"] + "\n" + row["input"], ONE_PROMPT_IN) == 0
