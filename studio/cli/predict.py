"""`predict`: have a model answer every row of a dataset or file, and write the answers into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.cli import evaluate
from studio.cli.models import recipe_of, sorted_words
from studio.cli.voice import Voice
from studio.cli.words import Call, Option, Refused, Verb
from studio.errors import InputError, StudioError
from studio.workspace import Workspace


def work(call: Call) -> int:
    """Answer as told; 0 when every row was answered and the file is written, 1 when the work failed."""
    from studio.runs.store import RunStore

    voice, workspace = Voice(call.lang), Workspace.at(call.root)
    target = _target(call)
    spec, name = checked(call, workspace), call.options.get("name") or ""
    name = name or RunStore(workspace).suggest_name(spec)
    code = evaluate.begin(spec, workspace, voice, name=name, detach=False, json=call.has("json"), answers_to=target)
    return code or int(not (workspace.saves / name / "results" / "scores.json").exists())


def checked(call: Call, workspace: Workspace) -> Any:
    """The resolved spec of one model and its data; raises InputError with everything that is wrong."""
    from studio.cli.train import wrong_name
    from studio.scores.admission import admit
    from studio.specs.evaluate import ALIASES, ARGUMENTS
    from studio.specs.override import override

    errors: list[StudioError] = list(wrong_name(call, workspace))
    names, recipes, changes = sorted_words(call.words, ARGUMENTS)
    if len(names) != 2 and not recipes:
        errors.append(InputError("word_missing", command="predict", words=VERBS[0].words))
    draft = override(recipe_of(recipes, errors), changes, ARGUMENTS, ALIASES)
    if len(names) == 2:
        draft |= {"eval_models": [names[0]], "dataset": [names[1]]}
    try:
        spec = admit(draft, workspace, paths=True)
    except InputError as error:
        errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else Refused(errors)
    return spec


def _target(call: Call) -> Path:
    """The file to write; raises InputError when none is named, or none can be written there."""
    said = call.options.get("output")
    if not said:
        raise InputError("option_needs_value", option="-o", value="FILE")
    path = Path(said).expanduser().absolute()
    if not path.parent.is_dir() or path.is_dir():
        raise InputError("file_unreadable", path=str(path), reason="-o")
    return path


VERBS = (
    Verb(
        "predict",
        (Option("output", "FILE"), Option("name", "NAME"), Option("json")),
        work,
        words="MODEL_OR_RUN DATA [SPEC.yaml] [key=value …]",
        at_most=None,
        open=True,
        declared=evaluate.declared,
    ),
)
