"""`runs list|show|stop|resume|rm|restore|logs`: the runs on disk, whoever started them."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from studio.cli.follow import ENDED, TICK_SECONDS
from studio.cli.signals import Left, Presses
from studio.cli.voice import Voice, cut, number, table
from studio.cli.words import Call, Option, Refused, Verb
from studio.errors import InputError, StudioError
from studio.runs.files import RunFolder
from studio.runs.store import RunStore
from studio.workspace import Workspace

NAME_COLUMNS = 48
_CHUNK_BYTES = 1 << 16
_JSON = Option("json")


def list_runs(call: Call) -> int:
    """Every run, newest first, the broken ones too."""
    voice, lines = Voice(call.lang), RunStore(Workspace.at(call.root)).summaries()
    if call.has("json"):
        voice.json([as_json(line) for line in lines])
        return 0
    if not lines:
        voice.aside(voice.say("runs.none"))
        return 0
    heads = ("name", "state", "method", "model", "step", "best_eval_loss", "created")
    rows = [tuple(voice.say(f"runs.columns.{head}") for head in heads), *(_row(voice, line) for line in lines)]
    for text in table(rows, right=(4, 5)):
        voice.out(text)
    for line in lines:
        if line.trouble:
            voice.out(voice.say("runs.trouble", run=line.name, what=voice.word("runs.trouble", line.trouble)))
    return 0


def as_json(line: Any) -> dict[str, Any]:
    """A run as `--json` gives it."""
    return {
        "name": line.name,
        "state": str(line.state),
        "stage": line.stage,
        "finetuning_type": line.finetuning_type,
        "model": line.model,
        "created": iso(line.created),
        "step": line.step,
        "total_steps": line.total_steps,
        "best_eval_loss": line.best_eval_loss,
        **({"form": line.form} if line.form else {}),
    }


def iso(seconds: float) -> str:
    """A point in time as ISO 8601 with its zone."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def _row(voice: Voice, line: Any) -> tuple[str, ...]:
    step = f"{line.step}/{line.total_steps}" if line.total_steps else str(line.step or "–")
    method = f"{line.stage} {line.finetuning_type or line.form}".strip() or "–"
    return (
        cut(line.name, NAME_COLUMNS),
        voice.word("runs.state", str(line.state)),
        method,
        cut(line.model if line.form and not Path(line.model).is_absolute() else Path(line.model).name or "–", 24),
        step,
        number(line.best_eval_loss),
        iso(line.created)[:16].replace("T", " "),
    )


def stop(call: Call) -> int:
    """Ask each run to stop and wait until it has; `--force` does not wait for it to save."""
    from studio.runs.stop import ask

    voice, folders = Voice(call.lang), _found(call)
    errors: list[StudioError] = []
    asked: list[RunFolder] = []
    for folder in folders:
        try:
            ask(folder)
            if call.has("force"):
                ask(folder)
            asked.append(folder)
        except InputError as error:
            errors.append(error)
    for folder in asked:
        voice.out(voice.say("runs.stopping", run=folder.name))
        state = _end_of(folder)
        voice.out(voice.say("runs.ended", run=folder.name, state=voice.word("runs.state", state)))
    if errors:
        raise Refused(errors)
    return 0


def _end_of(folder: RunFolder) -> str:
    """The state of a run once it has ended."""
    from studio.runs.state import state_of

    while (state := str(state_of(folder))) not in ENDED:
        time.sleep(TICK_SECONDS)
    return state


def resume(call: Call) -> int:
    """Go on with a run that was stopped, failed or lost, and follow it."""
    from studio.cli.train import stay
    from studio.runs.start import resume as go_on

    workspace = Workspace.at(call.root)
    folder = RunStore(workspace).find(call.words[0])
    with Presses() as presses:
        go_on(folder, workspace, lang=call.lang)
        return stay(folder, Voice(call.lang), presses, detach=call.has("detach"), json=call.has("json"))


def remove(call: Call) -> int:
    """Move each run into the bin and say how to get it back."""
    voice, store = Voice(call.lang), RunStore(Workspace.at(call.root))
    errors: list[StudioError] = []
    for name in call.words:
        try:
            binned = store.remove(name)
            voice.out(voice.say("runs.removed", run=binned.original))
        except InputError as error:
            errors.append(error)
    if errors:
        raise Refused(errors)
    return 0


def restore(call: Call) -> int:
    """Take each run out of the bin; without a name, say what lies there."""
    voice, store = Voice(call.lang), RunStore(Workspace.at(call.root))
    if not call.words:
        binned = store.bin()
        if not binned:
            voice.aside(voice.say("runs.bin_empty"))
        for text in table([(entry.original, iso(entry.removed)[:16].replace("T", " ")) for entry in binned]):
            voice.out(text)
        return 0
    errors: list[StudioError] = []
    for name in call.words:
        try:
            voice.out(voice.say("runs.restored", run=store.restore(name).name))
        except InputError as error:
            errors.append(error)
    if errors:
        raise Refused(errors)
    return 0


def logs(call: Call) -> int:
    """What supervisor and engine wrote; `--follow` goes on until the run has ended."""
    from studio.runs.state import state_of

    folder = RunStore(Workspace.at(call.root)).find(call.words[0])
    try:
        with Presses() as presses:
            place = _copied(folder.console, 0)
            while call.has("follow") and not presses.count:
                ended = not state_of(folder).is_live
                place = _copied(folder.console, place)
                if ended:
                    break
                time.sleep(TICK_SECONDS)
    except Left as left:
        return left.exit_code
    return 0


def _copied(path: Path, place: int) -> int:
    """Write what stands in the file from `place` on to stdout; the place behind it."""
    try:
        with open(path, "rb") as file:
            file.seek(place)
            while chunk := file.read(_CHUNK_BYTES):
                sys.stdout.buffer.write(chunk)
                place += len(chunk)
    except FileNotFoundError:
        return place
    sys.stdout.buffer.flush()
    return place


def _found(call: Call) -> list[RunFolder]:
    """The runs of the given names; raises Refused with one error for each that is none."""
    store = RunStore(Workspace.at(call.root))
    found: list[RunFolder] = []
    errors: list[StudioError] = []
    for name in call.words:
        try:
            found.append(store.find(name))
        except InputError as error:
            errors.append(error)
    if errors:
        raise Refused(errors)
    return found


def show(call: Call) -> int:
    """Everything about one run."""
    from studio.cli.show import show as tell

    workspace = Workspace.at(call.root)
    return tell(RunStore(workspace).find(call.words[0]), workspace, Voice(call.lang), json=call.has("json"))


VERBS = (
    Verb("runs list", (_JSON,), list_runs),
    Verb("runs show", (_JSON,), show, "RUN", 1, 1),
    Verb("runs stop", (Option("force"),), stop, "RUN …", 1, None),
    Verb("runs resume", (Option("detach"), _JSON), resume, "RUN", 1, 1),
    Verb("runs rm", (), remove, "RUN …", 1, None),
    Verb("runs restore", (), restore, "[RUN …]", 0, None),
    Verb("runs logs", (Option("follow"),), logs, "RUN", 1, 1),
)
