"""`train`: make a run from a recipe and flags, start it, follow it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli import told
from studio.cli.follow import FAILED, ending, follow, result, stream
from studio.cli.models import RECIPES, recipe_of
from studio.cli.signals import Left, Presses
from studio.cli.voice import Voice
from studio.cli.words import Call, Option, Refused, Verb
from studio.errors import InputError, StudioError
from studio.runs.files import RunFolder
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.args.fields import Argument

_FLAG = re.compile(r"-|[A-Za-z_][\w.-]*=")


def work(call: Call) -> int:
    """Train as told; 0 when the run finished or was stopped, 1 when it failed or was lost."""
    voice, workspace = Voice(call.lang), Workspace.at(call.root)
    if _asks_for_answers(call):
        from studio.cli import evaluate

        return evaluate.work(call)
    spec = checked(call, workspace)
    if call.has("dry-run"):
        from studio.cli.dry_run import dry_run

        return dry_run(spec, workspace, voice, json=call.has("json"))
    return train(
        spec, workspace, voice, name=call.options.get("name"), detach=call.has("detach"), json=call.has("json")
    )


def checked(call: Call, workspace: Workspace) -> Any:
    """The spec that recipe and flags make; raises InputError with everything that is wrong, on disk too."""
    from studio.args.flags import read
    from studio.runs.admission import admit
    from studio.specs.override import override
    from studio.specs.train import ARGUMENTS

    words, errors, recipe = list(call.words), list(wrong_name(call, workspace)), {}
    if words and not _FLAG.match(words[0]):
        try:
            recipe = _recipe(Path(words.pop(0)))
        except InputError as error:
            errors.append(error)
    changes, stray = read(words, ARGUMENTS)
    if stray:
        errors.append(InputError("flag_stray", words=" ".join(stray)))
    if "name" in call.options:
        recipe.pop("output_dir", None)
    try:
        spec = admit(override(recipe, changes), workspace)
    except InputError as error:
        errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else Refused(errors)
    return spec


def _asks_for_answers(call: Call) -> bool:
    """Whether the recipe is an evaluation: the older systems train, predict and evaluate with one program."""
    from studio.args.flags import read
    from studio.specs.evaluate import ARGUMENTS, is_asked

    errors: list[StudioError] = []
    changes, plain = read(call.words, ARGUMENTS)
    recipe = recipe_of([Path(word) for word in plain[:1] if word.lower().endswith(RECIPES)], errors)
    return not errors and not call.has("dry-run") and is_asked(recipe | changes)


def wrong_name(call: Call, workspace: Workspace) -> Iterator[InputError]:
    """What is wrong with `--name`."""
    from studio.runs.names import checked as checked_name

    if "name" in call.options:
        try:
            if (workspace.saves / checked_name(call.options["name"])).exists():
                yield InputError("name_taken", name=call.options["name"])
        except InputError as error:
            yield error


def _recipe(path: Path) -> dict[str, Any]:
    from studio.args import document
    from studio.specs.frozen import without_header

    return without_header(document.read(path.expanduser()))


def train(spec: Any, workspace: Workspace, voice: Voice, *, name: str | None, detach: bool, json: bool) -> int:
    """Create the run, start it and stay with it unless detached."""
    from studio.runs.start import start
    from studio.runs.store import RunStore

    with Presses() as presses:
        folder = RunStore(workspace).create(spec, name)
        start(folder, workspace, lang=voice.lang)
        return stay(folder, voice, presses, detach=detach, json=json)


def stay(folder: RunFolder, voice: Voice, presses: Presses, *, detach: bool, json: bool) -> int:
    """Follow a started run to its end, or say its name and go."""
    if detach:
        if json:
            from studio.runs.state import state_of

            voice.json({"run": folder.name, "state": str(state_of(folder))})
        else:
            voice.out(folder.name)
        return 0
    to = stream(json)
    print(voice.say("follow.started", run=folder.name), file=to, flush=True)
    try:
        glimpse = follow(folder, voice, presses, to)
    except Left as left:
        return left.exit_code
    except BrokenPipeError:
        voice.aside(voice.say("follow.left", run=folder.name))
        raise
    teller = told.teller(folder)
    tell = voice.aside if json or glimpse.state in FAILED else voice.out
    for line in (teller.ending if teller and glimpse.state == "finished" else ending)(folder, glimpse, voice):
        tell(line)
    if json:
        voice.json((teller.result if teller else result)(folder, glimpse))
    return int(glimpse.state in FAILED or (teller is not None and teller.is_failed(folder)))


def _declared() -> Mapping[str, Argument]:
    from studio.specs.train import ARGUMENTS

    return ARGUMENTS


VERBS = (
    Verb(
        "train",
        (Option("name", "NAME"), Option("detach"), Option("dry-run"), Option("json")),
        work,
        words="[SPEC.yaml] [key=value …]",
        at_most=None,
        open=True,
        declared=_declared,
    ),
)
