"""`evaluate` and `predict` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.client import Client

QUICK = ("dataset=number_words_heldout", "max_samples=6", "max_new_tokens=8", "cpu_threads=1")


def test_models_are_asked_scored_and_shown(client: Client) -> None:
    done = client("evaluate", "--models", "starter", *QUICK, "metrics=exact_match,rouge-l", "--name", "asked", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["run"], found["state"]) == ("asked", "finished")
    assert set(found["scores"]["starter"]) == {"exact_match", "rougel"}
    assert set(found["scores"]["starter"]["exact_match"]) >= {"value", "low", "high", "n"}
    assert len(Path(found["predictions"]).read_text(encoding="utf-8").splitlines()) == 6
    shown = client("runs", "show", "asked")
    assert "Exact match" in shown.stdout and "rouge-l" in shown.stdout and "Scores:" in shown.stdout
    assert json.loads(client("runs", "show", "asked", "--json").stdout)["scores"] == found["scores"]
    assert [line["stage"] for line in client.listed()] == ["evaluate"]


def test_a_file_of_questions_is_answered_into_a_file(client: Client, tmp_path: Path) -> None:
    (tmp_path / "questions.txt").write_text("Write 12 in words.\n12 + 30 = ?\n", encoding="utf-8")
    done = client("predict", "starter", str(tmp_path / "questions.txt"), "-o", str(tmp_path / "out.jsonl"),
                  "max_new_tokens=8", "cpu_threads=1")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["prompt"] for row in rows] == ["Write 12 in words.", "12 + 30 = ?"]
    assert all(row["predict"] and row["label"] == "" for row in rows)


def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_written(client: Client) -> None:
    done = client("evaluate", "--models", "base", "nobody", "dataset=nothing", "metrics=nonsense", "lora_rank=8")
    assert done.returncode == 2
    for word in ("nobody", "nothing", "nonsense", "lora_rank"):
        assert word in done.stderr
    assert not list((client.root / "saves").glob("*"))
    assert client("evaluate").returncode == 2
    assert client("predict", "starter").returncode == 2
