"""Sums, differences, products and quotients as people ask for them, in English and in Chinese.

Every answer is the whole equation (`57+68=125`), so that one exact match scores all phrasings alike.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal

from making.split import Row, pair_is_held_out, row

SIGNS = "+-×÷"
SPELLED_SIGNS = {"+": ["+", " + "], "-": ["-", " - "], "×": ["×", " × ", "*", " * "], "÷": ["÷", " ÷ ", "/", " / "]}

ENGLISH = [
    "{x}",
    "{x}=",
    "{x} = ?",
    "What is {x}?",
    "How much is {x}?",
    "Compute {x}.",
    "Calculate: {x}",
    "Please work out {x}.",
    "Solve {x}",
    "Can you tell me what {x} is?",
    "Mental arithmetic: {x}=",
    "I need the answer to {x}.",
]
CHINESE = [
    "{x}",
    "{x}=",
    "{x}=?",
    "{x}等于多少？",
    "{x}是多少？",
    "计算：{x}",
    "计算 {x}。",
    "口算：{x}=",
    "请算一算 {x}。",
    "请问 {x} 等于几？",
    "算术题：{x}=？",
    "帮我算一下 {x}。",
]
ENGLISH_WORDS = {
    "+": [
        "What is {a} plus {b}?",
        "Add {a} and {b}.",
        "What do you get when you add {a} to {b}?",
        "What is the sum of {a} and {b}?",
    ],
    "-": ["What is {a} minus {b}?", "Subtract {b} from {a}.", "Take {b} away from {a}.", "How much is {a} less {b}?"],
    "×": ["What is {a} times {b}?", "Multiply {a} by {b}.", "What is the product of {a} and {b}?"],
    "÷": ["What is {a} divided by {b}?", "Divide {a} by {b}.", "How many times does {b} go into {a}?"],
}
CHINESE_WORDS = {
    "+": ["{a}加{b}等于多少？", "{a}加上{b}是多少？", "把{a}和{b}相加。", "{a}与{b}的和是多少？"],
    "-": ["{a}减{b}等于多少？", "{a}减去{b}是多少？", "从{a}里减去{b}。", "{a}与{b}的差是多少？"],
    "×": ["{a}乘{b}等于多少？", "{a}乘以{b}是多少？", "{a}与{b}的积是多少？"],
    "÷": ["{a}除以{b}等于多少？", "{a}除以{b}是多少？", "{a}与{b}的商是多少？"],
}


@dataclass(frozen=True)
class Problem:
    """Two operands as they are written, the sign between them and the exact result."""

    left: str
    sign: str
    right: str
    result: str

    @property
    def equation(self) -> str:
        return f"{self.left}{self.sign}{self.right}={self.result}"

    @property
    def held_out(self) -> bool:
        return pair_is_held_out(self.left, self.right)


def spelled(number: Decimal) -> str:
    """The number without exponent and without zeros that say nothing: 5.0 is `5`."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


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


def ask(rng: random.Random, task: Problem, chinese: bool) -> Row:
    """The problem in one of the phrasings of the language, with the equation as its answer."""
    if rng.random() < 0.4:
        words = (CHINESE_WORDS if chinese else ENGLISH_WORDS)[task.sign]
        return row(rng.choice(words).format(a=task.left, b=task.right), task.equation)
    expression = rng.choice(SPELLED_SIGNS[task.sign]).join((task.left, task.right))
    return row(rng.choice(CHINESE if chinese else ENGLISH).format(x=expression), task.equation)


def problems(rng: random.Random, held_out: bool, count: int, sign: str, decimals: bool = False) -> list[Problem]:
    """So many different problems of one kind from one side of the split; no two share an operand pair."""
    found: dict[frozenset[str], Problem] = {}
    while len(found) < count:
        task = problem(rng, sign, decimals, longest=3 if sign in "+-" else 2)
        if task.held_out == held_out:
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
