"""Small engines for the tests of runs: they write what the engine writes and behave as badly as asked.

    python an_engine.py KIND FOLDER [STEPS]
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

KIND, FOLDER = sys.argv[1], Path(sys.argv[2])
STEPS = int(sys.argv[3]) if len(sys.argv) > 3 else 10**6
SLEEPER = [sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"]


def say(phase: str, step: int) -> None:
    aside = FOLDER / ".progress"
    aside.write_text(json.dumps({"phase": phase, "step": step, "total": STEPS, "eta_seconds": 1, "time": time.time()}))
    os.replace(aside, FOLDER / "progress.json")


def steady() -> int:
    """Trains, so to speak, until the steps are over or a stop is asked; writes the outcome when orphaned."""
    from studio.runs import outcome
    from studio.runs.files import RunFolder

    with open(FOLDER / "trainer_log.jsonl", "a") as log:
        for step in range(1, STEPS + 1):
            log.write(json.dumps({"step": step, "epoch": step / 100, "time": time.time(), "loss": 5 / step}) + "\n")
            log.flush()
            if (FOLDER / "stop").exists():
                say("stopped", step)
                outcome.write_if_orphaned(RunFolder(FOLDER), "stopped", exit_code=0)
                return 0
            say("training", step)
            time.sleep(0.02)
    say("finished", STEPS)
    outcome.write_if_orphaned(RunFolder(FOLDER), "finished", exit_code=0)
    return 0


def deaf() -> int:
    """Hears neither `stop` nor TERM, and neither do its children in sessions of their own."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    children = [subprocess.Popen(SLEEPER, start_new_session=True).pid for _ in range(2)]
    (FOLDER / "children").write_text(" ".join(map(str, children)))
    say("loading", 0)
    time.sleep(600)
    return 0


def polite() -> int:
    """Does not look at `stop` but dies of TERM."""
    say("tokenising", 0)
    time.sleep(600)
    return 0


def leaves_children(environment: dict | None = None) -> int:
    """Ends well but leaves a child behind in a session of its own; `environment` None passes ours on."""
    children = [subprocess.Popen(SLEEPER, start_new_session=True, env=environment).pid]
    (FOLDER / "children").write_text(" ".join(map(str, children)))
    time.sleep(0.3)
    return 0


def fails() -> int:
    (FOLDER / "failure.json").write_text(json.dumps({"code": "disk_full", "values": {"path": "x"}, "traceback": "…"}))
    return 1


def crashes() -> int:
    os.kill(os.getpid(), signal.SIGSEGV)
    return 0


def exits_three() -> int:
    return 3


if __name__ == "__main__":
    kinds = {"steady": steady, "deaf": deaf, "polite": polite, "leaves": leaves_children, "fails": fails,
             "leaves_unmarked": lambda: leaves_children({}), "crashes": crashes, "exits_three": exits_three}
    sys.exit(kinds[KIND]())
