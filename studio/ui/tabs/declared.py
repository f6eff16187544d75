"""Declared arguments as plain HTML: label, bounds, explanation and what is wrong, all from the declaration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.args.fields import Argument, Kind
from studio.ui import widgets
from studio.ui.markup import Html, tag
from studio.ui.tabs.data import controls

Arguments = Mapping[str, Argument]


def draw(lang: str, a: Argument, typed: Mapping[str, Any], wrong: Mapping[str, str], *,
         offered: Sequence[tuple[str, str]] | None = None, area_hint: str | None = None, name: str = "") -> Html:
    """An argument with what was typed into it.

    `offered` are (value, words) to choose from, `area_hint` asks for several lines, `name` takes the label's place.
    """
    name = name or widgets.label(a.name)(lang)
    held, said = typed.get(a.name, default(a)), wrong.get(a.name)
    if a.kind is Kind.BOOL and not a.optional:
        box = controls.tick(a.name, name, held in (True, "true"), change="settle")
    else:
        box = controls.labelled(name, _box(lang, a, str(held), said, offered, area_hint))
    beside = tag("small", said, class_="problem", role="alert") if said else None
    return tag("div", box, beside, title=widgets.tip(a.name)(lang), data_key=f"of-{a.name}",
               class_="parameter changed" if is_changed(a, held) else "parameter")


def _box(lang: str, a: Argument, held: str, wrong: str | None, offered: Sequence[tuple[str, str]] | None,
         area_hint: str | None) -> Html:
    if area_hint is not None:
        return controls.area(a.name, held, data_change="settle", placeholder=area_hint)
    if offered is not None or a.choices or a.kind is Kind.BOOL:
        there = list(offered) if offered is not None else [(str(value), words) for words, value
                                                           in widgets.choices(a)(lang)]
        if (a.open_choices or offered is not None) and held and held not in dict(there):
            there.append((held, held))
        return controls.choose(a.name, there, held, change="settle")
    return controls.field(a.name, held, hint=str(widgets.placeholder(a)(lang)), change="settle",
                          inputmode="decimal" if a.kind in (Kind.INT, Kind.FLOAT) else None,
                          aria_invalid="true" if wrong else None)


def read(declared: Arguments, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed into fields, by argument; what is as declared is left out."""
    return {name: value for name, value in fields.items() if name in declared and is_changed(declared[name], value)}


def draft(declared: Arguments, typed: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of what was typed, as a spec's draft holds them."""
    found = {name: widgets.typed(declared[name], value) for name, value in typed.items() if name in declared}
    return {name: value for name, value in found.items() if value is not widgets.LEFT_OUT}


def shown(a: Argument, value: Any) -> Any:
    """A spec's value as its field shows it."""
    held = widgets.shown(a, value)
    return ", ".join(map(str, held)) if isinstance(held, list) else held


def default(a: Argument) -> Any:
    """The declared value as its field shows it."""
    return shown(a, a.default)


def is_changed(a: Argument, held: Any) -> bool:
    """Whether a field holds something else than what is declared."""
    return str(held).strip() != str(default(a))
