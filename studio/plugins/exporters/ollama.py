"""Ollama: a folder with a GGUF file and a Modelfile, brought into a running Ollama at once."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.args.fields import Group, Text, arg
from studio.errors import Problem
from studio.plugins.exporters import _held, gguf
from studio.workspace import Workspace

ORDER = 55
TAKES = gguf.TAKES
HOLDS = ("gguf",)
MODELFILE = "Modelfile"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*(:[a-z0-9._-]+)?")


class OllamaArguments(Group):
    """Under which name, and whether at once."""

    group = "export"

    ollama_name: Text | None = arg(None)
    ollama_import: bool = arg(True)


Arguments = OllamaArguments


def inside(spec: Any) -> str:
    """Always a GGUF file."""
    return "gguf"


def variant(told: Mapping[str, Any]) -> str:
    """The type of the file."""
    return gguf.variant(told)


def size(source: Any, spec: Any) -> int:
    """That of the file; the Modelfile is small."""
    return gguf.size(source, spec)


def refuse(source: Any, spec: Any) -> list[Problem]:
    """What GGUF lacks, and a chat template that cannot be said in Ollama's language."""
    from studio.exports.gguf import modelfile

    error = modelfile.refuses(source, Workspace.at())
    problems = [Problem(error.code, "export_to", error.values)] if error else []
    if spec.ollama_name and not _NAME.fullmatch(spec.ollama_name):
        problems.append(Problem("ollama_name", "ollama_name", {
            "value": spec.ollama_name, "nearest": _held.named(spec.ollama_name).lower()}))
    return [*gguf.refuse(source, spec), *problems]


def write(work: Any) -> None:
    """Write the file and its Modelfile; raises what both raise."""
    from studio.exports.gguf import making, modelfile

    gguf.write(work)
    file = opened(work.into)
    _, found = making.plan(work.source)
    begins = making.spoken(work.source, work.workspace)[1].begins
    told = modelfile.modelfile(work.source, work.workspace, int(found.facts["context_length"]), begins)
    (work.into / MODELFILE).write_text(told.text(file.name), encoding="utf-8")


def opened(folder: Path) -> Path:
    """The GGUF file."""
    return gguf.opened(folder)


def asked_name(work: Any) -> str:
    """The name that the model gets in Ollama: as asked, or that of the source."""
    return str(work.spec.ollama_name or _held.named(work.source.name).lower())


def commands(work: Any) -> dict[str, list[str]]:
    """The two commands, and those of llama.cpp."""
    name = asked_name(work)
    return {"ollama": [f"cd {shlex.quote(str(work.target))} && ollama create {name} -f {MODELFILE}",
                       f"ollama run {name}"], **gguf.commands(work)}


def deliver(work: Any) -> None:
    """Bring it into a running Ollama, under a name that is free there; raises WorkError ollama_failed, StopAsked."""
    from studio.exports.gguf import making, modelfile, ollama

    where = ollama.address()
    if not work.spec.ollama_import:
        return
    if not ollama.is_running(where):
        work.say("ollama_absent", address=where, name=asked_name(work))
        return
    name = ollama.free_name(where, asked_name(work))
    _, found = making.plan(work.source)
    begins = making.spoken(work.source, work.workspace)[1].begins
    told = modelfile.modelfile(work.source, work.workspace, int(found.facts["context_length"]), begins)
    ollama.bring(where, name, opened(work.target), told, work.tell, work.stay)
    work.say("ollama_imported", address=where, name=name)
