"""ONNX by torch's own exporter: one graph that reads a text whole or token by token, with keys and values handed on.

It counts as written only when ONNX Runtime gives the same logits as torch.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from typing import Any

from studio.args.fields import Group, arg
from studio.errors import Problem, WorkError
from studio.plugins.exporters import EXACT, Limits, merged, require
from studio.records import read_json, write_json

ORDER = 60
TAKES = ("whole", "lora")
RUNTIME = "onnxruntime"
GRAPH = "model.onnx"
_LOOK_SECONDS = 0.2
_LAST_CHARACTERS = 300
_COMPANIONS = 24 << 20
_DTYPES = ("auto", "fp32")


class OnnxArguments(Group):
    """What the graph can be handed."""

    group = "export"

    onnx_cache: bool = arg(True)


Arguments = OnnxArguments


def needs() -> None:
    """Raises InputError part_missing without ONNX, its script and its runtime."""
    require("onnx")


def write(work: Any) -> None:
    """The graph with its numbers beside it, config.json, tokenizer, template and generation settings.

    Raises StopAsked, WorkError onnx_refused, onnx_differs.
    """
    from studio.exports import speech, weights

    whole = work.into / ".whole"
    whole.mkdir()
    made = weights.stream(work.source, "fp32")
    weights.write(made, whole, 1000.0, work)
    said = _drawn(work, {"model": str(whole), "into": str(work.into), "cache": work.spec.onnx_cache})
    if work.spec.onnx_cache and not said["cache"]:
        work.say("onnx_without_cache")
    work.say("onnx_checked", difference=f"{said['difference']:.2g}")
    shutil.copyfile(whole / "config.json", work.into / "config.json")
    shutil.rmtree(whole)
    speech.write_companions(work)


def size(source: Any, spec: Any) -> int:
    """Every number in 32 bits; while it is made the merged model lies beside it."""
    from studio.exports import weights

    return int(weights.stream(source, "fp32").bytes) + _COMPANIONS


def memory(source: Any, spec: Any) -> int:
    """torch and its exporter hold the model, and so does ONNX Runtime while it is looked at."""
    from studio.exports import weights

    return (1200 << 20) + 3 * int(weights.stream(source, "fp32").bytes)


def limits(spec: Any) -> Limits:
    """The same numbers in another program."""
    return EXACT


def refuse(source: Any, spec: Any) -> list[Problem]:
    """Another dtype than the one that every ONNX Runtime computes in, and what cannot be merged."""
    found = merged.refuse(source, spec)
    if spec.export_dtype not in _DTYPES:
        found.append(Problem("onnx_dtype", "export_dtype", {"value": spec.export_dtype}))
    return found


def commands(work: Any) -> dict[str, list[str]]:
    """How ONNX Runtime opens it."""
    return {"onnxruntime": ["import onnxruntime",
                            f'session = onnxruntime.InferenceSession("{work.target / GRAPH}")',
                            "print([one.name for one in session.get_inputs()])"]}


def _drawn(work: Any, task: dict[str, Any]) -> dict[str, Any]:
    """Have a child draw the graph, so that a stop ends it at once and its memory comes back: what it reports."""
    about, log = work.into / ".task.json", work.into / ".child.log"
    write_json(about, task)
    with open(log, "wb") as lines:
        child = subprocess.Popen([sys.executable, "-m", "studio.plugins.exporters._onnx", str(about)],
                                 stdin=subprocess.DEVNULL, stdout=lines, stderr=subprocess.STDOUT)
    try:
        while child.poll() is None:
            work.stay()
            time.sleep(_LOOK_SECONDS)
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
    text = log.read_text(encoding="utf-8", errors="replace").strip()
    said = read_json(work.into / ".report.json")
    for path in (about, log, work.into / ".report.json"):
        path.unlink(missing_ok=True)
    family = (read_json(work.source.base / "config.json") or {}).get("model_type", "?")
    if said is None or "difference" not in said:
        raise WorkError("onnx_refused", family=family, reason=(said or {}).get("reason") or text[-_LAST_CHARACTERS:])
    if said["difference"] > said["allowed"]:
        raise WorkError("onnx_differs", family=family, difference=f"{said['difference']:.3g}")
    return said
