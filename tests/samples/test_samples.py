"""The shipped samples are what the generators write, and nothing held out was ever trained on."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "data"
CATALOGUE = json.loads((DATA / "dataset_info.json").read_text(encoding="utf-8"))
JSON_SAMPLES = sorted(name for name, entry in CATALOGUE.items() if entry["file_name"].endswith(".json"))
HELD_OUT = sorted(name for name in CATALOGUE if name.endswith("_heldout"))
EQUATION = re.compile(r"(-?[\d.]+)([-+×÷])([\d.]+)=(-?[\d.]+)")


@pytest.fixture(autouse=True)
def generators_in_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a test import the generators that live beside the samples."""
    monkeypatch.syspath_prepend(str(DATA))


def rows(name: str) -> list[dict[str, str]]:
    return json.loads((DATA / CATALOGUE[name]["file_name"]).read_text(encoding="utf-8"))


def prompts(name: str) -> set[str]:
    return {f"{row['instruction']}\n{row['input']}" for row in rows(name)}


def operands(answer: str) -> frozenset[str] | None:
    """The two numbers of an answer that is an equation."""
    found = EQUATION.fullmatch(answer)
    return frozenset((found[1], found[3])) if found else None


def operand_pairs(name: str) -> set[frozenset[str]]:
    column = "chosen" if name == "preferences" else "output"
    return {pair for row in rows(name) if (pair := operands(row[column]))}


def test_the_shipped_files_are_what_the_generators_write(tmp_path: Path) -> None:
    subprocess.run([sys.executable, DATA / "make_samples.py", "--out", tmp_path], check=True)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == sorted([entry["file_name"] for entry in CATALOGUE.values()] + ["dataset_info.json"])
    for name in written:
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), (
            f"{name} is not what make_samples.py writes"
        )


def test_every_entry_of_the_catalogue_points_at_a_file() -> None:
    assert all((DATA / entry["file_name"]).is_file() for entry in CATALOGUE.values())


def test_the_samples_stay_small() -> None:
    assert sum((DATA / entry["file_name"]).stat().st_size for entry in CATALOGUE.values()) < 1_500_000


@pytest.mark.parametrize("name", JSON_SAMPLES)
def test_every_row_is_filled_and_no_question_comes_twice_in(name: str) -> None:
    answers = ("chosen", "rejected") if CATALOGUE[name].get("ranking") else ("output",)
    for row in rows(name):
        assert set(row) == {"instruction", "input", *answers}
        assert row["instruction"].strip() and all(row[column].strip() for column in answers)
        assert len({row[column] for column in answers}) == len(answers)
    assert len(prompts(name)) == len(rows(name))


@pytest.mark.parametrize("name", HELD_OUT)
def test_no_held_out_prompt_occurs_in_any_training_file(name: str) -> None:
    for other in set(JSON_SAMPLES) - set(HELD_OUT):
        assert not prompts(name) & prompts(other)


def test_no_held_out_operand_pair_occurs_in_training_in_either_order() -> None:
    held_out = operand_pairs("arithmetic_heldout")
    assert len(held_out) > 200
    for name in set(JSON_SAMPLES) - set(HELD_OUT):
        assert not held_out & operand_pairs(name)


def test_every_equation_of_the_arithmetic_samples_is_true() -> None:
    from decimal import Decimal

    calculate = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "×": lambda a, b: a * b,
        "÷": lambda a, b: a / b,
    }
    for row in rows("arithmetic") + rows("arithmetic_heldout"):
        left, sign, right, result = EQUATION.fullmatch(row["output"]).groups()  # type: ignore[union-attr]
        assert calculate[sign](Decimal(left), Decimal(right)) == Decimal(result), row


def test_held_out_numbers_are_others_than_those_in_training_within_a_language() -> None:
    for latin in (True, False):
        seen, kept = (
            {re.search(r"\d+", row["instruction"])[0] for row in rows(name) if row["output"].isascii() == latin}  # type: ignore[index]
            for name in ("number_words", "number_words_heldout")
        )
        assert len(seen) == 500 and len(kept) == 100 and not seen & kept


def test_the_starter_model_never_trains_on_a_held_out_row() -> None:
    from making import conversations

    held_out = set().union(*(prompts(name) for name in HELD_OUT))
    pairs = operand_pairs("arithmetic_heldout")
    for messages in itertools.islice(conversations.stream(20), 200_000):  # more than its training reads
        turns = [message for message in messages if message["role"] != "system"]
        for asked, told in itertools.pairwise(turns):
            if asked["role"] == "user":
                first, _, rest = asked["content"].partition("\n")
                assert f"{first}\n{rest}" not in held_out
                assert operands(told["content"]) not in pairs


def test_the_starter_model_never_trains_on_number_words() -> None:
    from making import conversations

    asked = re.compile(r"in words|Spell the number|汉字|怎么读")
    for messages in itertools.islice(conversations.stream(20), 10_000):
        assert not any(asked.search(message["content"]) for message in messages)


def test_identity_leaves_name_and_author_open_in_both_languages() -> None:
    for latin in (True, False):
        answers = " ".join(row["output"] for row in rows("identity") if row["output"].isascii() == latin)
        assert "{{name}}" in answers and "{{author}}" in answers


@pytest.mark.parametrize(
    ("number", "english", "chinese"),
    [
        (0, "zero", "零"),
        (10, "ten", "十"),
        (12, "twelve", "十二"),
        (57, "fifty-seven", "五十七"),
        (100, "one hundred", "一百"),
        (105, "one hundred five", "一百零五"),
        (110, "one hundred ten", "一百一十"),
        (312, "three hundred twelve", "三百一十二"),
        (999, "nine hundred ninety-nine", "九百九十九"),
    ],
)
def test_numbers_are_named_as_people_name_them(number: int, english: str, chinese: str) -> None:
    from making import number_words

    assert (number_words.in_english(number), number_words.in_chinese(number)) == (english, chinese)
