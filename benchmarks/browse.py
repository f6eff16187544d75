"""A million rows browsed: what the index costs beside reading the rows once, and how soon a far row is there.

    python benchmarks/browse.py [--rows 1000000]

CPU time of one process a kind of file; the peak of its memory; the bare loop is `json.loads` (or `csv.reader`) over all
rows and nothing else.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio.data.browse import Browser, View
from studio.data.catalogue import Entry
from studio.data.edits import Edits
from studio.data.versions import Versions
from studio.workspace import Workspace

KINDS = ("jsonl", "json", "csv")
TRIES = 20


def write(folder: Path, rows: int) -> None:
    """The same rows in each kind of file, some 250 bytes a row."""
    rng = random.Random(1)
    tails = ["".join(rng.choices("abcdefgh 一二三", k=rng.randrange(20, 250))) for _ in range(1000)]
    (folder / "data").mkdir()
    with open(folder / "data" / "jsonl.jsonl", "w", encoding="utf-8") as lines, \
            open(folder / "data" / "json.json", "w", encoding="utf-8") as array, \
            open(folder / "data" / "csv.csv", "w", encoding="gb18030", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["instruction", "output"])
        for number in range(rows):
            row = {"instruction": f"question {number}", "output": tails[number % 1000]}
            text = json.dumps(row, ensure_ascii=False)
            lines.write(text + "\n")
            array.write((",\n " if number else "[\n ") + text)
            writer.writerow(row.values())
        array.write("\n]\n")


def bare(kind: str, path: Path) -> None:
    """Every row once, and nothing else."""
    if kind == "json":
        json.loads(path.read_bytes())
    elif kind == "jsonl":
        with open(path, "rb") as file:
            for line in file:
                json.loads(line)
    else:
        with open(path, encoding="gb18030", newline="") as table:
            for _ in csv.reader(table):
                pass


def cpu(work: Callable[[], object]) -> float:
    """CPU-seconds of this process for a piece of work."""
    before = time.process_time()
    work()
    return time.process_time() - before


def measure(folder: Path, kind: str) -> dict[str, float]:
    """Everything about one kind; run in a process of its own, for the peak of memory."""
    workspace = Workspace(folder)
    path = next((folder / "data").glob(f"{kind}.*"))
    entry = Entry(kind, path)
    figures = {"index": cpu(lambda: Browser.of(entry, workspace))}
    far = Browser.of(entry, workspace).index.rows * 9 // 10
    opened = sorted(_wall(lambda: Browser.of(entry, workspace).row(far)) for _ in range(TRIES))
    figures["far_row_ms"] = 1000 * opened[TRIES // 2]
    figures["far_row_slowest_ms"] = 1000 * opened[-1]
    browser = Browser.of(entry, workspace)
    figures["search"] = cpu(lambda: list(browser.search("question 99999")))
    figures["lengths"] = cpu(browser.lengths)
    figures["longest_page_ms"] = 1000 * _wall(lambda: browser.page(View(order="longest")))
    edits = Edits({far: {"instruction": "another", "output": "row"}}, {1, 2, 3})
    figures["save"] = cpu(lambda: Versions(workspace).save(kind, 1, edits))
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures["bare"] = cpu(lambda: bare(kind, path))
    return figures


def _wall(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def main() -> None:
    """Measure each kind in a process of its own and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--one", nargs=2, metavar=("FOLDER", "KIND"))
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(Path(asked.one[0]), asked.one[1])))
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), asked.rows)
        for kind in KINDS:
            done = subprocess.run([sys.executable, __file__, "--one", folder, kind], check=True, capture_output=True)
            figures = json.loads(done.stdout)
            print(f"{kind:6} index / bare loop {figures['index'] / figures['bare']:.2f}  "
                  + "  ".join(f"{name} {value:.3g}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
