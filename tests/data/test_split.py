"""Split by seed and shares: nothing on two sides, nothing lost, and what is on no side is counted."""

from __future__ import annotations

import json
import random
import unicodedata
from pathlib import Path

import pytest

from studio.data.catalogue import Catalogue
from studio.data.split import split
from studio.data.walk import walk
from studio.errors import InputError, StopAsked
from studio.workspace import Workspace


def spoilt(text: str, rng: random.Random) -> str:
    """The same question as another hand would type it."""
    return rng.choice([text, text.upper(), f" {text}\n", text.replace(" ", "  "),
                       "".join(chr(ord(one) + 0xFEE0) if "0" <= one <= "9" else one for one in text)])


def plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    rng = random.Random(5)
    made = [{"ask": spoilt(f"what is question {rng.randrange(400)}", rng), "say": f"answer {n}"} for n in range(1000)]
    made[7:7] = [{"ask": "", "say": "x"}, {"ask": "what", "say": ""}]
    workspace = Workspace(tmp_path / "root")
    workspace.data.mkdir(parents=True)
    (workspace.data / "set.json").write_text(json.dumps(made, indent=1), encoding="utf-8")
    Catalogue(workspace).save("set", {"file_name": "set.json", "columns": {"prompt": "ask", "response": "say"}})
    return workspace


def rows(workspace: Workspace, name: str) -> list[dict[str, str]]:
    return [row for _, row, _ in walk(Catalogue(workspace).entry(name))]


def test_rows_that_ask_the_same_are_on_one_side_and_no_row_is_lost(workspace: Workspace) -> None:
    told: list[tuple[int, int]] = []
    made = split(Catalogue(workspace).entry("set"), workspace, (0.7, 0.2, 0.1), tell=lambda *far: told.append(far))
    sides = {side: rows(workspace, name) for side, name in made.names.items()}
    asked = {side: {plain(row["ask"]) for row in found} for side, found in sides.items()}
    assert not asked["train"] & asked["validation"] and not asked["train"] & asked["test"]
    assert not asked["validation"] & asked["test"]
    assert made.groups == sum(map(len, asked.values())) < 400
    usable = [row for row in rows(workspace, "set") if row["ask"] and row["say"]]
    both = [row for found in sides.values() for row in found]
    assert sorted(map(str, both)) == sorted(map(str, usable))
    assert {side: len(found) for side, found in sides.items()} == made.rows
    assert abs(made.rows["validation"] - 200) <= 5 and abs(made.rows["test"] - 100) <= 5
    assert made.left_out == {"no_question": 1, "empty_answer": 1}
    assert told[-1] == (2004, 2004)


def test_the_doctor_finds_no_question_of_one_side_in_another(tmp_path: Path) -> None:
    from studio.plugins.checks import plain as as_the_doctor_sees
    from studio.plugins.checks.overlap import _asked

    rng = random.Random(2)
    made = [{"conversations": [{"from": "system", "value": rng.choice(["a", "b", "c"])},
                               {"from": "human", "value": asked}, {"from": "gpt", "value": f"{n}"}]}
            for n, asked in enumerate(spoilt(f"Question {rng.randrange(60)}", rng) for _ in range(300))]
    workspace = Workspace(tmp_path / "root")
    workspace.data.mkdir(parents=True)
    (workspace.data / "set.jsonl").write_text("\n".join(map(json.dumps, made)), encoding="utf-8")
    names = split(Catalogue(workspace).entry("set"), workspace).names.values()
    sides = [{as_the_doctor_sees(_asked(sample)) for _, _, sample in walk(Catalogue(workspace).entry(name))}
             for name in names]
    assert all(sides) and not sides[0] & (sides[1] | sides[2]) and not sides[1] & sides[2]


def test_the_seed_decides(workspace: Workspace) -> None:
    entry = Catalogue(workspace).entry("set")
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        split(entry, workspace, (0.9, 0.1), seed, name)
    assert rows(workspace, "one_validation") == rows(workspace, "again_validation")
    assert rows(workspace, "one_validation") != rows(workspace, "two_validation")
    assert {entry.name for entry in Catalogue(workspace).entries()} & {"one_test", "one_train"} == {"one_train"}


def test_a_group_that_is_too_large_for_a_side_stays_in_train(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "root")
    workspace.data.mkdir(parents=True)
    made = [{"instruction": "the same", "output": str(n)} for n in range(90)]
    made += [{"instruction": f"another {n}", "output": "x"} for n in range(10)]
    (workspace.data / "set.jsonl").write_text("\n".join(map(json.dumps, made)), encoding="utf-8")
    found = split(Catalogue(workspace).entry("set"), workspace, (0.9, 0.05, 0.05))
    assert found.rows == {"train": 90, "validation": 5, "test": 5}


def test_a_taken_name_wrong_shares_too_few_rows_and_a_stop_leave_nothing(workspace: Workspace) -> None:
    entry = Catalogue(workspace).entry("set")
    (workspace.data / "taken_test.jsonl").write_text("{}\n", encoding="utf-8")
    (workspace.data / "one.jsonl").write_text('{"instruction": "a", "output": "b"}\n' * 5, encoding="utf-8")
    before = sorted(path.name for path in workspace.data.iterdir())
    listed = (workspace.data / "dataset_info.json").read_bytes()
    for code, act in (("make_name_taken", lambda: split(entry, workspace, name="taken")),
                      ("split_shares", lambda: split(entry, workspace, (0.5, -1))),
                      ("split_shares", lambda: split(entry, workspace, (1.0,))),
                      ("split_too_few", lambda: split(Catalogue(workspace).entry("one"), workspace))):
        with pytest.raises(InputError) as error:
            act()
        assert error.value.code == code
    with pytest.raises(StopAsked):
        split(entry, workspace, should_stop=lambda: True)
    assert sorted(path.name for path in workspace.data.iterdir()) == before
    assert (workspace.data / "dataset_info.json").read_bytes() == listed


def test_a_side_that_cannot_be_made_takes_the_others_back(workspace: Workspace, monkeypatch) -> None:
    from studio.data import split as module

    settle = module.settle

    def late(workspace, name, *more):
        if name.endswith("_test"):
            raise InputError("make_name_taken", name=name)
        return settle(workspace, name, *more)

    monkeypatch.setattr(module, "settle", late)
    before = sorted(path.name for path in workspace.data.iterdir())
    with pytest.raises(InputError):
        split(Catalogue(workspace).entry("set"), workspace)
    assert sorted(path.name for path in workspace.data.iterdir()) == before
    assert "set_train" not in (workspace.data / "dataset_info.json").read_text(encoding="utf-8")
