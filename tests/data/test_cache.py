"""The cache of token rows: what was killed while it was being made is cleared away, what is being made is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from studio.data import cache
from studio.data.counts import Counts

PROJECT = Path(__file__).resolve().parents[2]
SLOW = """
import sys, time
from pathlib import Path
from studio.data import cache

def fill(writer):
    writer.write([[1, 2, 3]], [[0, 3]])
    print("made", flush=True)
    time.sleep(600)

cache.tokens(Path(sys.argv[1]) / "tokens" / "slow", fill, True)
"""


def fill(writer) -> Counts:
    writer.write([[1, 2, 3]], [[0, 3]])
    return Counts(1, 1, {}, 0, 3, 3)


def making(folder: Path) -> list[Path]:
    return list((folder / "tokens").glob(".making-*"))


def test_what_a_killed_process_left_is_cleared_away_and_what_a_living_one_makes_is_not(tmp_path: Path) -> None:
    maker = subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path)], cwd=PROJECT, stdout=subprocess.PIPE)
    assert maker.stdout is not None
    maker.stdout.readline()
    (half,) = making(tmp_path)
    os.utime(half, (time.time() - 3600, time.time() - 3600))
    cache.tokens(tmp_path / "tokens" / "one", fill, True)
    assert making(tmp_path) == [half]
    maker.send_signal(signal.SIGKILL)
    maker.wait()
    maker.stdout.close()
    cache.tokens(tmp_path / "tokens" / "two", fill, True)
    assert making(tmp_path) == []
    assert cache.tokens(tmp_path / "tokens" / "two", fill, True).counts.used == 1
