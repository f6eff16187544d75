"""What every benchmark shares: the CPU-seconds of a whole process tree, interleaved rounds, one table of ratios.

A shared machine is noisy, so nothing is judged by the wall clock: contestants run in turn (A B C A B C …), each round
gives a ratio to the reference of the same round, and the median of those ratios is what counts.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("STUDIO_BENCH_HOME", Path.home() / ".cache" / "studio-benchmarks"))
PYTHON = sys.executable
LLAMAFACTORY = os.environ.get("LLAMAFACTORY_PYTHON", "")
_PR_SET_CHILD_SUBREAPER = 36
if str(PROJECT) not in sys.path:  # the benchmarks count tokens with the studio's own tokeniser
    sys.path.insert(0, str(PROJECT))


class Skipped(Exception):
    """A contestant that cannot run here; the text says why."""


def environment(**more: str) -> dict[str, str]:
    """One OpenMP thread, offline, quiet: spinning threads would measure the neighbour instead of the contestant."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "HF_HUB_OFFLINE": "1",
            "GRADIO_ANALYTICS_ENABLED": "False", "PYTHONWARNINGS": "ignore", "TOKENIZERS_PARALLELISM": "false",
            "PYTHONPATH": str(PROJECT), **more}


def cpu_seconds(command: Sequence[object], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> float:
    """User + system seconds of a command and of everything that it starts, detached processes too.

    Raises Skipped with the end of its output when it fails.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile() as output:
        code = subprocess.run([str(part) for part in command], env=dict(env or environment()), cwd=cwd,
                              stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT).returncode
        _wait_for_orphans()
        if code:
            output.seek(0)
            tail = output.read().decode(errors="replace").strip().splitlines()[-2:]
            raise Skipped(f"exit code {code}: {' / '.join(tail)[-250:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _wait_for_orphans(patience_seconds: float = 30) -> None:
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.05)
        except ChildProcessError:
            return


def last_json(command: Sequence[object], env: Mapping[str, str] | None = None) -> dict[str, float]:
    """The JSON object on the last line that a measuring child prints."""
    words = [str(part) for part in command]
    done = subprocess.run(words, env=dict(env or environment()), capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise Skipped((done.stderr or done.stdout).strip()[-250:] or f"exit code {done.returncode}")
    return dict(json.loads(lines[-1]))


def contest(title: str, contestants: Mapping[str, Callable[[], float]], reference: str, unit: str,
            arguments: Sequence[str] | None = None) -> dict[str, list[float]]:
    """Run contestants in turn and print a table: median, ratio to the reference (median over rounds), each round."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("contestants", nargs="*", choices=[*contestants, []], help="default: all")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    chosen = [name for name in contestants if not options.contestants or name in options.contestants]
    figures: dict[str, list[float]] = {name: [] for name in chosen}
    skipped: dict[str, str] = {}
    for number in range(options.rounds):
        for name in chosen:
            if name not in skipped:
                try:
                    figures[name].append(contestants[name]())
                except Skipped as why:
                    skipped[name] = str(why)
                print(f"round {number + 1}: {name}", file=sys.stderr, flush=True)
    _table(title, figures, skipped, reference, unit)
    return figures


def _table(title: str, figures: Mapping[str, list[float]], skipped: Mapping[str, str], reference: str,
           unit: str) -> None:
    print(f"\n{title}\n\n| contestant | {unit} | × {reference} | rounds |\n| --- | ---: | ---: | --- |")
    for name, values in figures.items():
        if name in skipped:
            print(f"| {name} | skipped: {skipped[name]} | | |")
            continue
        ratios = [value / base for value, base in zip(values, figures.get(reference, []), strict=False)]
        ratio = f"{statistics.median(ratios):.2f}" if ratios else ""
        rounds = " / ".join(f"{value:.3g}" for value in values)
        print(f"| {name} | {statistics.median(values):.3g} | {ratio} | {rounds} |")
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; CPU-seconds: user + system, whole process tree.")
