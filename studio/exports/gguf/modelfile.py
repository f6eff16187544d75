"""A Modelfile: what Ollama must know beside a GGUF file, and the same as its HTTP API wants it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.data.jinja import REFUSALS, compiled
from studio.errors import InputError
from studio.exports import speech
from studio.exports.gguf import gotemplate
from studio.exports.source import Source
from studio.workspace import Workspace

_GREEDY, _SAMPLED = {"temperature": 0}, {"temperature": 1.0, "top_p": 1.0, "top_k": 50}
_NAMES = {"temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "min_p": "min_p",
          "repetition_penalty": "repeat_penalty", "max_new_tokens": "num_predict"}


@dataclass(frozen=True)
class Modelfile:
    """`template` is Go's; `parameters` by Ollama's names, stops among them as a list."""

    template: str
    system: str | None
    parameters: Mapping[str, Any]

    def text(self, file: str) -> str:
        """The Modelfile for a GGUF file beside it; raises InputError ollama_template."""
        if '"""' in self.template + (self.system or ""):
            raise InputError("ollama_template", reason='"""')
        lines = [f"FROM ./{file}", f'TEMPLATE """{self.template}"""']
        lines += [f'SYSTEM """{self.system}"""'] if self.system else []
        for name, value in self.parameters.items():
            every = value if isinstance(value, list) else [value]
            lines += [f"PARAMETER {name} {json.dumps(one, ensure_ascii=False)}" for one in every]
        return "\n".join(lines) + "\n"


def modelfile(source: Source, workspace: Workspace, context: int, begins: bool) -> Modelfile:
    """The Modelfile of a source whose GGUF has this context and begins prompts itself or not.

    Raises InputError ollama_template and what `speech.speech` raises; a model without a chat template goes on with
    texts.
    """
    try:
        found = speech.speech(source, workspace)
    except InputError as error:
        if error.code != "template_missing":
            raise
        return Modelfile(gotemplate.PLAIN, None, {"num_ctx": context, "repeat_penalty": 1.0})
    special = found.chat.files.special

    def render(turns: Sequence[tuple[str, str]]) -> str:
        return compiled(found.plain_template)(
            messages=[{"role": role, "content": words} for role, words in turns], tools=None, documents=None,
            add_generation_prompt=True, **special)

    text = gotemplate.made(render, str(found.bos) if begins else "")
    parameters = {"num_ctx": context, **_sampling(found.generation), "stop": list(found.stops)}
    return Modelfile(text, found.default_system, parameters)


def _sampling(generation: Mapping[str, Any]) -> dict[str, Any]:
    """How an answer is drawn: as the model's settings say, and never with Ollama's own penalty for repeating."""
    chosen = generation.get("do_sample")
    found: dict[str, Any] = dict(_SAMPLED) if chosen else dict(_GREEDY) if chosen is False else {}
    known = {ours: generation[theirs] for theirs, ours in _NAMES.items() if generation.get(theirs) is not None}
    if chosen is False:
        known = {name: value for name, value in known.items() if name in ("repeat_penalty", "num_predict")}
    return {**found, "repeat_penalty": 1.0, **known}


def refuses(source: Source, workspace: Workspace) -> InputError | None:
    """What speaks against saying the source's template in Ollama's language."""
    try:
        modelfile(source, workspace, 1, False)
    except InputError as error:
        return error if error.code == "ollama_template" else None
    except REFUSALS:
        return None
    return None
