"""Sums, differences, products and quotients as people ask for them, after yongzhuo/chatglm-maths.

Every answer is right and, as there, the whole equation (`57+68=125`) unless the result alone is asked for. Quotients
come out even. No pair of numbers that is held out occurs in training, in either order, under any sign.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from studio.data.make.phrases import LANGUAGES, Row, bucket, phrases, row
from studio.errors import InputError

SIGNS = "+-×÷"
ALSO = {"*": "×", "x": "×", "/": "÷", "−": "-"}
SPELLED_SIGNS = {"+": ["+", " + "], "-": ["-", " - "], "×": ["×", " × ", "*", " * "], "÷": ["÷", " ÷ ", "/", " / "]}
TEMPLATES = ("bare", "questions", "words", "prompts")
MOST_ROWS = 1_000_000
MOST_DECIMALS = 6
_LARGEST = 10**12
_TRIES = 400


@dataclass(frozen=True)
class Problem:
    """Two operands as they are written, the sign between them and the exact result."""

    left: str
    sign: str
    right: str
    result: str

    @property
    def equation(self) -> str:
        """`57+68=125`."""
        return f"{self.left}{self.sign}{self.right}={self.result}"

    @property
    def pair(self) -> str:
        """The two numbers, whichever comes first."""
        return "|".join(sorted((self.left, self.right)))


@dataclass(frozen=True)
class Arithmetic:
    """What to make: `count` problems in all, of which the share `held_out` goes to the held-out set.

    `operations` are of SIGNS (* and / count as × and ÷), operands lie between `lowest` and `highest`; half of the
    problems (`decimal_share`) have up to `decimals` places after the point when that is not 0. `templates` are of
    TEMPLATES, `prompts` chooses among the pairs of words that `prompt_pairs` lists, all of them when empty. `answer` is
    `equation` or `result`; without `negative` no result lies below zero.
    """

    operations: tuple[str, ...] = tuple(SIGNS)
    lowest: int = 0
    highest: int = 100
    decimals: int = 0
    decimal_share: float = 0.5
    languages: tuple[str, ...] = LANGUAGES
    templates: tuple[str, ...] = ("questions", "words")
    prompts: tuple[str, ...] = ()
    answer: str = "equation"
    negative: bool = True
    count: int = 1000
    held_out: float = 0.1
    seed: int = 2024


def make(wanted: Arithmetic) -> tuple[list[Row], list[Row]]:
    """Rows to train on and rows held out, in alpaca's columns; no problem comes twice.

    Raises InputError: make_choice, make_number, make_range, make_too_few when so many problems do not exist.
    """
    check(wanted)
    rng = random.Random(f"arithmetic {wanted.seed}")
    held = round(wanted.count * wanted.held_out)
    room = [wanted.count - held, held]
    sides: tuple[list[Row], list[Row]] = ([], [])
    seen, side_of = set[str](), dict[str, int]()
    for problem in _problems(rng, wanted, seen):
        wish = bucket(f"{wanted.seed}|{problem.pair}", 1 << 32) < wanted.held_out * (1 << 32)
        side = side_of.setdefault(problem.pair, wish if room[wish] else 1 - wish)
        if not room[side]:
            continue
        seen.add(_same(problem))
        room[side] -= 1
        chinese = rng.choice(wanted.languages) == "zh"
        sides[side].append(_asked(rng, problem, wanted, chinese))
        if not any(room):
            return sides
    raise InputError("make_too_few", found=len(seen), value=wanted.count)


def check(wanted: Arithmetic) -> None:
    """Raise InputError for what cannot be made: make_choice, make_number, make_range."""
    for name, chosen, allowed in (("data.make.operations", wanted.operations, (*SIGNS, *ALSO)),
                                  ("data.make.languages", wanted.languages, LANGUAGES),
                                  ("data.make.templates", wanted.templates, TEMPLATES),
                                  ("data.make.answer", (wanted.answer,), ("equation", "result"))):
        if not chosen or any(one not in allowed for one in chosen):
            raise InputError("make_choice", name=f"@{name}", value=", ".join(chosen), allowed=", ".join(allowed))
    if wanted.prompts and not _pairs(wanted, LANGUAGES):
        known = [pair for lang in LANGUAGES for pair in prompt_pairs(lang)]
        raise InputError("make_choice", name="@data.make.prompts", value=", ".join(wanted.prompts),
                         allowed=", ".join(known))
    for name, value, lowest, highest in (("data.make.count", wanted.count, 1, MOST_ROWS),
                                         ("data.make.held_out", wanted.held_out, 0, 0.9),
                                         ("data.make.decimals", wanted.decimals, 0, MOST_DECIMALS),
                                         ("data.make.decimal_share", wanted.decimal_share, 0, 1),
                                         ("data.make.lowest", wanted.lowest, -_LARGEST, _LARGEST),
                                         ("data.make.highest", wanted.highest, -_LARGEST, _LARGEST)):
        if not lowest <= value <= highest:
            raise InputError("make_number", name=f"@{name}", value=value, lowest=lowest, highest=highest)
    if wanted.lowest > wanted.highest:
        raise InputError("make_range", lowest=wanted.lowest, highest=wanted.highest)


def prompt_pairs(language: str) -> list[str]:
    """The pairs of words that may stand before a problem and its answer, each as one name."""
    return [f"{asked.strip()}/{told.strip()}" for asked, told in phrases()["arithmetic"]["prompts"][language]]


def spelled(number: Decimal) -> str:
    """The number without exponent and without zeros that say nothing: 5.0 is `5`."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def ask(rng: random.Random, task: Problem, chinese: bool) -> Row:
    """The problem in one of the phrasings of the language, with the equation as its answer."""
    if rng.random() < 0.4:
        return row(in_words(rng, task, chinese), task.equation)
    return row(in_question(rng, task, chinese), task.equation)


def in_words(rng: random.Random, task: Problem, chinese: bool) -> str:
    """A question with the operation in words."""
    words = phrases()["arithmetic"]["words"]["zh" if chinese else "en"][task.sign]
    return rng.choice(words).format(a=task.left, b=task.right)


def in_question(rng: random.Random, task: Problem, chinese: bool) -> str:
    """A question around the problem as it is written."""
    expression = rng.choice(SPELLED_SIGNS[task.sign]).join((task.left, task.right))
    return rng.choice(phrases()["arithmetic"]["questions"]["zh" if chinese else "en"]).format(x=expression)


def _asked(rng: random.Random, task: Problem, wanted: Arithmetic, chinese: bool) -> Row:
    """The problem in one of the wanted templates."""
    template = rng.choice(wanted.templates)
    if template == "words":
        question = in_words(rng, task, chinese)
    elif template == "questions":
        question = in_question(rng, task, chinese)
    else:
        question = rng.choice(phrases()["arithmetic"]["bare"]).format(x=f"{task.left}{task.sign}{task.right}")
        pairs = _pairs(wanted, ("zh" if chinese else "en",)) or _pairs(wanted, LANGUAGES)
        if template == "prompts":
            before, behind = rng.choice(pairs)
            question = f"{before}{question}\n{behind}"
    return row(question, task.equation if wanted.answer == "equation" else task.result)


def _pairs(wanted: Arithmetic, languages: tuple[str, ...]) -> list[list[str]]:
    known = phrases()["arithmetic"]["prompts"]
    return [pair for lang in languages for name, pair in zip(prompt_pairs(lang), known[lang])
            if not wanted.prompts or name in wanted.prompts]


def _problems(rng: random.Random, wanted: Arithmetic, seen: set[str]) -> Iterator[Problem]:
    """Problems that are not among those `seen`, until too many tries in a row found no other."""
    signs = list(dict.fromkeys(ALSO.get(sign, sign) for sign in wanted.operations))
    tries = drawn = 0
    while tries < _TRIES * (1 + len(seen) // 100):
        places = wanted.decimals if wanted.decimals and rng.random() < wanted.decimal_share else 0
        found = _draw(rng, wanted, signs[drawn % len(signs)], places)
        drawn += 1
        tries += 1
        if found is not None and _same(found) not in seen:
            known = len(seen)
            yield found
            tries = 0 if len(seen) > known else tries


def _draw(rng: random.Random, wanted: Arithmetic, sign: str, places: int) -> Problem | None:
    """A problem with operands of up to so many places after the point; None when the dice fell badly."""
    unit, scale = 10**places, Decimal(1).scaleb(-places)
    lowest, highest = wanted.lowest * unit, wanted.highest * unit
    a, b = rng.randint(lowest, highest), rng.randint(lowest, highest)
    if sign == "÷":
        b = rng.randint(wanted.lowest, wanted.highest)
        if b == 0:
            return None
        ends = (-(-lowest // b), highest // b) if b > 0 else (-(-highest // b), lowest // b)
        if ends[0] > ends[1]:
            return None
        result = rng.randint(*ends)
        left, right, value = result * b * scale, Decimal(b), result * scale
    else:
        if sign == "-" and a < b and not wanted.negative:
            a, b = b, a
        left, right = a * scale, b * scale
        value = left + right if sign == "+" else left - right if sign == "-" else left * right
    if value < 0 and not wanted.negative:
        return None
    return Problem(spelled(left), sign, spelled(right), spelled(value))


def _same(problem: Problem) -> str:
    """What two problems have in common that are one: 2+3 and 3+2 are, 3-2 and 2-3 are not."""
    return f"{problem.sign}{problem.pair}" if problem.sign in "+×" else f"{problem.left}{problem.sign}{problem.right}"
