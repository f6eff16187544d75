"""Make: sums, who the model is, a set split in three, a set in another format, a set to take along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from studio.data import catalogue, jobs
from studio.data.make.arithmetic import prompt_pairs
from studio.data.make.phrases import LANGUAGES
from studio.errors import InputError
from studio.ui import amounts
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls, mapping, work
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit

KINDS = ("sums", "identity", "split", "convert", "download")
SIGNS = (("plus", "+"), ("minus", "-"), ("times", "×"), ("divided", "÷"))
WAYS = ("questions", "words", "bare", "prompts")
_JOBS = {"sums": "make", "identity": "make", "split": "split", "convert": "convert"}


def draw(visit: Visit) -> Html:
    """The kinds, and the form of the chosen one; work that goes on stands above."""
    held = visit.place.of("make")
    kind = str(held.get("kind") or KINDS[0])
    ways = controls.tabs(visit.say("parts.make"), [(one, visit.say(f"make.{one}")) for one in KINDS], kind, "kind")
    job = work.named(visit, held.get("job"))
    running = work.drawn(visit, job, visit.say("make.working")) if job else None
    inside = {"sums": _sums, "identity": _identity, "split": _split, "convert": _convert, "download": _download}[kind]
    return join(ways, controls.note(visit.say(f"make.{kind}_tip")), running, inside(visit))


def kind(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Another kind."""
    chosen = str(said.get("to", ""))
    return visit.place.keep("make", kind=chosen if chosen in KINDS else KINDS[0], job="")


def make(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Start what the form asks for."""
    wanted, fields = str(said.get("kind", "")), dict(said.get("fields") or {})
    if wanted not in _JOBS:
        return visit.place
    arguments = {"sums": _sums_of, "identity": _identity_of, "split": _split_of, "convert": _convert_of}[wanted](fields)
    job = jobs.start(visit.desk.workspace, _JOBS[wanted], arguments)
    return visit.place.keep("make", kind=wanted, job=job.name, **{f"fields_{wanted}": fields})


def look(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Go on to what was made once it is there."""
    job = work.named(visit, visit.place.of("make").get("job"))
    found = job.look() if job else None
    if job is None or found is None or found.state != jobs.FINISHED or not found.result:
        return visit.place
    place, result = visit.place.keep("make", job=""), found.result
    if "names" in result:
        made = list(result["names"].values())
        said_rows = [f"{name} ({amounts.count(result['rows'].get(side, 0))})" for side, name in result["names"].items()]
        return place.open(made[0], "rows").tell(
            "page.data.make.split_done", good=True, names=controls.joined(visit.lang, said_rows)
        )
    name = str(result.get("name") or job.about["arguments"].get("to_name") or "")
    if "written" in result:
        name = _registered(visit, job.about["arguments"], result)
        return place.open(name, "rows").tell(
            "page.data.make.convert_done",
            good=True,
            name=name,
            rows=amounts.count(result["written"]),
            left=amounts.count(sum(result["left_out"].values())),
        )
    return place.open(name, "rows").tell(
        "page.data.make.made", good=True, name=name, rows=amounts.count(result.get("rows", 0))
    )


ACTIONS = {"kind": kind, "make": make, "look": look, **work.ACTIONS}


def _registered(visit: Visit, arguments: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """A converted file as a set of its own."""
    file = str(arguments["file"])
    list_ = catalogue.Catalogue(visit.desk.workspace)
    name = file.rsplit(".", 1)[0]
    list_.save(name, {"file_name": file, "formatting": str(arguments["to"])})
    return name


# ---- what the forms hold, as their work takes it


def _number(fields: Mapping[str, Any], name: str, kind_of: type = int) -> Any:
    text = str(fields.get(name, "")).replace(",", "").strip()
    try:
        return kind_of(text)
    except ValueError:
        raise InputError("make_not_number", name=name, value=text) from None


def _sums_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    languages = str(fields.get("languages", "both"))
    pairs = [name for field, name in _pairs() if fields.get(field)]
    return {
        "kind": "arithmetic",
        "name": str(fields.get("name", "")).strip(),
        "operations": [sign for word, sign in SIGNS if fields.get(word)],
        "lowest": _number(fields, "lowest"),
        "highest": _number(fields, "highest"),
        "decimals": _number(fields, "decimals"),
        "languages": ["zh", "en"] if languages == "both" else [languages],
        "templates": [one for one in WAYS if fields.get(one) or (one == "prompts" and pairs)],
        "prompts": pairs,
        "answer": str(fields.get("answer", "equation")),
        "negative": bool(fields.get("negative")),
        "count": _number(fields, "count"),
        "held_out": _number(fields, "held_out", float) / 100,
        "seed": _number(fields, "seed"),
    }


def _identity_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    languages = str(fields.get("languages", "both"))
    return {
        "kind": "identity",
        "name": str(fields.get("name", "")).strip(),
        "who": str(fields.get("who", "")),
        "author": str(fields.get("author", "")),
        "languages": ["zh", "en"] if languages == "both" else [languages],
        "seed": _number(fields, "seed"),
    }


def _split_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    shares = [_number(fields, name, float) / 100 for name in ("train", "validation", "test")]
    return {
        "name": str(fields.get("set", "")),
        "shares": shares,
        "seed": _number(fields, "seed"),
        "to": str(fields.get("name", "")).strip(),
    }


def _convert_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    name = str(fields.get("name", "")).strip()
    from studio.data import catalogue_file

    catalogue_file.check_name(name)
    return {"name": str(fields.get("set", "")), "to": str(fields.get("format", "")), "file": f"{name}.jsonl"}


# ---- the forms


def _held(visit: Visit, kind: str, name: str, otherwise: Any) -> Any:
    return visit.place.of("make").get(f"fields_{kind}", {}).get(name, otherwise)


def _line(visit: Visit, kind: str, name: str, otherwise: Any, **more: Any) -> Html:
    return controls.labelled(
        visit.say(f"make.field_{name}"), controls.field(name, _held(visit, kind, name, otherwise), **more)
    )


def _languages(visit: Visit, kind: str) -> Html:
    offered = [(one, visit.say(f"make.language_{one}")) for one in ("both", "zh", "en")]
    return controls.labelled(
        visit.say("make.field_languages"),
        controls.choose("languages", offered, str(_held(visit, kind, "languages", "both"))),
    )


def _go(visit: Visit, kind: str) -> Html:
    return controls.row(controls.submit(visit.say(f"make.go_{kind}"), kind="primary"))


def _sums(visit: Visit) -> Html:
    def ticks(names: tuple[str, ...], on: tuple[str, ...]) -> list[Html]:
        return [
            controls.tick(one, visit.say(f"make.tick_{one}"), bool(_held(visit, "sums", one, one in on)))
            for one in names
        ]

    signs = tuple(word for word, _ in SIGNS)
    answers = [(one, visit.say(f"make.answer_{one}")) for one in ("equation", "result")]
    return controls.form(
        "make",
        tag("fieldset", tag("legend", visit.say("make.field_operations")), *ticks(signs, signs)),
        tag(
            "div",
            _line(visit, "sums", "lowest", 0, inputmode="numeric"),
            _line(visit, "sums", "highest", 100, inputmode="numeric"),
            _line(visit, "sums", "decimals", 0, inputmode="numeric"),
            _languages(visit, "sums"),
            controls.labelled(
                visit.say("make.field_answer"),
                controls.choose("answer", answers, str(_held(visit, "sums", "answer", "equation"))),
            ),
            class_="fields-of",
        ),
        tag(
            "fieldset",
            tag("legend", visit.say("make.field_templates")),
            *ticks(WAYS, ("questions", "words")),
            *ticks(("negative",), ("negative",)),
        ),
        _prompts(visit),
        tag(
            "div",
            _line(visit, "sums", "count", 1000, inputmode="numeric"),
            _line(visit, "sums", "held_out", 10, inputmode="decimal"),
            _line(visit, "sums", "seed", 2024, inputmode="numeric"),
            _line(visit, "sums", "name", "my_sums"),
            class_="fields-of",
        ),
        _go(visit, "sums"),
        kind="sums",
        key="make-sums",
    )


def _pairs() -> list[tuple[str, str]]:
    """(field, name) of every pair of words that may stand around a sum."""
    return [(f"pair-{lang}-{n}", name) for lang in LANGUAGES for n, name in enumerate(prompt_pairs(lang))]


def _prompts(visit: Visit) -> Html:
    """The pairs of words to choose from, folded while none is chosen."""
    ticks = [controls.tick(field, name, bool(_held(visit, "sums", field, False))) for field, name in _pairs()]
    tip = controls.note(visit.say("make.prompts_tip"))
    return controls.fold(visit.say("make.field_prompts"), tag("div", *ticks, class_="ticks"), tip, key="pairs")


def _identity(visit: Visit) -> Html:
    return controls.form(
        "make",
        tag(
            "div",
            _line(visit, "identity", "who", ""),
            _line(visit, "identity", "author", ""),
            _languages(visit, "identity"),
            _line(visit, "identity", "seed", 2024, inputmode="numeric"),
            _line(visit, "identity", "name", "my_identity"),
            class_="fields-of",
        ),
        _go(visit, "identity"),
        kind="identity",
        key="make-identity",
    )


def _sets(visit: Visit, kind: str) -> Html:
    offered = [(value, name) for name, value in visit.desk.datasets(visit.lang)]
    return controls.labelled(
        visit.say("make.field_set"),
        controls.choose("set", offered, str(_held(visit, kind, "set", offered[0][0] if offered else ""))),
    )


def _split(visit: Visit) -> Html:
    shares = [
        _line(visit, "split", name, value, inputmode="decimal")
        for name, value in (("train", 80), ("validation", 10), ("test", 10))
    ]
    return controls.form(
        "make",
        tag(
            "div",
            _sets(visit, "split"),
            *shares,
            _line(visit, "split", "seed", 42, inputmode="numeric"),
            class_="fields-of",
        ),
        _go(visit, "split"),
        kind="split",
        key="make-split",
    )


def _convert(visit: Visit) -> Html:
    from studio.data.convert import writable

    formats = [(one, mapping.format_name(visit.lang, one)) for one in writable()]
    return controls.form(
        "make",
        tag(
            "div",
            _sets(visit, "convert"),
            controls.labelled(
                visit.say("make.field_format"),
                controls.choose("format", formats, str(_held(visit, "convert", "format", "openai"))),
            ),
            _line(visit, "convert", "name", "converted"),
            class_="fields-of",
        ),
        _go(visit, "convert"),
        kind="convert",
        key="make-convert",
    )


def _download(visit: Visit) -> Html:
    lines = []
    for entry in catalogue.Catalogue(visit.desk.workspace).entries()[:200]:
        if entry.path is None or not entry.path.is_file():
            continue
        size = amounts.size(entry.path.stat().st_size)
        lines.append(
            tag(
                "li",
                tag("a", entry.name, href=f"./studio/download/{quote(entry.name)}", download=True),
                tag("small", f" {entry.path.name} · {size}", class_="quiet"),
            )
        )
    return tag("ul", *lines, class_="downloads")
