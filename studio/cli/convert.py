"""`convert`: the pickled weights of an older system as safetensors, read by a process that is locked in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.cli.voice import Voice, table
from studio.cli.words import Call, Option, Verb
from studio.errors import InputError
from studio.exports.convert import Converted
from studio.texts import say


def work(call: Call) -> int:
    """Convert a folder or a file; 0 when it is done."""
    from studio.exports.convert import convert
    from studio.workspace import Workspace

    voice, name = Voice(call.lang), call.words[0]
    folder = next((path for path in (Path(name).expanduser(), Workspace.at(call.root).models / name)
                   if path.exists()), None)
    if folder is None:
        raise InputError("model_missing", name=name)
    alpha = call.options.get("lora-alpha")
    if alpha is not None and not str(alpha).isdigit():
        raise InputError("lora_alpha_number", value=alpha)
    into = Path(call.options["output"]).expanduser() if "output" in call.options else None
    done = convert(folder, into, int(alpha) if alpha else None)
    if call.has("json"):
        voice.json({"path": str(done.path), "files": [dict(one) for one in done.files], "kept": list(done.kept),
                    "left_out": list(done.left), "notes": [dict(one) for one in done.notes]})
        return 0
    for line in _told(done, voice):
        voice.out(line)
    return 0


def _told(done: Converted, voice: Voice) -> list[str]:
    rows = [(f"  {one['file']}", "→", str(one["name"]), voice.say("convert.tensors", count=one["tensors"]))
            for one in done.files]
    lines = [voice.say("convert.done", path=str(done.path)), *table(rows)]
    if done.kept:
        lines.append(voice.say("convert.kept", names=", ".join(done.kept)))
    if done.left:
        lines.append(voice.say("convert.left", names=", ".join(done.left)))
    return [*lines, *(_note(one, voice) for one in done.notes)]


def _note(note: Any, voice: Voice) -> str:
    values = {name: value for name, value in note.items() if name != "code"}
    return say(voice.lang, f"cli.convert.{note['code']}", **values)


VERBS = (
    Verb("convert", (Option("output", "DIR"), Option("lora-alpha", "N"), Option("json")), work, "FOLDER", 1, 1),
)
