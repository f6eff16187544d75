"""Pure drawing: figures, tables and amounts from values, nothing unescaped."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from studio.runs.state import State
from studio.runs.summary import RunSummary
from studio.texts import LANGUAGES
from studio.ui import amounts, plots, run_pages, status
from studio.ui.markup import Html, join, tag
from studio.ui.theme import TOKENS, stylesheet


def curve(*values: float) -> Any:
    return SimpleNamespace(steps=list(range(5, 5 * len(values) + 1, 5)), values=list(values))


def glimpse(**more: Any) -> Any:
    """A run at step 20 of 40."""
    held = {
        "name": "a-run",
        "state": State.RUNNING,
        "phase": "training",
        "stage": "sft",
        "step": 20,
        "total": 40,
        "eta_seconds": 61.0,
        "elapsed_seconds": 59.0,
        "tokens_per_second": 2310.4,
        "loss": curve(3, 2, 9, 1),
        "smoothed": curve(3, 2.5, 4, 2),
        "eval_loss": curve(2.5),
        "learning_rate": curve(1e-3, 1e-3),
        "grad_norm": curve(1.0),
        "best_eval_loss": 2.5,
        "best_step": 20,
        "failure": None,
        "outcome": None,
        "done": 0,
        "of": 0,
        "log_tail": ("a", "<b>"),
    }
    return SimpleNamespace(**{**held, **more})


def line(**more: Any) -> RunSummary:
    held: dict[str, Any] = {
        "name": "a-run",
        "state": State.FINISHED,
        "stage": "sft",
        "finetuning_type": "lora",
        "model": "starter",
        "dataset": ["arithmetic"],
        "created": 1.0,
        "step": 40,
        "total_steps": 40,
        "train_loss": 0.5,
        "best_eval_loss": 0.4,
        "best_step": 30,
        "seconds": 61.0,
        "trouble": None,
    }
    return RunSummary(**{**held, **more})


def test_a_plot_drops_no_point() -> None:
    raw, smooth, evaluation = plots.loss(glimpse(), "en")["data"]
    assert raw["y"] == [3, 2, 9, 1] and raw["x"] == [5, 10, 15, 20]
    assert raw["opacity"] < 1 <= smooth["opacity"]
    assert "markers" in evaluation["mode"]


def test_zoom_belongs_to_the_run() -> None:
    assert plots.loss(glimpse(), "en")["layout"]["uirevision"] == "a-run"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("draw", [plots.loss, plots.learning_rate, plots.gradient])
def test_an_empty_plot_says_what_will_stand_here(draw: Any, lang: str) -> None:
    for found in (
        None,
        glimpse(loss=curve(), smoothed=curve(), eval_loss=curve(), learning_rate=curve(), grad_norm=curve()),
    ):
        drawn = draw(found, lang)
        assert drawn["data"] == [] and drawn["layout"]["annotations"]


def test_every_colour_of_a_plot_is_a_token() -> None:
    spelled = str(plots.loss(glimpse(), "en"))
    used = {part.split("'")[0] for part in spelled.split("'@")[1:]}
    assert used and used <= set(TOKENS)


def test_the_stylesheet_has_every_token_twice() -> None:
    assert all(stylesheet().count(f"--{name}:") == 2 for name in TOKENS)


def test_the_status_says_step_time_and_speed() -> None:
    head = status.head(glimpse(), "en")
    assert "20 / 40" in head and "1:01" in head and "0:59" in head and "2,310" in head and "width:50.0%" in head


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"state": State.FINISHED}, "2.5"),
        ({"state": State.STOPPED}, "20"),
        ({"state": State.LOST}, "20"),
        ({"state": State.FAILED, "outcome": {"signal": "SIGKILL"}}, "SIGKILL"),
        ({"state": State.FAILED, "outcome": {"exit_code": 7}}, "7"),
        ({"state": State.FAILED, "failure": {"code": "no_such_code", "values": {}}, "outcome": {"exit_code": 3}}, "3"),
    ],
)
def test_every_end_is_a_sentence(lang: str, more: dict[str, Any], word: str) -> None:
    assert word in status.what_happened(glimpse(**more), lang)


def test_what_a_run_printed_is_text_not_html() -> None:
    assert "&lt;b&gt;" in status.log(glimpse().log_tail, "en")


def test_names_and_values_are_escaped() -> None:
    evil = '"><script>alert(1)</script>'
    assert "<script>" not in run_pages.table([line(name=evil, model=evil, dataset=[evil])], "", "-created", "", "en")
    assert "<script>" not in status.head(glimpse(name=evil), "en")
    assert tag("a", "<", href='"x"') == '<a href="&quot;x&quot;">&lt;</a>'
    assert join("<", Html("<b>")) == "&lt;<b>"


def test_the_list_is_sorted_and_searched() -> None:
    lines = [
        line(name="b", train_loss=2.0),
        line(name="a", train_loss=None),
        line(name="c", train_loss=1.0, model="/m/qwen"),
    ]

    def names(query: str, sort: str) -> list[str]:
        drawn = run_pages.table(lines, query, sort, "", "zh")
        return [part.split('"')[0] for part in drawn.split('data-run="')[1::2]]

    assert names("", "name") == ["a", "b", "c"]
    assert names("", "loss") == ["c", "b", "a"]
    assert names("QWEN 已完成", "name") == ["c"]
    assert "没有运行" in run_pages.table(lines, "nothing", "name", "", "zh")


def test_a_broken_run_is_listed_with_its_trouble() -> None:
    drawn = run_pages.table([replace(line(), state=State.LOST, trouble="spec_corrupt")], "", "name", "", "en")
    assert "problem" in drawn


def test_amounts_read_as_people_write_them() -> None:
    assert [amounts.duration(value) for value in (0, 59.6, 118, 7385, None)] == ["0:00", "1:00", "1:58", "2:03:05", "–"]
    assert [amounts.size(value) for value in (12, 1800, 503_000_000, 23.2e9)] == ["12 B", "1.8 KB", "503 MB", "23.2 GB"]
    assert [amounts.share(*pair) for pair in ((77312, 943232), (1, 1000), (1, 2), (0, 5))] == [
        "8.2 %",
        "0.1 %",
        "50 %",
        "0 %",
    ]
    assert (
        amounts.about("en", 60) == "60 s"
        and amounts.about("zh", 600) == "10 分钟"
        and amounts.about("en", 9000) == "2.5 h"
    )
