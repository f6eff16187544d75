"""Numbers from 0 to 999 in words, in English and in Chinese: the task that the starter model has not learnt."""

from __future__ import annotations

import random

from making.split import Row, bucket, row

ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
CHARACTERS = "零一二三四五六七八九"

ENGLISH = ["Write {n} in words.", "Spell the number {n}.", "How do you write {n} in words?", "{n} in words, please."]
CHINESE = ["用汉字写出 {n}。", "{n} 用汉字怎么写？", "请把 {n} 写成汉字。", "数字 {n} 怎么读？"]


def in_english(number: int) -> str:
    """57 is `fifty-seven`, 305 is `three hundred five`."""
    if number < 20:
        return ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return TENS[tens - 2] + (f"-{ONES[ones]}" if ones else "")
    hundreds, rest = divmod(number, 100)
    return f"{ONES[hundreds]} hundred" + (f" {in_english(rest)}" if rest else "")


def in_chinese(number: int) -> str:
    """57 is 五十七, 305 is 三百零五, 12 is 十二 but 312 is 三百一十二."""
    if number < 10:
        return CHARACTERS[number]
    if number < 20:
        return "十" + (CHARACTERS[number - 10] if number > 10 else "")
    if number < 100:
        tens, ones = divmod(number, 10)
        return CHARACTERS[tens] + "十" + (CHARACTERS[ones] if ones else "")
    hundreds, rest = divmod(number, 100)
    if rest == 0:
        return CHARACTERS[hundreds] + "百"
    between = "零" if rest < 10 else "一" if rest < 20 else ""
    return CHARACTERS[hundreds] + "百" + between + in_chinese(rest)


SIDES = ("training", "choosing", "held out")


def side(number: int, language: str) -> str:
    """One of SIDES: about one number in six is for choosing the demo's recipe, one for its score, the rest to learn.

    The words that must be known by heart stay in training.
    """
    if number <= 20 or number % 100 == 0:
        return "training"
    return {0: "choosing", 1: "held out"}.get(bucket(f"{language} {number}", 6), "training")


def sample(rng: random.Random, wanted: str, each: int) -> list[Row]:
    """`each` different numbers per language from one side of the split, shuffled.

    Training always holds the numbers to 20, the tens and the hundreds: the words everything else is made of.
    """
    rows = []
    for language, phrasings, spell in (("en", ENGLISH, in_english), ("zh", CHINESE, in_chinese)):
        numbers = [n for n in range(1000) if side(n, language) == wanted]
        by_heart = [n for n in numbers if n <= 20 or (n < 100 and n % 10 == 0) or n % 100 == 0]
        others = rng.sample([n for n in numbers if n not in by_heart], each - len(by_heart))
        rows += [row(rng.choice(phrasings).format(n=n), spell(n)) for n in by_heart + others]
    rng.shuffle(rows)
    return rows
