"""The rows that an acceptance test replays are spelled as training spells them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio.exports import rows, source
from studio.exports.rows import Rows
from studio.scores import guard
from studio.specs import export
from studio.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path)
    if not (found.starter / "config.json").is_file():
        pytest.skip("needs the starter model")
    (tmp_path / "data").mkdir()
    return found


def dataset(workspace: Workspace, found: list[dict[str, Any]], **about: Any) -> str:
    """A dataset of one's own with these rows."""
    (workspace.data / "mine.json").write_text(json.dumps(found), encoding="utf-8")
    (workspace.data / "dataset_info.json").write_text(json.dumps({"mine": {"file_name": "mine.json", **about}}),
                                                      encoding="utf-8")
    return "mine"


def chosen(workspace: Workspace, **more: Any) -> Rows:
    spec = export.check({"model_name_or_path": "starter", **more})
    found = source.find(spec, workspace)
    return rows.choose(spec, found, workspace, found.chat(workspace))


def test_a_conversation_is_asked_up_to_its_last_answer_and_every_answer_is_compared(workspace: Workspace) -> None:
    talk = [{"role": role, "content": words} for role, words in
            (("user", "1 + 1 = ?"), ("assistant", "2"), ("user", "2 + 3 = ?"), ("assistant", "5"))]
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    name = dataset(workspace, [{"messages": talk}], formatting="sharegpt", columns={"messages": "messages"}, tags=tags)
    row, = chosen(workspace, dataset=[name]).rows
    chat = source.find(export.check({"model_name_or_path": "starter"}), workspace).chat(workspace)
    assert [one["content"] for one in row.turns] == ["1 + 1 = ?", "2", "2 + 3 = ?"]
    assert chat.decode(row.prompt, skip_special_tokens=False) == row.prompt_text
    assert row.ids[:len(row.prompt)] == row.prompt
    assert chat.decode([row.ids[place] for place in row.asked]) == "25"
    assert row.end in chat.eos_ids
    assert row.reference == "5"


def test_a_default_system_message_is_the_template_s_to_write_and_not_given_as_a_turn(workspace: Workspace) -> None:
    row = chosen(workspace, dataset=["arithmetic_heldout"], default_system="Be exact.", acceptance_rows=1).rows[0]
    assert "Be exact." in row.prompt_text
    assert all(one["role"] != "system" for one in row.turns)


def test_a_plain_text_asks_with_its_beginning(workspace: Workspace) -> None:
    found = chosen(workspace, dataset=["plain"], acceptance_rows=2)
    assert (found.origin, len(found.rows)) == (rows.DATASET, 2)
    for row in found.rows:
        assert row.text and not row.turns
        assert row.ids[:len(row.prompt)] == row.prompt
        assert row.asked == tuple(range(1, len(row.ids)))
        assert len(row.ids) <= rows.MOST_TOKENS


def test_a_source_without_rows_of_its_own_is_asked_the_shipped_questions_of_every_kind(workspace: Workspace) -> None:
    found = chosen(workspace, acceptance_rows=8)
    assert (found.origin, found.why, len(found.rows)) == (rows.SHIPPED, "", 8)
    items = guard.suite(workspace)
    assert len({items[row.number].area for row in found.rows}) > 4


def test_rows_that_are_longer_than_the_model_reads_are_left_out(workspace: Workspace) -> None:
    long, short = ({"instruction": words, "output": "2"} for words in ("word " * 4000, "1 + 1 = ?"))
    found = chosen(workspace, dataset=[dataset(workspace, [long, short])])
    assert [row.turns[0]["content"] for row in found.rows] == ["1 + 1 = ?"]
