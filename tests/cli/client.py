"""The command line as a real process below a root of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
LONG = ("max_steps=20000", "save_steps=10000", "logging_steps=1", "eval_strategy=no", "max_samples=64")
SHORT = ("max_steps=4", "logging_steps=1", "max_samples=32")


@dataclass(frozen=True)
class Client:
    """Runs `python -m studio.cli … ` below one root."""

    root: Path

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "studio.cli", *words]

    def environment(self, **more: str) -> dict[str, str]:
        gone = ("STUDIO_LANG", "LC_ALL", "LC_MESSAGES", "STUDIO_TRACEBACK")
        kept = {name: value for name, value in os.environ.items() if name not in gone}
        return kept | {
            "STUDIO_ROOT": str(self.root),
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(PROJECT),
            **more,
        }

    def __call__(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            env=self.environment(**environment),
            cwd=PROJECT,
            text=True,
            capture_output=True,
            timeout=240,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
        )

    def begin(self, *words: str, **more: Any) -> subprocess.Popen[str]:
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
        return subprocess.Popen(
            self.command(*words), env=self.environment(), cwd=PROJECT, text=True, encoding="utf-8", **options
        )

    def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self("runs", "list", "--json").stdout)
        return found

    def state(self, name: str) -> str:
        return next((str(line["state"]) for line in self.listed() if line["name"] == name), "")

    def step(self, name: str) -> int:
        try:
            lines = (self.root / "saves" / name / "trainer_log.jsonl").read_text().splitlines()
        except OSError:
            return 0
        return len(lines)


def wait(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    """Until it is so; fails the test when it takes longer."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)
