"""`data split`, `convert` and `make`: datasets made out of others, or out of nothing but a seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio.cli.datasets import JSON, ROWS, dataset, progress, refuse, whole
from studio.cli.voice import Voice
from studio.cli.words import Call, Option, Verb
from studio.errors import InputError, StudioError
from studio.workspace import Workspace

SEED = Option("seed", "N")
OUTPUT = Option("output", "NAME")
MADE_ROWS = 1000
LISTED = ("operations", "languages", "templates", "prompts")


def split(call: Call) -> int:
    """Make NAME_train, NAME_validation and NAME_test."""
    from studio.data.catalogue import Catalogue
    from studio.data.split import split as divided

    voice, workspace = Voice(call.lang), Workspace.at(call.root)
    errors: list[StudioError] = []
    shares = numbers(call, "shares", errors) or [0.8, 0.1, 0.1]
    seed = whole(call, "seed", errors, 0)
    refuse(errors)
    entry = Catalogue(workspace).find(dataset(call))
    with progress(voice) as tell:
        made = divided(entry, workspace, shares, 42 if seed is None else seed, call.options.get("output", ""), tell)
    if call.has("json"):
        voice.json({"names": dict(made.names), "rows": dict(made.rows), "left_out": dict(made.left_out)})
        return 0
    for side, name in made.names.items():
        voice.out(voice.say("data.split.side", side=voice.say(f"data.split.{side}"), name=name,
                            rows=f"{made.rows[side]:,}"))
    _left_out(voice, made.left_out)
    return 0


def convert(call: Call) -> int:
    """Write the rows in another format: beside the other datasets, or to the file that is named."""
    from studio.data.catalogue import Catalogue
    from studio.data.convert import convert as written
    from studio.data.convert import writable

    voice, workspace = Voice(call.lang), Workspace.at(call.root)
    if "to" not in call.options:
        raise InputError("option_missing", option="--to", choices=list(writable()))
    entry, to = Catalogue(workspace).find(dataset(call)), call.options["to"]
    path = Path(call.options.get("output") or workspace.data / f"{entry.name}_{to}.jsonl").expanduser()
    with progress(voice, "data.reading_bytes") as tell:
        made = written(entry, to, path, tell)
    if call.has("json"):
        voice.json({"path": str(made.path), "rows": made.rows, "written": made.written, "left_out": made.left_out})
        return 0
    voice.out(voice.say("data.convert.done", path=made.path, rows=f"{made.rows:,}", written=f"{made.written:,}"))
    _left_out(voice, made.left_out)
    return 0


def _left_out(voice: Voice, left_out: Any) -> None:
    for reason, count in left_out.items():
        voice.out(voice.say("dry.skipped", count=f"{count:,}", reason=voice.word("data.skipped", reason)))


def make(call: Call) -> int:
    """Make a dataset of sums or of who the assistant is, under a new name."""
    from studio.data.make.registered import check_free, register

    voice, workspace, name = Voice(call.lang), Workspace.at(call.root), call.words[0]
    kept, held = (_identity if call.options.get("kind") == "identity" else _arithmetic)(call)
    names = [name, *([f"{name}_heldout"] if held else [])]
    check_free(workspace, *names)
    made = {one: len(rows) for one, rows in zip(names, (kept, held), strict=False)}
    paths = [register(workspace, one, rows).path for one, rows in zip(names, (kept, held), strict=False)]
    if call.has("json"):
        voice.json([{"name": one, "path": str(path), "rows": count}
                    for path, (one, count) in zip(paths, made.items(), strict=True)])
        return 0
    for path, (one, count) in zip(paths, made.items(), strict=True):
        voice.out(voice.say("data.make.done", name=one, rows=f"{count:,}", path=path))
    return 0


def _arithmetic(call: Call) -> tuple[Sequence[Any], Sequence[Any]]:
    from studio.data.make.arithmetic import Arithmetic
    from studio.data.make.arithmetic import make as sums

    errors: list[StudioError] = []
    given = {"count": whole(call, "rows", errors, 1), "seed": whole(call, "seed", errors, 0),
             "decimals": whole(call, "decimals", errors, 0)}
    between = numbers(call, "range", errors)
    if between is not None and (len(between) != 2 or any(one != int(one) for one in between)):
        errors.append(InputError("option_pair", option="--range", value=call.options["range"]))
    held = numbers(call, "held-out", errors)
    refuse(errors)
    if between:
        given |= {"lowest": int(between[0]), "highest": int(between[1])}
    words: dict[str, Any] = {name: tuple(call.options[name].split(",")) for name in LISTED if name in call.options}
    if "prompts" in words:  # whoever names pairs of words wants them; "all" is every pair
        words = {"templates": ("prompts",), **words}
        words["prompts"] = () if words["prompts"] == ("all",) else words["prompts"]
    chosen: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    return sums(Arithmetic(**chosen | words | ({"held_out": held[0]} if held else {})))


def _identity(call: Call) -> tuple[Sequence[Any], Sequence[Any]]:
    from studio.data.make.identity import make as selves
    from studio.data.make.phrases import LANGUAGES

    errors: list[StudioError] = []
    seed = whole(call, "seed", errors, 0)
    refuse(errors)
    languages = call.options["languages"].split(",") if "languages" in call.options else LANGUAGES
    rows = selves(call.options.get("called", ""), call.options.get("author", ""), languages,
                  2024 if seed is None else seed)
    return rows, ()


def numbers(call: Call, name: str, errors: list[StudioError]) -> list[float] | None:
    """An option that is one or several numbers with commas between; what is none is added to the errors."""
    said = call.options.get(name)
    if said is None:
        return None
    try:
        return [float(one) for one in said.split(",")]
    except ValueError:
        errors.append(InputError("option_numbers", option=f"--{name}", value=said))
        return None


_WHAT = "NAME_OR_PATH"
VERBS = (
    Verb("data split", (Option("shares", "A,B,C"), SEED, OUTPUT, JSON), split, _WHAT, 1, 1),
    Verb("data convert", (Option("to", "FORMAT"), OUTPUT, JSON), convert, _WHAT, 1, 1),
    Verb("data make", (Option("kind", "KIND", ("arithmetic", "identity")), ROWS, Option("operations", "SIGNS"),
                       Option("range", "A,B"), Option("decimals", "N"), Option("languages", "LANGS"),
                       Option("templates", "WAYS"), Option("prompts", "PAIRS"),
                       Option("held-out", "SHARE"), SEED, Option("called", "NAME"), Option("author", "NAME"), JSON),
         make, "NAME", 1, 1),
)
