"""`demo`: the starter model learns a task that it does not know; scored before and after, then taken home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from studio.cli import exported
from studio.cli.follow import FAILED, ending, follow, stream
from studio.cli.signals import Left, Presses
from studio.cli.voice import Voice, cut, table
from studio.cli.words import Call, Option, Verb
from studio.errors import WorkError
from studio.runs.files import RunFolder
from studio.workspace import PROJECT, STARTER, Workspace

RECIPE = {
    "model_name_or_path": STARTER,
    "stage": "sft",
    "finetuning_type": "lora",
    "dataset": ["number_words"],
    "lora_rank": 8,
    "lora_alpha": 16,
    "learning_rate": 5e-3,
    "num_train_epochs": 10,
    "per_device_train_batch_size": 8,
    "logging_steps": 50,
}
HELD_OUT = "number_words_heldout"
EXPORT = {"stage": "export", "export_to": "merged"}
SHOWN = 6
PROMPT_COLUMNS, ANSWER_COLUMNS = 34, 34


def work(call: Call) -> int:
    """Score, train, score again, export; 0 when all of it worked and the export is the model that was trained."""
    voice, workspace, began = Voice(call.lang), Workspace.at(call.root), time.monotonic()
    to = stream(call.has("json"))
    questions = _questions(workspace)
    _write(to, voice.say("demo.intro"), "", voice.say("demo.before", count=len(questions)))
    before = _answers(voice, to, questions, workspace.starter)
    rows = len(_rows(workspace.shipped_data / "number_words.json"))
    _write(to, voice.say("demo.train", rows=rows))
    with Presses() as presses:
        try:
            folder, glimpse = _trained(workspace, voice, presses, to)
        except Left as left:
            return left.exit_code
    if glimpse.state != "finished":
        return _broken(folder, glimpse, voice)
    _write(to, voice.say("demo.after"))
    after = _answers(voice, to, questions, workspace.starter, _adapter(folder))
    result = {
        "exact_match_before": _score(questions, before),
        "exact_match_after": _score(questions, after),
        "seconds": round(time.monotonic() - began, 1),
        "run": folder.name,
    }
    _write(to, "", *_side_by_side(voice, questions, before, after), "", *_told(voice, result, len(questions)))
    with Presses() as presses:
        try:
            home, glimpse = _exported(folder, workspace, voice, presses, to)
        except Left as left:
            return left.exit_code
    if glimpse.state != "finished":
        return _broken(home, glimpse, voice)
    _write(to, *exported.ending(home, glimpse, voice), "", voice.say("demo.next", run=folder.name))
    if call.has("json"):
        voice.json(result | {"export": exported.result(home, glimpse)})
    return int(exported.is_failed(home))


def _broken(folder: RunFolder, glimpse: Any, voice: Voice) -> int:
    """Tell of a run that did not get to its end."""
    tell = voice.aside if glimpse.state in FAILED else voice.out
    for line in ending(folder, glimpse, voice):
        tell(line)
    return 1


def _exported(run: RunFolder, workspace: Workspace, voice: Voice, presses: Presses, to: TextIO,
              ) -> tuple[RunFolder, Any]:
    """What was learned, as a model of its own that other programs open."""
    from studio.exports.admission import admit
    from studio.runs.start import start
    from studio.runs.store import RunStore

    _write(to, "", voice.say("demo.export"))
    folder = RunStore(workspace).create(admit({**EXPORT, "model_name_or_path": run.name}, workspace))
    start(folder, workspace, lang=voice.lang)
    return folder, follow(folder, voice, presses, to)


def _trained(workspace: Workspace, voice: Voice, presses: Presses, to: TextIO) -> tuple[RunFolder, Any]:
    from studio.runs.start import start
    from studio.runs.store import RunStore
    from studio.specs.train import check

    folder = RunStore(workspace).create(check(RECIPE))
    start(folder, workspace, lang=voice.lang)
    _write(to, voice.say("follow.started", run=folder.name))
    return folder, follow(folder, voice, presses, to)


def _adapter(folder: RunFolder) -> Path:
    from studio.runs.checkpoints import result

    found = result(folder)
    if found is None:
        raise WorkError("run_no_checkpoint", name=folder.name)
    return found.path


def _questions(workspace: Workspace) -> list[tuple[str, str]]:
    """(question, right answer) of every held-out row."""
    return [(row["instruction"], row["output"]) for row in _rows(workspace.shipped_data / f"{HELD_OUT}.json")]


def _rows(path: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _answers(voice: Voice, to: TextIO, questions: Sequence[tuple[str, str]], *folders: Path) -> list[str]:
    """What the model in `folders` (model, adapter) says to each question; raises WorkError answering_failed."""
    text = "".join(
        json.dumps({"messages": [{"role": "user", "content": question}]}, ensure_ascii=False) + "\n"
        for question, _ in questions
    )
    handle, name = tempfile.mkstemp(prefix="studio-demo-", suffix=".log")
    with open(handle, "wb") as log, tempfile.TemporaryFile("w+b") as asked:
        asked.write(text.encode())
        asked.seek(0)
        command = [sys.executable, "-P", "-m", "studio.engine.answer", *map(str, folders)]
        child = subprocess.Popen(
            command, stdin=asked, stdout=subprocess.PIPE, stderr=log, env=_environment(), encoding="utf-8"
        )
        try:
            found = _heard(child, voice, to, len(questions))
        finally:
            child.kill()
            child.wait()
    if len(found) != len(questions):
        said = Path(name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise WorkError("answering_failed", reason=said[-1] if said else "?", log=name)
    Path(name).unlink()
    return found


def _environment() -> dict[str, str]:
    """The user's own, in which the studio is found from every folder."""
    paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"OMP_WAIT_POLICY": "passive", **os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _heard(child: subprocess.Popen[str], voice: Voice, to: TextIO, count: int) -> list[str]:
    """The answers as they come, with a line now and then on how many there are."""
    found: list[str] = []
    assert child.stdout is not None
    for line in child.stdout:
        found.append(json.loads(line)["answer"])
        if len(found) % 50 == 0 or len(found) == count:
            _write(to, voice.say("demo.asked", done=len(found), count=count))
    child.wait()
    return found


def _score(questions: Sequence[tuple[str, str]], answers: Sequence[str]) -> float:
    """The share of answers that are exactly the right ones."""
    return round(sum(right == said for (_, right), said in zip(questions, answers, strict=True)) / len(questions), 4)


def _side_by_side(
    voice: Voice, questions: Sequence[tuple[str, str]], before: Sequence[str], after: Sequence[str]
) -> list[str]:
    """The first questions of each language with both answers."""
    chinese = [place for place, (question, _) in enumerate(questions) if not question.isascii()][: SHOWN // 2]
    english = [place for place, (question, _) in enumerate(questions) if question.isascii()][: SHOWN // 2]
    rows = [tuple(voice.say(f"demo.columns.{name}") for name in ("question", "before", "after", "right"))]
    for place in (*english, *chinese):
        question, right = questions[place]
        rows.append(
            (
                cut(question, PROMPT_COLUMNS),
                cut(_line(before[place]), ANSWER_COLUMNS),
                cut(_line(after[place]), ANSWER_COLUMNS),
                cut(right, ANSWER_COLUMNS),
            )
        )
    return table(rows)


def _line(text: str) -> str:
    return " ".join(text.split())


def _told(voice: Voice, result: dict[str, Any], count: int) -> list[str]:
    before, after = (f"{100 * result[f'exact_match_{when}']:.3g}" for when in ("before", "after"))
    return [
        voice.say("demo.scores", before=before, after=after, count=count),
        voice.say("demo.took", duration=voice.duration(result["seconds"]), run=result["run"]),
    ]


def _write(to: TextIO, *lines: str) -> None:
    for line in lines:
        print(line, file=to, flush=True)


VERBS = (Verb("demo", (Option("json"),), work),)
