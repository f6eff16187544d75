"""`evaluate`: ask models the same rows, score their answers, follow the run and tell the scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
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
    """Evaluate as told; 0 when the run finished or was stopped, 1 when it failed or was lost."""
    voice, workspace = Voice(call.lang), Workspace.at(call.root)
    spec = checked(call, workspace)
    return begin(spec, workspace, voice, name=call.options.get("name"), detach=call.has("detach"),
                 json=call.has("json"))


def checked(call: Call, workspace: Workspace) -> Any:
    """The resolved spec that recipe, models and flags make; raises InputError with everything that is wrong."""
    from studio.cli.train import wrong_name
    from studio.scores.admission import admit
    from studio.specs.evaluate import ALIASES, ARGUMENTS
    from studio.specs.override import override

    errors: list[StudioError] = list(wrong_name(call, workspace))
    names, recipes, changes = sorted_words(call.words, declared())
    draft = override(recipe_of(recipes, errors), changes, ARGUMENTS, ALIASES) | asked(call, names, workspace)
    if "name" in call.options:
        draft.pop("output_dir", None)
    try:
        spec = admit(draft, workspace, paths=True)
    except InputError as error:
        errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else Refused(errors)
    return spec


def asked(call: Call, names: list[str], workspace: Workspace) -> dict[str, Any]:
    """Who is to be asked; a run that is named alone, without --models, is asked beside its base."""
    from studio.scores.models import run_of

    given = [*call.options.get("models", ()), *names]
    if len(names) == 1 and not call.options.get("models") and run_of(names[0], workspace) == names[0]:
        return {"eval_run": names[0]}
    return {"eval_models": given} if given else {}


def begin(spec: Any, workspace: Workspace, voice: Voice, *, name: str | None, detach: bool, json: bool,
          answers_to: Path | None = None) -> int:
    """Create the run, start it and stay with it unless detached; its answers are written into a file, too."""
    from studio.cli.train import stay
    from studio.runs.start import start
    from studio.runs.store import RunStore
    from studio.scores import foreign
    from studio.scores.admission import fingerprints

    with Presses() as presses:
        folder = RunStore(workspace).create(spec, name, fingerprints(spec, workspace))
        if answers_to is not None:
            foreign.promise(folder.results, answers_to)
        start(folder, workspace, lang=voice.lang)
        return stay(folder, voice, presses, detach=detach, json=json)


def declared() -> Mapping[str, Argument]:
    """The arguments of an evaluation."""
    from studio.specs.evaluate import ARGUMENTS

    return ARGUMENTS


VERBS = (
    Verb(
        "evaluate",
        (Option("models", "MODEL …", many=True), Option("name", "NAME"), Option("detach"), Option("json")),
        work,
        words="[RUN] [SPEC.yaml] [key=value …]",
        at_most=None,
        open=True,
        declared=declared,
    ),
)
