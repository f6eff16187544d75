"""`chat`: talk to models and checkpoints in the terminal; what is piped in is answered line by line."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from studio.cli.models import found_lanes, recipe_of, sorted_words
from studio.cli.signals import Left
from studio.cli.voice import Voice
from studio.cli.words import Call, Option, Refused, Verb
from studio.errors import InputError, SpecError, StudioError
from studio.workspace import STARTER, Workspace

if TYPE_CHECKING:
    from studio.args.fields import Argument
    from studio.cli.terminal.leaving import Leaving

HISTORY = "chat_history"
KEY = "OPENAI_API_KEY"
NAMING = ("model_name_or_path", "adapter_name_or_path")


def work(call: Call) -> int:
    """Talk until the lines end; 0, or in a pipe 1 or 2 when a line could not be answered."""
    from studio.cli.terminal.leaving import Leaving
    from studio.cli.terminal.servers import Elsewhere, Own

    voice, workspace = Voice(call.lang), Workspace.at(call.root)
    names, sampling, loading = asked(call, workspace)
    try:
        with Leaving() as leaving:
            if "url" in call.options:
                key = call.options.get("api-key") or os.environ.get(KEY, "")
                return _talk(call, voice, workspace, Elsewhere(call.options["url"], key, sampling), names, leaving)
            with Own(workspace, voice, sampling, loading) as server:
                return _talk(call, voice, workspace, server, names or [STARTER], leaving)
    except Left as left:
        return left.exit_code


def _talk(call: Call, voice: Voice, workspace: Workspace, server: Any, names: list[str], leaving: Leaving) -> int:
    from studio.cli.terminal import lines
    from studio.cli.terminal.dialogue import Dialogue
    from studio.cli.terminal.screen import Screen
    from studio.cli.terminal.session import Session

    as_json, interactive = call.has("json"), sys.stdin.isatty()
    ready = [server.ready(name) for name in names or server.first()]
    dialogue = Dialogue(ready, call.options.get("system", ""))
    screen = Screen(voice, sys.stdout, quiet=as_json)
    session = Session(dialogue, server, screen, voice, json=as_json, interactive=interactive)
    if not interactive:
        return session.run(lines.piped())
    voice.aside(voice.say("chat.welcome", lanes=voice.say("chat.names_between").join(ready)))
    typed = lines.typed(workspace.cache / HISTORY, voice.say("chat.mark"), server.names(),
                        lambda: voice.aside(voice.say("chat.interrupt")), leaving)
    return session.run(typed)


def asked(call: Call, workspace: Workspace) -> tuple[list[str], dict[str, Any], dict[str, Any]]:
    """(lanes, how they answer, how they are loaded), only what was said; raises Refused with everything wrong."""
    from studio.specs.chat import ASKED, SERVING, check

    errors: list[StudioError] = []
    names, recipes, changes = sorted_words(call.words, {**declared(), **ASKED})
    draft = recipe_of(recipes, errors) | changes
    sampling: dict[str, Any] = {}
    loading = {name: value for name, value in draft.items() if name not in ASKED}
    if "api-key" in call.options and "url" not in call.options:
        errors.append(InputError("option_only_with", option="--api-key", other="--url"))
    try:
        sampling = checked_sampling({name: value for name, value in draft.items() if name in ASKED})
    except SpecError as error:
        errors.append(error)
    try:
        spec = check(loading)
        given = [spec.model_name_or_path, *spec.adapter_name_or_path]
        names = [*(given if "model_name_or_path" in loading else given[1:]), *names]
        loading = {name: getattr(spec, name) for name in SERVING if name in loading and name not in NAMING}
    except SpecError as error:
        errors.append(error)
    if "url" not in call.options:
        found_lanes(names, workspace, errors)
    if errors:
        raise errors[0] if len(errors) == 1 else Refused(errors)
    return names, sampling, loading


def checked_sampling(draft: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of answering by their own names; raises SpecError with every problem."""
    from pydantic import ValidationError

    from studio.args.problems import not_numbers, of_choices, of_validation
    from studio.specs.chat import ASKED, SAMPLING, SamplingArguments

    values = {ASKED[name].name: value for name, value in draft.items()}
    problems = list(not_numbers(values, SAMPLING))
    try:
        problems += of_choices(SamplingArguments(**values), SAMPLING)
    except ValidationError as error:
        problems += of_validation(error, SAMPLING)
    if problems:
        raise SpecError(problems)
    return values


def declared() -> Mapping[str, Argument]:
    """The arguments of answering, and those of loading; a terminal shows one answer at a time."""
    from studio.args.fields import arguments
    from studio.specs.chat import SAMPLING, LoadingArguments

    return {name: a for name, a in SAMPLING.items() if name != "n"} | {a.name: a for a in arguments(LoadingArguments)}


VERBS = (
    Verb(
        "chat",
        (Option("url", "URL"), Option("api-key", "KEY"), Option("system", "TEXT"), Option("json")),
        work,
        words="[MODEL_OR_RUN …] [key=value …]",
        at_most=None,
        open=True,
        declared=declared,
    ),
)
