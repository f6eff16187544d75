"""The reference pages of the arguments, written from their declarations into docs/.

    python -m studio.specs.reference
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from studio.args import document
from studio.args.fields import Argument
from studio.specs import chat, evaluate, export
from studio.specs.older_keys import ANY, ANYWAY, CONVERTED, JOINED, NOT_YET, VALUES, VALUES_NOT_YET
from studio.specs.train import ALIASES, ARGUMENTS
from studio.texts import has, listed, say
from studio.workspace import PROJECT

# Verbs beside `train`, and what they take.
OTHERS = {"serve": chat.SERVING, "answers": chat.SAMPLING, "evaluate": evaluate.ARGUMENTS,
          "export": export.ARGUMENTS}
PAGES = {"en": "arguments.md", "zh": "arguments_zh.md"}


def page(lang: str) -> str:
    """The reference page in one language: the arguments of every verb by group, then the keys of older recipes."""
    parts = [f"# {say(lang, 'reference.title')}", say(lang, "reference.intro", count=len(ARGUMENTS))]
    told: dict[str, str] = {}
    for group, members in groupby(ARGUMENTS.values(), key=lambda a: a.group):
        parts.append(f"## {say(lang, f'groups.{group}')}")
        parts += [told.setdefault(a.name, _argument(lang, a)) for a in members]
    for verb, declared in OTHERS.items():
        parts += _of_verb(lang, verb, declared.values(), told)
    return "\n\n".join([*parts, *_older(lang)]) + "\n"


def _of_verb(lang: str, verb: str, declared: Iterable[Argument], told: dict[str, str]) -> list[str]:
    """The arguments of a verb; what stands further up word for word is named only."""
    spelled = {a.name: _argument(lang, a) for a in declared}
    same = [name for name, text in spelled.items() if told.get(name) == text]
    parts = [f"## {say(lang, f'reference.verbs.{verb}.title')}", say(lang, f"reference.verbs.{verb}.intro")]
    if same:
        parts.append(say(lang, "reference.above", names=_code(lang, same)))
    parts += [text for name, text in spelled.items() if name not in same]
    told |= {name: text for name, text in spelled.items() if name not in told}
    return parts


def _argument(lang: str, a: Argument) -> str:
    facts = [_row(lang, "type", _type(lang, a)), _row(lang, "default", _default(lang, a))]
    if bounds := _bounds(lang, a):
        facts.append(_row(lang, "bounds", bounds))
    if a.choices:
        facts.append(_row(lang, "choices", listed(lang, [_choice(lang, a, choice) for choice in a.choices])))
    for fact, names in (("stages", a.stages), ("tuners", a.tuners), ("aliases", a.aliases)):
        if names:
            facts.append(_row(lang, fact, _code(lang, names)))
    title = f"### `{a.name}` {say(lang, f'arguments.{a.name}.label')}"
    return "\n\n".join([title, say(lang, f"arguments.{a.name}.tip"), "\n".join(facts)])


def _choice(lang: str, a: Argument, choice: str) -> str:
    """A choice with its words; those of a form of export are the form's, and a number's type is a name of its own."""
    keys = (f"choices.{a.name}.{choice}", f"exporters.{choice}.label")
    key = next((key for key in keys if has(lang, key)), None)
    return f"`{choice}`" if key is None else say(lang, "reference.choice", value=choice, name=say(lang, key))


def _row(lang: str, fact: str, value: str) -> str:
    return "- " + say(lang, f"reference.{fact}", value=value)


def _type(lang: str, a: Argument) -> str:
    kind = say(lang, f"reference.kinds.{a.kind.value}")
    return say(lang, "reference.optional", kind=kind) if a.optional else kind


def _default(lang: str, a: Argument) -> str:
    return say(lang, "reference.empty") if a.default in (None, [], {}) else f"`{_plain(a.default)}`"


def _bounds(lang: str, a: Argument) -> str:
    signs = (("≥", a.ge), (">", a.gt), ("≤", a.le), ("<", a.lt))
    return listed(lang, [f"{sign} {_plain(bound)}" for sign, bound in signs if bound is not None])


def _older(lang: str) -> list[str]:
    renamed = {**ALIASES, **{key: name for key, (name, _) in CONVERTED.items()}, **JOINED}
    values = [(f"{name}: {_plain(old)}", f"{name}: {_plain(new)}") for name, table in VALUES.items()
              for old, new in table.items()]
    anyway = [(key, [] if ANY in usual else [f"`{_plain(value)}`" for value in usual]) for key, usual in
              sorted(ANYWAY.items())]
    missing = [(name, [f"`{value}`" for value in found if value not in ARGUMENTS[name].choices])
               for name, found in VALUES_NOT_YET.items()]
    return [
        f"## {say(lang, 'reference.older.title')}", say(lang, "reference.older.intro"),
        f"### {say(lang, 'reference.older.renamed')}", _table(lang, sorted(renamed.items())),
        f"### {say(lang, 'reference.older.values')}", _table(lang, values),
        f"### {say(lang, 'reference.older.anyway')}", say(lang, "reference.older.anyway_intro"),
        _lines(lang, anyway),
        f"### {say(lang, 'reference.older.not_yet')}", say(lang, "reference.older.not_yet_intro"),
        _code(lang, sorted(NOT_YET)), _lines(lang, missing),
    ]


def _lines(lang: str, rows: Iterable[tuple[str, list[str]]]) -> str:
    return "\n".join(" ".join([f"- `{key}`", listed(lang, values)]).strip() for key, values in rows)


def _table(lang: str, rows: Iterable[tuple[str, str]]) -> str:
    head = f"| {say(lang, 'reference.older.old')} | {say(lang, 'reference.older.today')} |\n| --- | --- |"
    return "\n".join([head, *(f"| `{old}` | `{new}` |" for old, new in rows)])


def _code(lang: str, names: Iterable[str]) -> str:
    return listed(lang, [f"`{name}`" for name in names])


def _plain(value: Any) -> str:
    """A value as YAML spells it, on one line."""
    if isinstance(value, list):
        return ",".join(map(_plain, value)) or "[]"
    return f"{value:g}" if isinstance(value, float) else document.dumps(value).removesuffix("...\n").strip()


def write(folder: Path) -> list[Path]:
    """Write the pages of all languages into `folder`."""
    written = [folder / name for name in PAGES.values()]
    for lang, path in zip(PAGES, written):
        path.write_text(page(lang), encoding="utf-8")
    return written


if __name__ == "__main__":
    for done in write(PROJECT / "docs"):
        print(done)
