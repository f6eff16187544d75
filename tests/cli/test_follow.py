"""What the command line says of a run while it follows it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from studio.cli.follow import View
from studio.cli.voice import Voice
from studio.runs.monitor import Monitor

LOG = [{"step": 2, "loss": 2.0}, {"step": 4, "loss": 1.5},
       {"step": 4, "eval_loss": 1.25, "eval_metric": 0.375, "eval_rank": -0.375, "metric": "exact_match"},
       {"step": 6, "loss": 1.0}]


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def log(folder: Path, rows: list[dict[str, object]]) -> Monitor:
    (folder / "trainer_log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "spec.yaml").write_text("stage: sft\n", encoding="utf-8")
    return Monitor(folder)


@pytest.mark.parametrize(("lang", "name"), [("en", "Exact match"), ("zh", "完全一致")])
def test_the_metric_of_a_run_stands_in_its_line_by_its_name(tmp_path: Path, lang: str, name: str) -> None:
    line = View(Voice(lang), Screen()).line(log(tmp_path, LOG).look())
    assert f" · {name} 0.375" in line and "1.25" in line


def test_a_file_gets_the_metric_at_the_step_where_it_was_measured(tmp_path: Path) -> None:
    to, monitor = io.StringIO(), log(tmp_path, LOG[:1])
    view = View(Voice("en"), to)
    view.show(monitor.look())
    log(tmp_path, LOG)
    view.show(monitor.look())
    lines = to.getvalue().splitlines()
    assert [("Exact match 0.375" in line, "evaluation loss 1.25" in line) for line in lines] == [
        (False, False), (True, True), (False, False)]


def test_a_run_without_a_metric_tells_its_loss_alone(tmp_path: Path) -> None:
    line = View(Voice("en"), Screen()).line(log(tmp_path, [LOG[0], {"step": 2, "eval_loss": 1.5}]).look())
    assert line.endswith("evaluation loss 1.5") and "match" not in line
