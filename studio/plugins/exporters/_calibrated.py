"""GPTQ and AWQ by the library gptqmodel, in a process of its own, with rows of the user to calibrate on.

Run as `python -m studio.plugins.exporters._calibrated TASK.json`; TASK has model and into (folders), method, bits,
group and rows (lists of ids).
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from studio.errors import WorkError
from studio.records import read_json, write_json

LIBRARY = "gptqmodel"
GROUPS = (128, 64, 32)
FORMATS = {"gptq": "gptq", "awq": "gemm"}
_LOOK_SECONDS = 0.2
_LAST_CHARACTERS = 300
_WEIGHTS = ("model*.safetensors", "model.safetensors.index.json", "config.json", "quantize_config.json")


def is_installed() -> bool:
    """Whether the library is there; nothing is imported."""
    return importlib.util.find_spec(LIBRARY) is not None


def write(stream: Any, work: Any) -> None:
    """Merge aside, have the library quantize that, and keep its weights and config.json.

    Raises StopAsked, InputError questions_none, WorkError quantized_failed.
    """
    from studio.exports import speech, weights

    whole, made = work.into / ".whole", work.into / ".made"
    whole.mkdir()
    weights.write(stream, whole, 1000.0, work)
    speech.write_companions(work.inside(whole))  # the library does not open a model without its tokenizer
    rows = calibration(work)
    work.say("quantized_rows", count=len(rows))
    _quantized(work, {"model": str(whole), "into": str(made), "method": work.spec.quantized_method, "rows": rows,
                      "bits": work.spec.quantized_bits, "group": group_of(stream.planned)})
    for pattern in _WEIGHTS:
        for path in sorted(made.glob(pattern)):
            path.rename(work.into / path.name)
    shutil.rmtree(whole)
    shutil.rmtree(made)


def calibration(work: Any) -> list[list[int]]:
    """The ids of rows of the dataset that is named, else of the run; those that the acceptance asks come last."""
    from studio.exports import rows

    chat, asked = work.source.chat(work.workspace), int(work.spec.acceptance_rows)
    wanted = {name: getattr(work.spec, name) for name in ("dataset", "dataset_dir")}
    spec = SimpleNamespace(**wanted, acceptance_rows=work.spec.quantized_rows + asked)
    found = [list(row.ids) for row in rows.choose(spec, work.source, work.workspace, chat).rows]
    return [*found[asked:], *found[:asked]][:work.spec.quantized_rows]


def group_of(planned: Mapping[str, Any]) -> int:
    """How many weights share a scale: as many as divide the width of every layer; -1, all of a row."""
    widths = [prod(one.shape[1:]) for name, one in planned.items()
              if len(one.shape) == 2 and any(part.isdigit() for part in name.split("."))]
    return next((group for group in GROUPS if all(width % group == 0 for width in widths)), -1)


def _quantized(work: Any, task: dict[str, Any]) -> None:
    """Have a child do the task, so that a stop ends it at once and its memory comes back."""
    about, log = work.into / ".task.json", work.into / ".child.log"
    write_json(about, task)
    with open(log, "wb") as lines:
        child = subprocess.Popen([sys.executable, "-m", __name__, str(about)], stdin=subprocess.DEVNULL, stdout=lines,
                                 stderr=subprocess.STDOUT)
    try:
        while child.poll() is None:
            work.stay()
            time.sleep(_LOOK_SECONDS)
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
    if child.returncode != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), str(child.returncode))
        raise WorkError("quantized_failed", method=task["method"].upper(), reason=last[-_LAST_CHARACTERS:])
    about.unlink()
    log.unlink()


def main(argv: Sequence[str]) -> int:
    """Quantize one model; 0 when it worked."""
    import os

    os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")  # with one, as it takes on two cores, it does not start
    import torch
    from gptqmodel import GPTQModel, QuantizeConfig

    task = read_json(Path(argv[0])) or {}
    ordered = {"act_group_aware": False} if task["group"] < 0 else {}  # which asks for groups
    how = QuantizeConfig(bits=task["bits"], group_size=task["group"], quant_method=task["method"],
                         format=FORMATS[task["method"]], **ordered)
    model = GPTQModel.load(task["model"], how, device="cuda" if torch.cuda.is_available() else "cpu")
    model.quantize([{"input_ids": row, "attention_mask": [1] * len(row)} for row in task["rows"]], batch_size=1)
    model.save(task["into"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
