"""What is read from a growing run folder: everything once, no peak lost, nothing believed that is half written."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.runs.console import Console
from studio.runs.curve import MOST_POINTS, Thinned
from studio.runs.monitor import Monitor, shared
from studio.runs.series import SMOOTHING, Series
from studio.runs.state import State
from tests.runs.conftest import bytes_read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run folder as small as can be."""
    (tmp_path / "spec.yaml").write_text("schema_version: 1\nstage: sft\n")
    return tmp_path


def write(folder: Path, *rows: object, mode: str = "a", ending: str = "\n") -> None:
    with open(folder / "trainer_log.jsonl", mode) as file:
        file.write("".join((row if isinstance(row, str) else json.dumps(row)) + ending for row in rows))


def points(series: Series, name: str = "loss") -> list[tuple[int, float]]:
    series.read(10)
    curve = series.curve(name)
    return list(zip(curve.steps, curve.values, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20_000), st.integers(0, 2**32), st.lists(st.integers(1, 3000), min_size=1, max_size=30))
def test_no_peak_is_ever_lost_and_the_curve_stays_small(count: int, seed: int, cuts: list[int]) -> None:
    dice = random.Random(seed)
    values = [round(dice.gauss(0, 1), dice.choice((1, 6))) for _ in range(count)]
    thinned, place, turn = Thinned(), 0, 0
    while place < len(values):
        size = cuts[turn % len(cuts)]
        part = values[place:place + size]
        thinned.add(range(place, place + len(part)), part, part)
        place, turn = place + size, turn + 1
    kept = thinned.points()
    steps, numbers = [point[0] for point in kept], [point[1] for point in kept]
    assert len(kept) <= MOST_POINTS and steps == sorted(set(steps))
    assert min(numbers) == min(values) and max(numbers) == max(values)
    assert numbers[0] == values[0] and numbers[-1] == values[-1]
    assert all(values[step] == number for step, number in zip(steps, numbers, strict=True))
    if len(values) < MOST_POINTS // 2:
        assert numbers == values
    span = thinned.span
    for start in range(0, len(values), span):
        stretch = values[start:start + span]
        near = [number for step, number in zip(steps, numbers, strict=True) if start <= step < start + span]
        assert min(near) == min(stretch) and max(near) == max(stretch)


def test_curves_and_figures_are_read(folder: Path) -> None:
    write(folder, {"step": 1, "epoch": 0.1, "time": 10, "loss": 4.0, "learning_rate": 1e-3, "grad_norm": 2, "tokens": 9,
                   "tokens_per_second": 5.5},
          {"step": 2, "epoch": 0.2, "time": 12, "loss": 3.0, "learning_rate": 9e-4, "grad_norm": 1},
          {"step": 2, "epoch": 0.2, "time": 12, "eval_loss": 3.5}, {"step": 3, "loss": 2.0, "tokens_per_second": 7},
          {"step": 3, "eval_loss": 3.6})
    (folder / "console.log").write_text("hello\n")
    (folder / "progress.json").write_text(json.dumps({"phase": "training", "step": 3, "total": 9, "eta_seconds": 4}))
    seen = Monitor(folder).look()
    assert seen.loss.steps == [1, 2, 3] and seen.loss.values == [4.0, 3.0, 2.0]
    assert seen.eval_loss.values == [3.5, 3.6] and (seen.best_step, seen.best_eval_loss) == (2, 3.5)
    assert seen.learning_rate.values == [1e-3, 9e-4] and seen.grad_norm.values == [2, 1]
    assert (seen.phase, seen.step, seen.total, seen.tokens_per_second) == ("training", 3, 9, 7)
    assert seen.log_tail == ("hello",) and seen.state is State.QUEUED


def test_the_version_grows_only_when_something_changed(folder: Path) -> None:
    monitor = Monitor(folder)
    first = monitor.look().version
    assert monitor.look().version == first
    write(folder, {"step": 1, "loss": 1})
    assert monitor.look().version == first + 1
    assert monitor.look().version == first + 1


def test_a_half_written_last_line_waits_for_its_end(folder: Path) -> None:
    series = Series(folder / "trainer_log.jsonl")
    write(folder, {"step": 1, "loss": 1.0})
    write(folder, '{"step": 2, "lo', ending="")
    assert points(series) == [(1, 1.0)]
    write(folder, 'ss": 2.0}')
    assert points(series) == [(1, 1.0), (2, 2.0)]


def test_garbage_is_passed_over(folder: Path) -> None:
    write(folder, {"step": 1, "loss": 1.0}, "garbage", "[1]", "null", "\x00\xff", '{"loss": 3}',
          '{"step": "x", "loss": 3}', '{"step": 2, "loss": "3"}', '{"step": 3, "loss": NaN}',
          '{"step": 4, "loss": Infinity}',
          '{"step": 5, "loss": true}', "", {"step": 6, "loss": 2})
    assert points(Series(folder / "trainer_log.jsonl")) == [(1, 1.0), (6, 2)]


def test_a_line_cut_by_a_kill_does_not_swallow_the_next(folder: Path) -> None:
    write(folder, {"step": 1, "loss": 1.0}, {"step": 2, "loss": 1.0})
    write(folder, '{"step": 3, "lo', ending="")
    write(folder, {"event": "resumed", "step": 1}, {"step": 2, "loss": 7.0})
    assert points(Series(folder / "trainer_log.jsonl")) == [(1, 1.0), (2, 7.0)]


def test_a_truncated_or_replaced_log_is_read_anew(folder: Path) -> None:
    series = Series(folder / "trainer_log.jsonl")
    write(folder, {"step": 1, "loss": 1.0}, {"step": 2, "loss": 1.0})
    assert len(points(series)) == 2
    write(folder, {"step": 7, "loss": 3.0}, mode="w")
    assert points(series) == [(7, 3.0)]
    new = folder / "new"
    new.write_text('{"step": 1, "loss": 4.0}\n{"step": 2, "loss": 4.0}\n{"step": 3, "loss": 4.0}\n')
    os.replace(new, folder / "trainer_log.jsonl")
    assert len(points(series)) == 3
    (folder / "trainer_log.jsonl").unlink()
    assert points(series) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 40)), min_size=1, max_size=5), st.integers(1, 400))
def test_a_resumed_run_shows_each_step_once_whenever_it_is_looked_at(tmp_path_factory, attempts, every) -> None:
    folder = tmp_path_factory.mktemp("resumed")
    series = Series(folder / "trainer_log.jsonl")
    kept: list[tuple[int, float]] = []
    lines: list[dict] = []
    at = 0
    for number, (back, steps) in enumerate(attempts):
        if number:
            at = max(0, at - back)
            lines.append({"event": "resumed", "step": at})
        for _ in range(steps):
            at += 1
            lines.append({"step": at, "loss": float(1000 * number + at)})
    for place in range(0, len(lines), every):
        write(folder, *lines[place:place + every])
        series.read(10)
    for line in lines:
        if "event" in line:
            kept = [point for point in kept if point[0] <= line["step"]]
        else:
            kept.append((line["step"], line["loss"]))
    assert points(series) == kept
    assert points(Series(folder / "trainer_log.jsonl")) == kept


def test_the_smoothed_curve_is_the_corrected_average_at_the_same_steps(folder: Path) -> None:
    losses = [float((7 * step) % 13) for step in range(50)]
    write(folder, *({"step": step, "loss": loss} for step, loss in enumerate(losses)))
    series = Series(folder / "trainer_log.jsonl")
    points(series)
    average = weight = 0.0
    expected = []
    for loss in losses:
        average, weight = SMOOTHING * average + (1 - SMOOTHING) * loss, SMOOTHING * weight + 1 - SMOOTHING
        expected.append(average / weight)
    assert series.curve("smoothed").values == pytest.approx(expected)
    assert series.curve("smoothed").steps == series.curve("loss").steps
    assert series.curve("smoothed").values[0] == losses[0]


def test_a_look_reads_only_what_is_new_at_any_length(folder: Path) -> None:
    row = '{{"step": {0}, "epoch": 1.0, "time": {0}, "loss": 1.5, "learning_rate": 0.0001, "grad_norm": 1.0}}\n'
    for lines in (100, 200_000):
        (folder / "trainer_log.jsonl").write_text("".join(map(row.format, range(1, lines + 1))))
        monitor = Monitor(folder)
        while (seen := monitor.look()).catching_up:
            continue
        assert seen.loss.steps[-1] == lines
        for step in range(lines + 1, lines + 22):
            write(folder, row.format(step), ending="")
            before = bytes_read()
            assert monitor.look().step == step
            assert bytes_read() - before < 20_000


def test_progress_bars_are_one_line_and_colours_are_gone(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    console = Console(log)
    log.write_bytes(b"\x1b[31mred\x1b[0m text\n" + b"\r 10%|#   |\r 50%|##  |" + "半".encode()[:2])
    console.read()
    assert console.tail[:1] == ("red text",) and console.tail[1].startswith(" 50%|##  |")
    with open(log, "ab") as file:
        file.write("半".encode()[2:] + b"\r100%|####|\nnext\n")
    console.read()
    assert console.tail == ("red text", "100%|####|", "next")
    assert not console.read()


def test_the_tail_is_the_last_two_hundred_lines_of_any_log(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_text("".join(f"line {number} of a long log\n" for number in range(300_000)))
    console = Console(log)
    before = bytes_read()
    console.read()
    assert bytes_read() - before < 1_000_000 < log.stat().st_size
    assert len(console.tail) == 200 and console.tail[-1] == "line 299999 of a long log"
    log.write_text("anew\n")
    console.read()
    assert console.tail == ("anew",)


def test_broken_records_do_not_stop_the_watch(folder: Path) -> None:
    for name in ("progress.json", "failure.json", "outcome.json"):
        (folder / name).write_text("{")
    (folder / "trainer_log.jsonl").mkdir()
    (folder / "console.log").write_bytes(b"\xff\xfe\x00broken\n")
    seen = Monitor(folder).look()
    assert seen.failure is None and seen.loss.steps == [] and "broken" in seen.log_tail[0]


def test_many_tabs_share_one_monitor(folder: Path) -> None:
    assert shared(folder) is shared(str(folder))


def test_a_finished_run_looks_the_same_to_a_new_watcher(bench, waiting) -> None:
    folder = bench.started("steady", 30)
    monitor = Monitor(folder)
    looks = []
    waiting(lambda: looks.append(monitor.look()) or not looks[-1].state.is_live)
    fresh = Monitor(folder).look()
    assert fresh.loss == looks[-1].loss and fresh.state is State.FINISHED and fresh.outcome == looks[-1].outcome
    assert fresh.elapsed_seconds == pytest.approx(looks[-1].elapsed_seconds) and fresh.elapsed_seconds > 0.5
