"""Plain running text in English and Chinese, for training without questions: little scenes, one a line."""

from __future__ import annotations

import random

from making import words

FRUIT = words.THINGS[:4]
PEOPLE = [("Anna", "小安"), ("Ben", "小本"), ("Mei", "小梅"), ("Tom", "小汤"), ("Lily", "莉莉"), ("Jun", "小军")]
PLACES = [
    ("in the garden", "在花园里"),
    ("by the river", "在河边"),
    ("at school", "在学校"),
    ("on the hill", "在山坡上"),
    ("at home", "在家里"),
    ("in the city", "在城里"),
]
WEATHER = [
    ("The sun was warm.", "阳光很暖。"),
    ("A soft rain fell.", "下着小雨。"),
    ("The wind was strong.", "风很大。"),
    ("White clouds went by.", "白云飘过。"),
]
ENDINGS = [
    ("In the evening they drank tea together.", "傍晚，他们一起喝茶。"),
    ("Then it was time to go home.", "然后就该回家了。"),
    ("They laughed for a long time.", "他们笑了很久。"),
    ("That night the moon was bright.", "那天夜里，月亮很亮。"),
    ("Tomorrow they want to come again.", "明天他们还想再来。"),
]


def scene(rng: random.Random, chinese: bool) -> str:
    """One scene of four or five short sentences."""
    side = int(chinese)
    person, friend = rng.sample(PEOPLE, 2)
    day = rng.randrange(7)
    place, weather, ending = rng.choice(PLACES)[side], rng.choice(WEATHER)[side], rng.choice(ENDINGS)[side]
    thing = rng.choice(FRUIT)
    animal = rng.choice(words.ANIMALS)
    many = rng.randint(2, 9)
    if chinese:
        measure = "头" if animal[0] == "cow" else "只"
        return (
            f"{words.DAYS_ZH[day]}，{person[1]}{place}看见一{measure}{animal[1]}。{weather}它{animal[3]}地叫。"
            f"{friend[1]}带来了 {many} 个{thing[1]}，两个人分着吃。{ending}"
        )
    article = "an" if animal[0][0] in "aeiou" else "a"
    return (
        f"On {words.DAYS[day]} {person[0]} saw {article} {animal[0]} {place}. {weather} "
        f"The {animal[0]} said {animal[2]}. {friend[0]} came with {many} {thing[2]}, and they shared them. {ending}"
    )


def sample(rng: random.Random, count: int) -> str:
    """So many different scenes, the languages in turn, one a line."""
    found: dict[str, None] = {}
    while len(found) < count:
        found[scene(rng, chinese=len(found) % 2 == 1)] = None
    return "\n".join(found) + "\n"
