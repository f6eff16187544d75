"""CPU-milliseconds of one look at a run by the length of its log, figure included: `monitor_tick.py`.

A tick reads two new lines; `first` is the first look at the whole log, as when a page is opened on an old run.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path

from measure import PROJECT

from studio.runs.monitor import Monitor
from studio.ui import plots

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
TICKS = 9


def line(step: int) -> str:
    """One line of the trainer log."""
    loss = 2 + 3 / (1 + step / 100) + step * 7919 % 1000 / 2000
    return json.dumps({"step": step, "epoch": step / 100, "time": 1.7e9 + step, "loss": loss, "learning_rate": 1e-4,
                       "grad_norm": 1.0, "tokens": step * 800, "tokens_per_second": 900.0}) + "\n"


def ticks(size: int) -> tuple[float, float]:
    """(median milliseconds of a tick with its figure, milliseconds until the first look had caught up)."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        (run / "spec.yaml").write_text("schema_version: 1\nstage: sft\n")
        (run / "progress.json").write_text(json.dumps({"phase": "training", "step": size, "total": size * 2}))
        (run / "trainer_log.jsonl").write_text("".join(line(step + 1) for step in range(size)))
        monitor = Monitor(run)
        start = time.process_time()
        while getattr(monitor.look(), "catching_up", False):
            continue
        first, costs = time.process_time() - start, []
        for tick in range(TICKS):
            with (run / "trainer_log.jsonl").open("a") as log:
                log.write(line(size + 2 * tick + 1) + line(size + 2 * tick + 2))
            start = time.process_time()
            plots.loss(monitor.look(), "en")
            costs.append(time.process_time() - start)
        return statistics.median(costs) * 1000, first * 1000


if __name__ == "__main__":
    print(f"{PROJECT.name}: one look at a run, its figure included\n")
    print("| lines | tick, CPU-ms | first, CPU-ms |\n| ---: | ---: | ---: |")
    for size in SIZES:
        tick, first = ticks(size)
        print(f"| {size:,} | {tick:.1f} | {first:.0f} |", flush=True)
