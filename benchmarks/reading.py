"""What reading rows costs beside tokenising them, in CPU time of one process and as a share, kind by kind of file.

    python benchmarks/reading.py alpaca_data.json.xz TOKENIZER_FOLDER [--rounds 3]

The file is unpacked, read twice over (100,000 rows of Alpaca) and written anew in every kind. Tokenising is a bare
`tokenizers.encode_batch` loop over prompt and answer with one thread, without template and mask: the least it can cost.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from studio.data import reading

BATCH = 512


def written(rows: list[dict[str, Any]], folder: Path) -> list[Path]:
    """The rows in every kind of file."""
    import pyarrow
    from pyarrow import parquet

    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    (folder / "lines.jsonl").write_bytes(lines)
    (folder / "array.json").write_text(json.dumps(rows, ensure_ascii=False, indent=4), encoding="utf-8")
    (folder / "lines.jsonl.gz").write_bytes(gzip.compress(lines, 6))
    (folder / "lines.jsonl.zst").write_bytes(pyarrow.compress(lines, "zstd", asbytes=True))
    (folder / "wide.jsonl").write_bytes(lines.decode().encode("utf-16"))
    with open(folder / "table.csv", "w", encoding="gb18030", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "columns.parquet")
    return sorted(folder.iterdir())


def cpu(work: Callable[[], None]) -> float:
    """CPU-seconds of this process for a piece of work."""
    before = time.process_time()
    work()
    return time.process_time() - before


def tokenised(rows: list[dict[str, Any]], folder: Path) -> None:
    """The bare loop."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for start in range(0, len(rows), BATCH):
        tokenizer.encode_batch(["\n".join(map(str, row.values())) for row in rows[start:start + BATCH]])


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    once = list(reading.rows(asked.file))
    rows = list(itertools.chain(once, once))
    with tempfile.TemporaryDirectory() as place:
        paths = written(rows, Path(place))
        tokenising = min(cpu(lambda: tokenised(rows, asked.tokenizer)) for _ in range(asked.rounds))
        print(f"{len(rows)} rows; tokenising {tokenising:.2f} CPU-s, {tokenising / len(rows) * 1e6:.1f} us a row")
        for path in paths:
            took = min(cpu(lambda: sum(1 for _ in reading.rows(path))) for _ in range(asked.rounds))  # noqa: B023
            print(f"{path.name:18} {took:6.2f} CPU-s {took / len(rows) * 1e6:6.1f} us a row {took / tokenising:7.1%}")


if __name__ == "__main__":
    main()
