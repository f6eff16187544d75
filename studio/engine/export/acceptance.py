"""The acceptance test of an export: its source and what was made of it replay the same rows, each in its own child.

One model is in memory at a time, and a program that dies takes nothing with it. Whatever is found, `acceptance.json`
is written beside the artefact.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.data import model
from studio.data.chat import ChatTokenizer
from studio.engine.export.replay import FAILED, MISSING
from studio.engine.job import Job
from studio.errors import StopAsked, StudioError
from studio.exports import acceptance
from studio.exports.acceptance import NAME
from studio.exports.comparison import ANSWERS, Replay, measure
from studio.exports.rows import HELD_OUT, Row, Rows, choose
from studio.exports.work import Work
from studio.plugins import exporters
from studio.records import read_json, write_json
from studio.runs.forecast import PROCESS_BYTES, free_memory

SOURCE, RESULT = "source", "result"
PARTS = {"llama_cpp": "llama-cpp", "onnxruntime": "onnx"}  # which optional part brings a runtime
KEPT_BYTES = 128 * 2**20  # of the logits of each side that are compared number by number
_LOOK_SECONDS, _LEAVE_SECONDS = 0.1, 3.0
_LAST_CHARACTERS = 300


def accept(job: Job, work: Work) -> dict[str, Any]:
    """Whether what stands in `work.into` is its source still, as acceptance.json has it; raises StopAsked."""
    began, recorder = time.monotonic(), job.recorder
    form = exporters.innermost(work.spec)
    recorder.phase("accepting", step=0, total=0, name="", eta_seconds=None)
    room = job.folder.path / "acceptance"
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir(parents=True)
    try:
        told = _tested(job, work, form, room)
    finally:
        shutil.rmtree(room, ignore_errors=True)
    verdict = {"state": told.pop("state"), "form": work.spec.export_to, "runtime": form.RUNTIME, **told, **work.notes(),
               "seconds": round(time.monotonic() - began, 2)}
    write_json(work.into / NAME, verdict)
    recorder.say("accepted", verdict=acceptance.told(recorder.lang, verdict)[0])
    return verdict


def _tested(job: Job, work: Work, form: Any, room: Path) -> dict[str, Any]:
    source = work.source
    try:
        chat = source.chat(work.workspace)
        chosen = choose(work.spec, source, work.workspace, chat, job.stop.asked)
    except StopAsked:
        raise
    except StudioError as error:
        return {"rows": 0, "from": None, **acceptance.unchecked("no_rows", reason=f"@errors.{error.code}"), "notes": []}
    about = {"rows": len(chosen.rows), "from": {"origin": chosen.origin, "names": list(chosen.names),
                                                "why": chosen.why}}
    rows = _with_kept(chosen.rows, max(chat.vocabulary, model.vocabulary(source.base)))
    write_json(room / "rows.json", [row.plain() for row in rows])
    notes = _notes(chosen, work)
    lacking = _lacking_memory(work)
    if lacking:
        return {**about, **acceptance.unchecked("memory_short", **lacking), "notes": notes}
    parts = [{"folder": str(part.folder), "kind": part.kind, "weight": part.weight} for part in source.parts]
    tasks = {RESULT: {"runtime": form.RUNTIME, "opens": str(opened(work)), "base": str(source.base)},
             SOURCE: {"runtime": "studio", "opens": str(source.base), "parts": parts, "ends": list(chat.eos_ids)}}
    for place, (name, task) in enumerate(tasks.items()):  # the result first: it may not open at all
        failed = _replayed(job, room, name, task, (place * len(rows), len(tasks) * len(rows)))
        if failed:
            return {**about, **_verdict_of(name, form.RUNTIME, failed), "notes": notes}
    replays = [Replay.read(room / name) for name in (SOURCE, RESULT)]
    return {**about, **_judged(rows, replays, form, work, chat), "notes": notes}


def _judged(rows: Sequence[Row], replays: Sequence[Replay], form: Any, work: Work, chat: ChatTokenizer) \
        -> dict[str, Any]:
    """What was measured and what it is worth; end tokens are called by their names."""
    found = measure(rows, *replays)
    state, reasons = acceptance.judge(found, form.limits(work.spec))
    for one in reasons:
        if one["code"] == "end_lost":
            one["value"] = [str(chat.tokenizer.id_to_token(end)) for end in one["value"]]
    return {"state": state, **found, "reasons": [{**one, "runtime": form.RUNTIME} for one in reasons]}


def opened(work: Work) -> Path:
    """What the runtime opens: inside whatever holds the form."""
    place, form = work.into, exporters.exporter(work.spec.export_to)
    while True:
        place = form.opened(place) if hasattr(form, "opened") else place
        if not hasattr(form, "inside"):
            return place
        form = exporters.exporter(form.inside(work.spec))


def _with_kept(rows: Sequence[Row], vocabulary: int) -> tuple[Row, ...]:
    """The rows with the places whose logits are kept: all of them, or evenly as many as there is room for."""
    most = max(1, KEPT_BYTES // (4 * max(1, vocabulary)) // len(rows))
    found = []
    for row in rows:
        stride = -(-len(row.asked) // most)
        found.append(replace(row, kept=tuple(range(0, len(row.asked), stride))))
    return tuple(found)


def _notes(chosen: Rows, work: Work) -> list[dict[str, Any]]:
    """What is to be known of the rows and of the source."""
    found: list[dict[str, Any]] = []
    if chosen.origin not in (HELD_OUT, "dataset"):
        found.append({"code": "shipped_rows", "reason": f"@errors.{chosen.why}"} if chosen.why
                     else {"code": "shipped_rows_plain"})
    if work.source.quantization_bit:
        found.append({"code": "trained_quantized", "bits": work.source.quantization_bit})
    return found


def _lacking_memory(work: Work) -> dict[str, Any]:
    """{needed, free} in gigabytes when the source in float32 has no room; {} when it has."""
    try:
        facts = model.inspect(work.source.base)
    except StudioError:  # a base that is stored in 4 or 8 bits, whose size is not told by its file's header
        return {}
    needed, free = PROCESS_BYTES + 4 * facts.parameters, free_memory(work.spec.devices)
    if free is None or needed <= free:
        return {}
    return {"needed": round(needed / 1e9, 1), "free": round(free / 1e9, 1)}


def _verdict_of(name: str, runtime: str, failed: Mapping[str, Any]) -> dict[str, Any]:
    """What a child that did not get through means."""
    code, reason = str(failed.get("code")), str(failed.get("reason") or "–")
    if code == "out_of_memory":
        return acceptance.unchecked("memory_gone", runtime=runtime)
    if name == SOURCE:
        return acceptance.unchecked("source_unread", reason=reason)
    if code == MISSING:
        if runtime not in PARTS:
            return acceptance.unchecked("runtime_lacks", runtime=runtime, reason=reason)
        return acceptance.unchecked("runtime_missing", runtime=runtime, name=reason, part=PARTS[runtime])
    if code == "died":
        return acceptance.refused("runtime_died", runtime=runtime, reason=reason)
    return acceptance.refused("runtime_refused", runtime=runtime, reason=reason)


# ---- children ----

def _replayed(job: Job, room: Path, name: str, task: Mapping[str, Any], counts: tuple[int, int]) -> dict[str, Any]:
    """Have a child replay; {} when it got through, else {code, reason}; raises StopAsked.

    `counts` are the rows that were replayed before, and those that are in all.
    """
    into, config, log = room / name, room / f"{name}.json", room / f"{name}.log"
    into.mkdir()
    write_json(config, {**task, "rows": str(room / "rows.json"), "into": str(into)})
    done, total = counts
    with open(log, "wb") as said:
        child = subprocess.Popen([sys.executable, "-m", "studio.engine", "replay", str(config)], stdin=subprocess.PIPE,
                                 stdout=said, stderr=said, env={**os.environ, "STUDIO_REPLAY_PARENT": "1"})
        try:
            while child.poll() is None:
                if job.stop.asked():
                    raise StopAsked("accepting")
                job.recorder.progress(step=done + _lines(into / ANSWERS), total=total, name=str(task["runtime"]))
                time.sleep(_LOOK_SECONDS)
        finally:
            _end(child)
    if child.returncode == 0:
        return {}
    failed = read_json(into / FAILED)
    if failed is None:
        return {"code": "died", "reason": _how_it_ended(child.returncode, log)}
    print(log.read_text(encoding="utf-8", errors="replace")[-2000:], flush=True)
    return failed


def _lines(path: Path) -> int:
    try:
        with open(path, "rb") as file:
            return sum(1 for _ in file)
    except FileNotFoundError:
        return 0


def _how_it_ended(code: int, log: Path) -> str:
    """The signal's name, else the last line that was said."""
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return str(code)
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), str(code))[-_LAST_CHARACTERS:]


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        child.stdin.close()
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


