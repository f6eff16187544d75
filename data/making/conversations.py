"""The endless, seeded stream of conversations that the starter model is trained on, and its held-out questions."""

from __future__ import annotations

import random
from collections.abc import Iterator

from making import arithmetic, instructions, talk
from making.split import Row, prompt_is_held_out

Message = dict[str, str]

SYSTEM = {
    False: ["You are a helpful assistant.", "You are Starter, a small language model.", "Answer briefly."],
    True: ["你是一个乐于助人的助手。", "你是 Starter，一个很小的语言模型。", "请简短回答。"],
}
SIGN_WEIGHTS = {"+": 40, "-": 32, "×": 16, "÷": 12}


def sum_row(rng: random.Random) -> Row:
    """A problem whose operand pair is not held out, one in five with decimals."""
    while True:
        sign = rng.choices(list(SIGN_WEIGHTS), list(SIGN_WEIGHTS.values()))[0]
        task = arithmetic.problem(rng, sign, decimals=rng.random() < 0.2)
        if not arithmetic.is_held_out(task):
            return arithmetic.ask(rng, task, chinese=rng.random() < 0.5)


def instruction_row(rng: random.Random, chinese: bool, held_out: bool = False) -> Row:
    """An instruction from the asked side of the split."""
    while True:
        found = instructions.one(rng, chinese)
        if prompt_is_held_out(found) == held_out:
            return found


def echo_row(rng: random.Random) -> Row:
    """Something to say back, so that no byte and no word stays untouched: loose words, odd text, other questions."""
    while True:
        dice, chinese = rng.random(), rng.random() < 0.5
        if dice < 0.5:
            said = instructions.loose_words(rng)
        elif dice < 0.75:
            said = instructions.strange_text(rng)
        else:
            said = rng.choice([sum_row(rng), instruction_row(rng, chinese), talk.one(rng, chinese)])["instruction"]
        found = instructions.echo(rng, said)
        if not prompt_is_held_out(found):
            return found


def any_row(rng: random.Random) -> Row:
    """Sums in two of three, simple instructions in a quarter, small talk and echoes in the rest."""
    dice, chinese = rng.random(), rng.random() < 0.5
    if dice < 0.64:
        return sum_row(rng)
    if dice < 0.71:
        return echo_row(rng)
    return instruction_row(rng, chinese) if dice < 0.91 else talk.one(rng, chinese)


def question(found: Row) -> str:
    """Instruction and input as one user message, joined as the alpaca format joins them."""
    return "\n".join(part for part in (found["instruction"], found["input"]) if part)


def conversation(rng: random.Random) -> list[Message]:
    """One to four turns, one conversation in eight with a system message."""
    messages = []
    if rng.random() < 0.125:
        messages.append({"role": "system", "content": rng.choice(SYSTEM[rng.random() < 0.5])})
    for _ in range(rng.choice([1, 1, 1, 2, 3, 4])):
        found = any_row(rng)
        messages.append({"role": "user", "content": question(found)})
        messages.append({"role": "assistant", "content": found["output"]})
    return messages


def stream(seed: int) -> Iterator[list[Message]]:
    """Conversations without end, the same ones for the same seed."""
    rng = random.Random(seed)
    while True:
        yield conversation(rng)


def examination(seed: int, each: int) -> dict[str, list[Row]]:
    """Questions per kind that the stream can never yield; small talk, which it does yield, is named so."""
    rng = random.Random(seed)
    kinds: dict[str, list[Row]] = {}
    for digits in (1, 2, 3):
        for sign in "+-":
            tasks: list[Row] = []
            while len(tasks) < each:
                a, b = arithmetic.whole(rng, digits), arithmetic.whole(rng, rng.randint(1, digits))
                result = a + b if sign == "+" else a - b
                task = arithmetic.Problem(str(a), sign, str(b), str(result))
                if arithmetic.is_held_out(task) or digits == 1:
                    tasks.append(arithmetic.ask(rng, task, chinese=len(tasks) % 2 == 0))
            kinds[f"{sign} {digits}-digit" + (" (seen in training)" if digits == 1 else "")] = tasks
    for sign in "×÷":
        tasks = [
            arithmetic.ask(rng, t, rng.random() < 0.5) for t in arithmetic.problems(rng, True, min(each, 40), sign)
        ]
        kinds[f"{sign} up to 99×9"] = tasks
    for sign in "+-×÷":
        found = arithmetic.problems(rng, True, min(each, 40), sign, decimals=True)
        kinds[f"{sign} decimals"] = [arithmetic.ask(rng, task, rng.random() < 0.5) for task in found]
    for name, chinese in (("en", False), ("zh", True)):
        kinds[f"instructions {name}"] = [instruction_row(rng, chinese, held_out=True) for _ in range(each)]
        kinds[f"small talk {name} (seen in training)"] = talk.everything(chinese)
    return kinds
