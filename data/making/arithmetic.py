"""Sums, differences, products and quotients as people ask for them, in English and in Chinese.

Every answer is the whole equation (`57+68=125`), so that one exact match scores all phrasings alike.
"""

from __future__ import annotations

import random
from decimal import Decimal

from making.split import Row, pair_is_held_out
from studio.data.make.arithmetic import SIGNS, Problem, ask, spelled


def is_held_out(task: Problem) -> bool:
    """Whether a problem's two numbers are left out of all training."""
    return pair_is_held_out(task.left, task.right)


def whole(rng: random.Random, digits: int) -> int:
    """A whole number with exactly so many digits (one digit: 0 to 9)."""
    return rng.randrange(0 if digits == 1 else 10 ** (digits - 1), 10**digits)


def problem(rng: random.Random, sign: str, decimals: bool = False, longest: int = 3) -> Problem:
    """One problem that comes out even, with operands of mixed lengths up to `longest` digits.

    With `decimals` at least one operand has one place after the point.
    """
    scale = Decimal("0.1") if decimals else Decimal(1)
    if sign in "+-":
        a, b = (whole(rng, rng.randint(1, longest)) for _ in "ab")
        if sign == "-" and a < b and rng.random() < 0.8:
            a, b = b, a
        left, right = a * scale, b * scale
        result = left + right if sign == "+" else left - right
    else:
        a, b = whole(rng, rng.choice([1, 2, 2])), rng.randint(2, 9)
        left, right, result = a * scale, Decimal(b), a * b * scale
        if sign == "÷":
            left, result = result, left
        elif rng.random() < 0.3:
            left, right = right, left
    return Problem(spelled(left), sign, spelled(right), spelled(result))


def problems(rng: random.Random, held_out: bool, count: int, sign: str, decimals: bool = False) -> list[Problem]:
    """So many different problems of one kind from one side of the split; no two share an operand pair."""
    found: dict[frozenset[str], Problem] = {}
    while len(found) < count:
        task = problem(rng, sign, decimals, longest=3 if sign in "+-" else 2)
        if is_held_out(task) == held_out:
            found.setdefault(frozenset((task.left, task.right)), task)
    return list(found.values())


def sample(rng: random.Random, held_out: bool, each: int) -> list[Row]:
    """`each` problems for every sign, language and kind of number, shuffled."""
    rows = [
        ask(rng, task, chinese)
        for sign in SIGNS
        for decimals in (False, True)
        for chinese in (False, True)
        for task in problems(rng, held_out, each, sign, decimals)
    ]
    rng.shuffle(rows)
    return rows
