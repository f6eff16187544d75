"""`export`: take a run, a checkpoint or a model home in another program's form, and see that it is the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from studio.cli.models import recipe_of, sorted_words
from studio.cli.signals import Presses
from studio.cli.voice import Voice
from studio.cli.words import Call, Option, Refused, Verb
from studio.errors import InputError, StudioError
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.args.fields import Argument


def work(call: Call) -> int:
    """Export as told; 0 when the export was made or stopped, 1 when it failed or is not what its source is."""
    voice, workspace = Voice(call.lang), Workspace.at(call.root)
    spec = checked(call, workspace)
    if call.has("dry-run"):
        return foretell(spec, workspace, voice, json=call.has("json"))
    return begin(spec, workspace, voice, name=call.options.get("name"), detach=call.has("detach"),
                 json=call.has("json"))


def checked(call: Call, workspace: Workspace) -> Any:
    """The resolved spec that name, recipe and flags make; raises InputError with everything that is wrong."""
    from studio.cli.train import wrong_name
    from studio.exports.admission import admit
    from studio.specs.export import ALIASES, ARGUMENTS, STAGE, today
    from studio.specs.override import override

    errors: list[StudioError] = list(wrong_name(call, workspace))
    names, recipes, changes = sorted_words(call.words, declared())
    if not (names or recipes or "model_name_or_path" in changes):
        errors.append(InputError("word_missing", command="export", words=VERBS[0].words))
    if len(names) > 1:
        errors.append(InputError("flag_stray", words=" ".join(names[1:])))
    draft = {"stage": STAGE, **override(today(recipe_of(recipes, errors)), changes, ARGUMENTS, ALIASES)}
    draft |= {"model_name_or_path": names[0]} if names else {}
    draft |= {"export_to": call.options["to"]} if "to" in call.options else {}
    if "name" in call.options:
        draft.pop("output_dir", None)
    try:
        draft |= _at_step(call.options.get("step"), draft, workspace)
        spec = admit(draft, workspace, paths=True)
    except InputError as error:
        errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else Refused(errors)
    return spec


def _at_step(step: str | None, draft: Mapping[str, Any], workspace: Workspace) -> dict[str, Any]:
    """The model's name with the step that was asked for; raises InputError when that cannot be."""
    from studio.scores.models import run_of

    if step is None:
        return {}
    name = str(draft.get("model_name_or_path") or "")
    if not step.isdigit():
        raise InputError("step_number", value=step)
    if run_of(name, workspace) != name:
        raise InputError("step_of_no_run", value=step, name=name)
    return {"model_name_or_path": f"{name}/step-{step}"}


def begin(spec: Any, workspace: Workspace, voice: Voice, *, name: str | None, detach: bool, json: bool) -> int:
    """Create the run, start it and stay with it unless detached."""
    from studio.cli.train import stay
    from studio.exports.admission import fingerprints
    from studio.runs.start import start
    from studio.runs.store import RunStore

    with Presses() as presses:
        folder = RunStore(workspace).create(spec, name, fingerprints(spec, workspace))
        start(folder, workspace, lang=voice.lang)
        return stay(folder, voice, presses, detach=detach, json=json)


def foretell(spec: Any, workspace: Workspace, voice: Voice, *, json: bool) -> int:
    """Say how large the export will be and what it takes; nothing is written."""
    from dataclasses import asdict

    from studio.cli.voice import size, table
    from studio.exports import source
    from studio.exports.forecast import forecast

    found = source.find(spec, workspace)
    wanted = forecast(spec, found, workspace)
    if json:
        voice.json({"source": found.name, "step": found.step, "form": spec.export_to, **asdict(wanted)})
        return 0
    rows = (("source", found.name), ("form", spec.export_to), ("bytes", size(wanted.bytes)),
            ("free", size(wanted.free_bytes)), ("memory", size(wanted.memory_bytes)),
            ("check", size(wanted.check_bytes)), ("seconds", voice.duration(wanted.seconds)))
    for line in table([(voice.say(f"foretold.{key}"), value) for key, value in rows]):
        voice.out(line)
    return 0


def declared() -> Mapping[str, Argument]:
    """The arguments of an export."""
    from studio.specs.export import ARGUMENTS

    return ARGUMENTS


VERBS = (
    Verb(
        "export",
        (Option("to", "FORM"), Option("step", "N"), Option("name", "NAME"), Option("detach"), Option("dry-run"),
         Option("json")),
        work,
        words="RUN_OR_FOLDER [SPEC.yaml] [key=value …]",
        at_most=None,
        open=True,
        declared=declared,
    ),
)
