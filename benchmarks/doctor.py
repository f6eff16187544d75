"""The doctor over 250,000 rows: peak memory, rows per CPU-second, how soon it stops: `doctor.py [FILE] [--rows N]`.

FILE is an instruction set as a JSON array (Alpaca is the usual one); without it rows are made of the shipped samples'
words. The set is repeated until there are N rows; in every copy but the first three words in ten are exchanged, so that
rows are neither the same nor strangers. Each figure is that of a process of its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import lzma
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from materials import rows as made
from measure import PROJECT, environment

EXCHANGED = 0.3


def varied(rows: list[dict[str, str]], count: int) -> Iterator[dict[str, str]]:
    """`count` rows: the set once as it is, then copies with words exchanged; the same for every call."""
    chance = random.Random(0)
    words = [word for row in rows for word in row["output"].split()][:100_000]
    for place in range(count):
        row = rows[place % len(rows)]
        if place >= len(rows):
            row = {name: exchanged(text, words, chance) for name, text in row.items()}
        yield row


def exchanged(text: str, words: list[str], chance: random.Random) -> str:
    """A text with some of its words exchanged for others."""
    return " ".join(chance.choice(words) if chance.random() < EXCHANGED else word for word in text.split())


def examine(path: Path, with_tokens: bool) -> None:
    """Examine a file and print the figures as JSON; this is what the child process does."""
    from studio.data.catalogue import Entry
    from studio.data.chat import ChatTokenizer
    from studio.data.doctor import examine as doctor

    told: list[float] = []
    chat = ChatTokenizer.load(PROJECT / "data" / "starter") if with_tokens else None
    with tempfile.TemporaryDirectory() as folder:
        report = doctor(Entry("bench", path), chat=chat, folder=Path(folder) / "report",
                        tell=lambda done, total: told.append(time.process_time()))
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = int(next(line for line in Path("/proc/self/status").read_text().splitlines()
                    if line.startswith("VmHWM")).split()[1])
    print(json.dumps({"rows": report.rows, "cpu_seconds": used.ru_utime + used.ru_stime, "peak_mb": peak / 1024,
                      "longest_silence_cpu_seconds": max(b - a for a, b in itertools.pairwise(told)),
                      "problems": {one.code: one.count for one in report.problems}}))


def main(argv: list[str]) -> None:
    """Make the file and measure."""
    if argv[:1] == ["--examine"]:
        examine(Path(argv[1]), argv[2] == "tokens")
        return
    options = argparse.ArgumentParser()
    options.add_argument("file", nargs="?", type=Path)
    options.add_argument("--rows", type=int, default=250_000)
    chosen = options.parse_args(argv)
    read = lzma.open if chosen.file and chosen.file.suffix == ".xz" else open
    rows = json.loads(read(chosen.file, "rb").read()) if chosen.file else made(20_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.jsonl"
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in varied(rows, chosen.rows))
        print(f"{chosen.rows:,} rows, {os.path.getsize(path) / 1e6:.0f} MB")
        for kind in ("words", "tokens"):
            done = subprocess.run([sys.executable, __file__, "--examine", str(path), kind], capture_output=True,
                                  text=True, env=environment(), check=True)
            found = json.loads(done.stdout)
            pace, silence = found["rows"] / found["cpu_seconds"], found["longest_silence_cpu_seconds"]
            print(f"{kind:8} {found['peak_mb']:6.0f} MB at most   {pace:6.0f} rows per CPU-second   "
                  f"longest silence {silence:.1f} CPU-s   {found['problems']}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
