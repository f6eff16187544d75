"""Two answers to one question, the better one first: right, kind and in the language of the asker."""

from __future__ import annotations

import random

from making import arithmetic, conversations, talk
from making.split import Row

CURT = {
    False: ["I don't know.", "No.", "Go away.", "Why do you ask?"],
    True: ["不知道。", "不。", "别问我。", "问这个做什么？"],
}


def compared(asked: Row, rejected: str) -> Row:
    """One row in the ranking layout."""
    return {
        "instruction": asked["instruction"],
        "input": asked["input"],
        "chosen": asked["output"],
        "rejected": rejected,
    }


def right_over_wrong(rng: random.Random, chinese: bool) -> Row:
    """A sum with its result, against the same sum with a result that is a little off."""
    while True:
        task = arithmetic.problem(rng, rng.choice("+-"))
        if not arithmetic.is_held_out(task):
            break
    off = int(task.result) + rng.choice([-10, -2, -1, 1, 2, 10])
    return compared(arithmetic.ask(rng, task, chinese), task.equation.rpartition("=")[0] + f"={off}")


def kind_over_curt(rng: random.Random, chinese: bool) -> Row:
    return compared(talk.one(rng, chinese), rng.choice(CURT[chinese]))


def own_language(rng: random.Random, chinese: bool) -> Row:
    """The answer in the language of the question, against the same answer in the other language."""
    at = rng.randrange(len(talk.ENGLISH))
    ways, answer = talk.TABLES[chinese][at]
    asked = {"instruction": rng.choice(ways.split("|")).strip(), "input": "", "output": answer}
    return compared(asked, talk.TABLES[not chinese][at][1])


def to_the_point(rng: random.Random, chinese: bool) -> Row:
    """The bare answer to an instruction, against the question said back."""
    asked = conversations.instruction_row(rng, chinese)
    return compared(asked, asked["instruction"])


def sample(rng: random.Random, count: int) -> list[Row]:
    """So many different questions, each compared once, the four kinds and both languages in turn."""
    makers = [right_over_wrong, kind_over_curt, own_language, to_the_point, right_over_wrong]
    found: dict[tuple[str, str], Row] = {}
    turn = 0
    while len(found) < count:
        made = makers[turn % len(makers)](rng, chinese=turn % 2 == 0)
        if made["chosen"] != made["rejected"]:
            found.setdefault((made["instruction"], made["input"]), made)
        turn += 1
    return list(found.values())
