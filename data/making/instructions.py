"""Simple instructions in English and Chinese, built from templates and the words of `words.py`."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

from making import words
from making.split import Row, row

Maker = Callable[[random.Random], Row]
ALPHABETS = [
    string.ascii_letters + string.punctuation,
    "".join(map(chr, range(0x4E00, 0x9FA6))),
    "àçéèêñöüßøабвгдежαβγδ한국어こんにちは😀👍🎉🌧",
]
ADJECTIVES = [(e, z) for first, second, zf, zs in words.OPPOSITES[:6] for e, z in ((first, zf), (second, zs))]


def repeat_en(rng: random.Random) -> Row:
    said = " ".join(rng.choice(words.PAIRS)[0] for _ in range(rng.randint(1, 4)))
    asked = rng.choice(["Repeat: {}", "Say: {}", "Repeat after me: {}", "Copy these words: {}"])
    return row(asked.format(said), said)


def repeat_zh(rng: random.Random) -> Row:
    said = "，".join(rng.choice(words.PAIRS)[1] for _ in range(rng.randint(1, 4)))
    return row(rng.choice(["重复：{}", "跟我说：{}", "请重复这些词：{}", "照样写出：{}"]).format(said), said)


def repeat_number(rng: random.Random) -> Row:
    said = str(rng.randrange(10 ** rng.randint(1, 5)))
    return row(rng.choice(["Repeat: {}", "Say: {}", "重复：{}", "跟我说：{}"]).format(said), said)


def count_en(rng: random.Random) -> Row:
    first = rng.randrange(0, 60)
    last = first + rng.randint(2, 7)
    asked = rng.choice(["Count from {} to {}.", "Please count from {} up to {}."])
    return row(asked.format(first, last), ", ".join(map(str, range(first, last + 1))))


def count_zh(rng: random.Random) -> Row:
    first = rng.randrange(0, 60)
    last = first + rng.randint(2, 7)
    return row(
        rng.choice(["从 {} 数到 {}。", "请从 {} 数到 {}。"]).format(first, last),
        "，".join(map(str, range(first, last + 1))),
    )


def capitals(rng: random.Random) -> Row:
    word = rng.choice(words.PAIRS)[0]
    asked = rng.choice(["Write {} in capital letters.", "Put {} in capitals.", "用大写字母写出 {}。"])
    return row(asked.format(word), word.upper())


def opposite_en(rng: random.Random) -> Row:
    first, second = rng.choice(words.OPPOSITES)[:2]
    if second != "short" and rng.random() < 0.5:  # short is the opposite of two words: it is never asked about
        first, second = second, first
    asked = rng.choice(["What is the opposite of {}?", "Give me the opposite of {}.", "The opposite of {} is?"])
    return row(asked.format(first), second)


def opposite_zh(rng: random.Random) -> Row:
    first, second = rng.choice(words.OPPOSITES)[2:]
    if rng.random() < 0.5:
        first, second = second, first
    return row(rng.choice(["“{}”的反义词是什么？", "说出“{}”的反义词。", "{}的反义词是？"]).format(first), second)


def colour_en(rng: random.Random) -> Row:
    thing, _, _, colour, _ = rng.choice(words.THINGS)
    article = "the" if thing in ("sky", "sea", "sun", "moon") else "a" if thing not in ("snow", "milk") else ""
    named = f"{'an' if article == 'a' and thing[0] in 'aeiou' else article} {thing}".strip()
    asked = rng.choice(["What colour is {}?", "Tell me the colour of {}.", "Which colour does {} have?"])
    return row(asked.format(named), f"{named[0].upper()}{named[1:]} is {colour}.")


def colour_zh(rng: random.Random) -> Row:
    _, thing, _, _, colour = rng.choice(words.THINGS)
    return row(
        rng.choice(["{}是什么颜色？", "说出{}的颜色。", "{}的颜色是什么？"]).format(thing), f"{thing}是{colour}的。"
    )


def sound_en(rng: random.Random) -> Row:
    animal, _, sound, _ = rng.choice(words.ANIMALS)
    asked = rng.choice(["What does a {} say?", "What sound does a {} make?", "How does a {} sound?"])
    return row(asked.format(animal), f"A {animal} says {sound}.")


def sound_zh(rng: random.Random) -> Row:
    _, animal, _, sound = rng.choice(words.ANIMALS)
    return row(rng.choice(["{}怎么叫？", "{}发出什么声音？", "{}是怎么叫的？"]).format(animal), f"{animal}{sound}叫。")


def next_en(rng: random.Random) -> Row:
    names = rng.choice([words.DAYS, words.MONTHS])
    at = rng.randrange(len(names))
    asked, step = rng.choice([("What comes after {}?", 1), ("What comes before {}?", -1), ("{} comes, and then?", 1)])
    return row(asked.format(names[at]), names[(at + step) % len(names)])


def next_zh(rng: random.Random) -> Row:
    names = rng.choice([words.DAYS_ZH, words.MONTHS_ZH])
    at = rng.randrange(len(names))
    asked, step = rng.choice([("{}之后是什么？", 1), ("{}之前是什么？", -1), ("{}过了是什么？", 1)])
    return row(asked.format(names[at]), names[(at + step) % len(names)])


def bigger(rng: random.Random) -> Row:
    a, b = rng.sample(range(10 ** rng.randint(1, 3)), 2)
    asked, choose = rng.choice(
        [
            ("Which is bigger, {} or {}?", max),
            ("Which is smaller, {} or {}?", min),
            ("{} 和 {} 哪个大？", max),
            ("{} 和 {} 哪个小？", min),
        ]
    )
    return row(asked.format(a, b), str(choose(a, b)))


def neighbour(rng: random.Random) -> Row:
    n = rng.randrange(1, 10 ** rng.randint(1, 3))
    asked, step = rng.choice(
        [
            ("What number comes after {}?", 1),
            ("What number comes before {}?", -1),
            ("{} 后面的数是几？", 1),
            ("{} 前面的数是几？", -1),
        ]
    )
    return row(asked.format(n), str(n + step))


def even_en(rng: random.Random) -> Row:
    n = rng.randrange(1000)
    kind = "odd" if n % 2 else "even"
    return row(rng.choice(["Is {} even or odd?", "Even or odd: {}"]).format(n), f"{n} is {kind}.")


def even_zh(rng: random.Random) -> Row:
    n = rng.randrange(1000)
    kind = "奇数" if n % 2 else "偶数"
    return row(rng.choice(["{} 是奇数还是偶数？", "奇数还是偶数：{}"]).format(n), f"{n} 是{kind}。")


def into_chinese(rng: random.Random) -> Row:
    english, chinese = rng.choice(words.PAIRS[: -len(words.OPPOSITES)])
    if rng.random() < 0.3:
        return row(rng.choice(["Translate into Chinese.", "翻译成中文。"]), chinese, english)
    asked = rng.choice(
        ["What is {} in Chinese?", "How do you say {} in Chinese?", "{} 用中文怎么说？", "把 {} 翻译成中文。"]
    )
    return row(asked.format(english), chinese)


def into_english(rng: random.Random) -> Row:
    english, chinese = rng.choice(words.PAIRS[: -len(words.OPPOSITES)])
    if rng.random() < 0.3:
        return row(rng.choice(["Translate into English.", "翻译成英文。"]), english, chinese)
    asked = rng.choice(
        ["What is {} in English?", "How do you say {} in English?", "{}用英语怎么说？", "把{}翻译成英文。"]
    )
    return row(asked.format(chinese), english)


def plural(rng: random.Random) -> Row:
    one, _, many = rng.choice(words.COUNTABLE)
    return row(rng.choice(["What is the plural of {}?", "One {}, two?", "Give me the plural of {}."]).format(one), many)


def reverse_en(rng: random.Random) -> Row:
    said = [rng.choice(words.NOUNS)[0] for _ in range(rng.randint(2, 3))]
    asked = rng.choice(["Say these words backwards: {}", "Reverse the order: {}"])
    return row(asked.format(" ".join(said)), " ".join(reversed(said)))


def first_zh(rng: random.Random) -> Row:
    said = [rng.choice(words.NOUNS)[1] for _ in range(3)]
    asked, at = rng.choice([("第一个词是什么：{}", 0), ("最后一个词是什么：{}", -1)])
    return row(asked.format("，".join(said)), said[at])


def first_en(rng: random.Random) -> Row:
    said = [rng.choice(words.NOUNS)[0] for _ in range(3)]
    asked, at = rng.choice([("Which word comes first: {}", 0), ("Which word comes last: {}", -1)])
    return row(asked.format(", ".join(said)), said[at])


def sentence_en(rng: random.Random) -> Row:
    noun, adjective = rng.choice(words.NOUNS)[0], rng.choice(ADJECTIVES)[0]
    asked = rng.choice(["Make a sentence with {n} and {a}.", "Write a short sentence with {n} and {a}."])
    return row(asked.format(n=noun, a=adjective), f"The {noun} is {adjective}.")


def sentence_zh(rng: random.Random) -> Row:
    noun, adjective = rng.choice(words.NOUNS)[1], rng.choice(ADJECTIVES)[1]
    asked = rng.choice(["用“{n}”和“{a}”造句。", "请用“{n}”和“{a}”写一个短句。"])
    return row(asked.format(n=noun, a=adjective), f"{noun}很{adjective}。")


ENGLISH: list[Maker] = [
    repeat_en, count_en, capitals, opposite_en, colour_en, sound_en, next_en, even_en, into_english, plural,
    reverse_en, first_en, sentence_en,
]  # fmt: skip
CHINESE: list[Maker] = [
    repeat_zh, count_zh, opposite_zh, colour_zh, sound_zh, next_zh, even_zh, into_chinese, first_zh, sentence_zh,
]  # fmt: skip
EITHER: list[Maker] = [repeat_number, bigger, neighbour]


def strange_text(rng: random.Random) -> str:
    """Two to eight characters of any script."""
    return "".join(rng.choice(rng.choice(ALPHABETS)) for _ in range(rng.randint(2, 8)))


def loose_words(rng: random.Random) -> str:
    """Two to six words of the vocabulary in no order, every third one the name of a number."""
    drawn = [rng.choice(rng.choice([words.PAIRS, words.PAIRS, words.NUMBERS])) for _ in range(rng.randint(2, 6))]
    if rng.random() < 0.5:
        return rng.choice(["，", ""]).join(chinese for _, chinese in drawn)
    return rng.choice([" ", " ", "-"]).join(english for english, _ in drawn)


def echo(rng: random.Random, said: str) -> Row:
    """Any text, to be said back."""
    return row(rng.choice(["Repeat: {}", "Say: {}", "重复：{}", "跟我说：{}"]).format(said), said)


def one(rng: random.Random, chinese: bool) -> Row:
    """One instruction of a random kind."""
    return rng.choice((CHINESE if chinese else ENGLISH) + EITHER)(rng)
