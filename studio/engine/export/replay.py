"""One program opens one model and replays rows; started as a child, so that what dies there kills nothing else.

    python -m studio.engine replay CONFIG.json

CONFIG.json is a `runtimes.Task`. Written into its `into`: answers.jsonl, a line a row as soon as it is done;
logits.f32, the logits of the places that are kept; facts.json, last; failed.json where something did not work.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from studio.engine.diagnosis import diagnose
from studio.engine.export import runtimes
from studio.engine.export.runtimes import Runtime, Task
from studio.errors import StudioError
from studio.exports.comparison import ANSWERS, FACTS, LOGITS
from studio.records import write_json

FAILED = "failed.json"
MISSING = "runtime_missing"


def main(argv: Sequence[str]) -> int:
    """Replay what the configuration says; 1 when the model could not be opened or asked."""
    if os.environ.get("STUDIO_REPLAY_PARENT"):
        threading.Thread(target=_leave_with_parent, name="parent", daemon=True).start()
    task = Task.of(json.loads(Path(argv[0]).read_text(encoding="utf-8")))
    try:
        replay(task)
        return 0
    except ImportError as error:
        write_json(task.into / FAILED, {"code": MISSING, "reason": str(error.name or error)})
    except runtimes.Refused as error:
        write_json(task.into / FAILED, {"code": "refused", "reason": str(error)})
    except StudioError as error:
        write_json(task.into / FAILED, {"code": error.code, "reason": error.code,
                                        "values": {name: str(value) for name, value in error.values.items()}})
    except Exception as error:
        failed = diagnose(error)
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:300] if str(error).strip() else ''}"
        write_json(task.into / FAILED, {"code": failed.code, "reason": reason})
        print(repr(error), file=sys.stderr)
    return 1


def replay(task: Task) -> None:
    """Open the model and ask it every row; raises what opening and asking raise."""
    rows = json.loads(task.rows.read_text(encoding="utf-8"))
    task.into.mkdir(parents=True, exist_ok=True)
    runtime = runtimes.opened(task)
    with open(task.into / ANSWERS, "w", encoding="utf-8") as lines, open(task.into / LOGITS, "wb") as numbers:
        for row in rows:
            line, kept = _asked(runtime, row)
            if kept is not None:
                kept.tofile(numbers)
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")
            lines.flush()
    write_json(task.into / FACTS, {"runtime": task.runtime, "vocabulary": runtime.vocabulary,
                                   "ends": [int(one) for one in runtime.ends]})


def _asked(runtime: Runtime, row: Mapping[str, Any]) -> tuple[dict[str, Any], np.ndarray | None]:
    """What the model makes of one row, and the logits that are kept."""
    text, ids = runtime.spell(row)
    logits = runtime.logits(row["ids"], row["asked"])
    own = ids if row["turns"] and ids and max(ids) < runtime.vocabulary else row["prompt"]
    said, ended = runtime.answer(own, int(row["most"]))
    line = {"number": row["number"], "text": text, "ids": ids, "said": [int(one) for one in said],
            "ended": bool(ended), "answer": runtime.decode(said).strip()}
    if logits is None:
        return {**line, "best": [], "second": [], "gap": [], "nats": []}, None
    kept = np.ascontiguousarray(logits[list(row["kept"])], np.float32) if row["kept"] else None
    return {**line, **_figures(logits, [row["ids"][place] for place in row["asked"]])}, kept


def _figures(logits: np.ndarray, wanted: Sequence[int]) -> dict[str, Any]:
    """For every token that was asked for: the likeliest, the second, how far apart they are, nats of the right one."""
    two = np.argpartition(logits, -2, axis=1)[:, -2:]
    values = np.take_along_axis(logits, two, 1)
    order = np.argsort(values, axis=1)
    two, values = np.take_along_axis(two, order, 1), np.take_along_axis(values, order, 1)
    top = values[:, 1:].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.log(np.exp(logits - top).sum(1)) + top[:, 0]
        nats = total - logits[np.arange(len(wanted)), list(wanted)]
    return {"best": two[:, 1].tolist(), "second": two[:, 0].tolist(), "gap": (values[:, 1] - values[:, 0]).tolist(),
            "nats": [float(one) if np.isfinite(one) else None for one in nats]}


def _leave_with_parent() -> None:
    """End as soon as the process that began this one is no more: its end of the pipe closes."""
    sys.stdin.read()
    os._exit(1)
