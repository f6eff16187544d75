"""`runs show`: one run: how it stands, what was changed, its checkpoints, what went wrong."""

from __future__ import annotations

from typing import Any

from studio.args import document as yaml
from studio.cli import exported
from studio.cli import told as told_of
from studio.cli.follow import FAILED
from studio.cli.runs import as_json, iso
from studio.cli.voice import Voice, number, size, table
from studio.errors import InputError
from studio.records import read_json
from studio.runs.checkpoints import checkpoints
from studio.runs.ending import told
from studio.runs.files import RunFolder
from studio.runs.store import RunStore
from studio.workspace import Workspace


def show(folder: RunFolder, workspace: Workspace, voice: Voice, *, json: bool) -> int:
    """Print the run; what is missing or corrupt is said and the rest still shown."""
    line = next(line for line in RunStore(workspace).summaries() if line.name == folder.name)
    spec, broken = _spec(folder)
    found, work = checkpoints(folder), told_of.work_of(folder)
    if json:
        voice.json(
            as_json(line)
            | {
                "train_loss": line.train_loss,
                "best_step": line.best_step,
                "seconds": round(line.seconds, 1),
                "path": str(folder.path),
                "trouble": line.trouble,
                "spec": spec,
                "checkpoints": [
                    {
                        "step": one.step,
                        "path": str(one.path),
                        "loss": one.loss,
                        "eval_loss": one.eval_loss,
                        "bytes": one.bytes,
                        "best": one.best,
                        "last": one.last,
                    }
                    for one in found
                ],
                **({"scores": told_of.result(folder, line)["scores"]} if work == "evaluate" else {}),
                **({"export": exported.result(folder, line)} if work == "export" else {}),
                **told_of.guard(folder),
                "failure": _without_traceback(folder),
                "outcome": read_json(folder.outcome),
            }
        )
        return 0
    for text in (
        *_head(voice, folder, line),
        *_trouble(voice, folder, line, broken),
        *_settings(voice, spec),
        *(_scores(voice, folder) if work == "evaluate" else _exported(voice, folder) if work == "export"
          else [*_checkpoints(voice, found), *told_of.guarded(folder, voice)]),
    ):
        voice.out(text)
    return 0


def _spec(folder: RunFolder) -> tuple[dict[str, Any], InputError | None]:
    try:
        return yaml.read(folder.spec), None
    except InputError as error:
        return {}, error


def _without_traceback(folder: RunFolder) -> dict[str, Any] | None:
    failure = read_json(folder.failure)
    return None if failure is None else {key: value for key, value in failure.items() if key != "traceback"}


def _head(voice: Voice, folder: RunFolder, line: Any) -> list[str]:
    steps = f"{line.step}/{line.total_steps}" if line.total_steps else str(line.step)
    facts = {
        "state": voice.word("runs.state", str(line.state)),
        "created": iso(line.created),
        "model": line.model,
        "method": f"{line.stage} {line.finetuning_type or line.form}".strip(),
        "dataset": ", ".join(line.dataset),
        "step": steps,
        "train_loss": number(line.train_loss),
        "best_eval_loss": number(line.best_eval_loss)
        if line.best_step is None
        else voice.say("show.at_step", loss=number(line.best_eval_loss), step=line.best_step),
        "seconds": voice.duration(line.seconds),
        "path": str(folder.path),
    }
    return [line.name, *table([(f"  {voice.say(f'runs.columns.{key}')}", value) for key, value in facts.items()])]


def _trouble(voice: Voice, folder: RunFolder, line: Any, broken: InputError | None) -> list[str]:
    from studio.cli.voice import sentences

    said = (
        told(voice.lang, line.state, read_json(folder.outcome), read_json(folder.failure)).splitlines()
        if line.state in FAILED
        else []
    )
    if line.trouble:
        said.append(voice.word("runs.trouble", line.trouble))
    if broken is not None:
        said += sentences(voice.lang, broken)
    return ["", voice.say("show.trouble"), *(f"  {sentence}" for sentence in said)] if said else []


def _settings(voice: Voice, spec: dict[str, Any]) -> list[str]:
    """The arguments that differ from their default, then the others."""
    from studio.specs import works

    known = works.declared(str(spec.get("stage", "")))
    pairs = [(name, value) for name, value in spec.items() if name in known]
    changed = [(name, value) for name, value in pairs if value != known[name].default]
    usual = [pair for pair in pairs if pair not in changed]
    lines: list[str] = []
    for key, found in (("changed", changed), ("defaults", usual)):
        if found:
            lines += ["", voice.say(f"show.{key}"), *table([(f"  {name}", yaml.line(value)) for name, value in found])]
    return lines


def _scores(voice: Voice, folder: RunFolder) -> list[str]:
    found = told_of.scores(folder, voice)
    return ["", voice.say("show.scores"), *found] if found else []


def _exported(voice: Voice, folder: RunFolder) -> list[str]:
    found = exported.lines(folder, voice)
    return ["", voice.say("show.exported"), *found] if found else []


def _checkpoints(voice: Voice, found: list[Any]) -> list[str]:
    if not found:
        return ["", voice.say("show.no_checkpoints")]
    heads = ("step", "train_loss", "eval_loss", "size")
    rows = [(*(voice.say(f"runs.columns.{key}") for key in heads), "")]
    for one in found:
        marks = [voice.say(f"show.{mark}") for mark in ("best", "last") if getattr(one, mark)]
        rows.append((str(one.step), number(one.loss), number(one.eval_loss), size(one.bytes), " · ".join(marks)))
    return ["", voice.say("show.checkpoints"), *(f"  {text}" for text in table(rows, right=(0, 1, 2, 3)))]
