"""What a person chooses for a conversation: parameters by their declared names, and how they are asked for.

A conversation's settings hold `sampling` in the words of the protocol (`max_tokens`, `seed`), which `answering` sends;
the declarations of `specs.chat` say what each may be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from studio.args import document
from studio.args.fields import Kind
from studio.args.problems import not_numbers, of_choices, of_validation
from studio.chats.presets import DEFAULT, PRESETS
from studio.errors import Problem, SpecError
from studio.specs.chat import SAMPLING, SamplingArguments

# The parameters that a conversation offers, and their names in a request where they differ.
OFFERED = ("max_new_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty",
           "frequency_penalty", "answer_seed", "num_beams")
_ASKED = {"max_new_tokens": "max_tokens", "answer_seed": "seed"}
_SEED = 42
# What holds until somebody chooses: the preset, one seed for all lanes, and answers that end.
DEFAULTS: Mapping[str, Any] = MappingProxyType({**PRESETS[DEFAULT], "max_tokens": 512, "seed": _SEED})


def value_of(settings: Mapping[str, Any], name: str) -> Any:
    """A parameter as it holds in a conversation."""
    key = _ASKED.get(name, name)
    given = settings.get("sampling") or {}
    return given[key] if key in given else DEFAULTS.get(key, SAMPLING[name].default)


def asked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a request; what is as the protocol has it anyway is left out."""
    values = {_ASKED.get(name, name): value_of(settings, name) for name in OFFERED}
    silent = {_ASKED.get(name, name): SAMPLING[name].default for name in OFFERED}
    return {key: value for key, value in values.items() if value != silent[key] or key in ("temperature", "top_p")}


def changed(settings: Mapping[str, Any]) -> list[str]:
    """The names of what differs from what holds until somebody chooses; a preset's own values do not count."""
    given = settings.get("sampling") or {}
    of_a_preset = set(PRESETS[DEFAULT])
    names = [name for name in OFFERED if (key := _ASKED.get(name, name)) in given and key not in of_a_preset
             and given[key] != DEFAULTS.get(key, SAMPLING[name].default)]
    return [*names, *(name for name in ("system", "tools") if settings.get(name))]


def read(fields: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that somebody's fields are: `sampling`, `system`, `tools`; raises SpecError with every problem."""
    draft: dict[str, Any] = {}
    problems: list[Problem] = []
    for name in OFFERED:
        text = str(fields.get(name, "")).strip()
        if name in fields and text:
            draft[name] = _number(text, SAMPLING[name].kind)
        elif name in fields and not SAMPLING[name].optional:
            draft[name] = DEFAULTS.get(_ASKED.get(name, name), SAMPLING[name].default)
        elif name in fields:
            draft[name] = None
    problems += not_numbers(draft, SAMPLING)
    try:
        problems += of_choices(SamplingArguments(**draft), SAMPLING)
    except ValidationError as error:
        problems += of_validation(error, SAMPLING)
    tools: Any = settings.get("tools") or []
    if "tools" in fields:
        try:
            tools = tools_of(str(fields["tools"]))
        except ValueError:
            problems.append(Problem("tools_unreadable", "tools", {}))
    if problems:
        raise SpecError(problems)
    kept = {_ASKED.get(name, name): value for name, value in draft.items()}
    return {"sampling": {**(settings.get("sampling") or {}), **kept}, "tools": tools,
            "system": str(fields.get("system", settings.get("system") or ""))}


def tools_of(text: str) -> list[dict[str, Any]]:
    """The tools that a text names as JSON: a list of functions, or one; raises ValueError for anything else."""
    if not text.strip():
        return []
    found = json.loads(text)
    tools = found if isinstance(found, list) else [found]
    if not all(isinstance(tool, dict) and isinstance((tool.get("function") or tool).get("name"), str)
               for tool in tools):
        raise ValueError(text)
    return tools


def _number(text: str, kind: Kind) -> Any:
    """A number as somebody typed it, else the text, which its declaration then refuses."""
    value = document.scalar(text)
    return int(value) if kind is Kind.INT and isinstance(value, float) and value == int(value) else value
