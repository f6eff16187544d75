"""Made datasets: right answers, sides that share no pair of numbers, the same rows for the same seed."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from studio.data.catalogue import Catalogue
from studio.data.make import arithmetic, identity
from studio.data.make.arithmetic import Arithmetic
from studio.data.make.registered import register
from studio.data.walk import walk
from studio.errors import InputError
from studio.sample import Sample
from studio.workspace import Workspace

EQUATION = re.compile(r"(-?[\d.]+)([-+×÷])(-?[\d.]+)=(-?[\d.]+)")
CALCULATE = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "×": lambda a, b: a * b, "÷": lambda a, b: a / b}
EVERYTHING = Arithmetic(lowest=-30, highest=90, decimals=2, templates=arithmetic.TEMPLATES, count=1500, held_out=0.2)


def taken_apart(rows: list[dict[str, str]]) -> list[tuple[str, str, str, str]]:
    return [EQUATION.fullmatch(row["output"]).groups() for row in rows]


def pairs(rows: list[dict[str, str]]) -> set[frozenset[str]]:
    return {frozenset((left, right)) for left, _, right, _ in taken_apart(rows)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_made_equation_is_true_and_within_its_range(seed: int) -> None:
    rows = [row for side in arithmetic.make(Arithmetic(**{**vars(EVERYTHING), "seed": seed})) for row in side]
    signs = set()
    for left, sign, right, result in taken_apart(rows):
        assert CALCULATE[sign](Decimal(left), Decimal(right)) == Decimal(result)
        assert all(-30 <= Decimal(one) <= 90 for one in (left, right))
        signs.add(sign)
    assert signs == set("+-×÷") and len(rows) == 1500
    assert any("." in row["output"] for row in rows) and any("." not in row["output"] for row in rows)


@pytest.mark.parametrize("wanted", [EVERYTHING, Arithmetic(highest=12, operations=("+",), count=91, held_out=0.3)])
def test_no_pair_of_numbers_is_on_both_sides_in_either_order(wanted: Arithmetic) -> None:
    train, held = arithmetic.make(wanted)
    assert (len(train), len(held)) == (wanted.count - round(wanted.count * wanted.held_out),
                                       round(wanted.count * wanted.held_out))
    assert not pairs(train) & pairs(held)
    assert len({row["output"] for row in train + held}) == wanted.count


def test_the_seed_decides_and_another_seed_gives_others() -> None:
    assert arithmetic.make(EVERYTHING) == arithmetic.make(EVERYTHING)
    assert arithmetic.make(EVERYTHING) != arithmetic.make(Arithmetic(**{**vars(EVERYTHING), "seed": 1}))


def test_the_prompt_pairs_of_the_older_system_can_be_chosen() -> None:
    assert {"问:/答:", "计算:/回答:", "初等数学:/解析:"} <= set(arithmetic.prompt_pairs("zh"))
    rows, _ = arithmetic.make(Arithmetic(templates=("prompts",), prompts=("问:/答:",), count=50, held_out=0))
    assert all(re.fullmatch(r"问:-?\d+[-+×÷]\d+=?\n答:", row["instruction"]) for row in rows)
    rows, _ = arithmetic.make(Arithmetic(templates=("bare",), operations=("+", "*"), answer="result", count=50))
    assert all(re.fullmatch(r"\d+[+×]\d+=?", row["instruction"]) and row["output"].isdecimal() for row in rows)


def test_the_language_and_the_sign_of_results_can_be_chosen() -> None:
    english, _ = arithmetic.make(Arithmetic(languages=("en",), operations=("-",), negative=False, count=300))
    assert all(row["instruction"].replace("×", "").replace("÷", "").isascii() for row in english)
    assert all(not row["output"].rpartition("=")[2].startswith("-") for row in english)


@pytest.mark.parametrize("wanted, code", [
    (Arithmetic(operations=("^",)), "make_choice"), (Arithmetic(operations=()), "make_choice"),
    (Arithmetic(languages=("fr",)), "make_choice"),
    (Arithmetic(templates=("prompts",), prompts=("a/b",)), "make_choice"),
    (Arithmetic(count=0), "make_number"), (Arithmetic(held_out=1.0), "make_number"),
    (Arithmetic(lowest=5, highest=4), "make_range"), (Arithmetic(highest=3, count=500), "make_too_few"),
    (Arithmetic(lowest=0, highest=0, operations=("÷",), count=1), "make_too_few"),
])
def test_what_cannot_be_made_is_said(wanted: Arithmetic, code: str) -> None:
    with pytest.raises(InputError) as error:
        arithmetic.make(wanted)
    assert error.value.code == code


def test_identity_has_the_name_and_the_author_everywhere() -> None:
    rows = identity.make("小智", "示例实验室", ("zh",), seed=3)
    text = json.dumps(rows, ensure_ascii=False)
    assert "{{" not in text and "小智" in text and "示例实验室" in text and rows == identity.make(
        "小智", "示例实验室", ("zh",), seed=3)
    assert len(identity.make("A", "B")) == len(identity.open_rows()) > len(rows)
    with pytest.raises(InputError):
        identity.make(" ", "B")


def test_the_placeholders_of_both_older_files_are_filled() -> None:
    row = {"instruction": "<NAME>?", "output": "{{name}} by <AUTHOR>, {{ author }}", "history": [["{{name}}", 1]]}
    assert identity.filled(row, "N", "A") == {"instruction": "N?", "output": "N by A, A", "history": [["N", 1]]}


def test_made_rows_become_a_dataset_and_replace_none(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "root")
    train, held = arithmetic.make(Arithmetic(count=40))
    register(workspace, "sums", train)
    register(workspace, "sums_heldout", held, {"tags": {}})
    assert [row for _, row, _ in walk(Catalogue(workspace).entry("sums"))] == train
    assert all(isinstance(sample, Sample) for _, _, sample in walk(Catalogue(workspace).entry("sums_heldout")))
    for name, code in (("sums", "make_name_taken"), ("arithmetic", "make_name_taken"), ("../up", "dataset_name")):
        with pytest.raises(InputError) as error:
            register(workspace, name, train)
        assert error.value.code == code
    assert sorted(path.name for path in workspace.data.iterdir() if not path.name.startswith(".")) == [
        "dataset_info.json", "sums.jsonl", "sums_heldout.jsonl"]
