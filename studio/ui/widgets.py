"""From a declared argument to the widget that holds it, and between their values; nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from studio.args import Argument, Kind, document
from studio.errors import InputError
from studio.texts import has, say
from studio.ui.localize import Words

LEFT_OUT = object()
MULTIPLE = frozenset({"dataset", "eval_dataset"})
_NO = ""
_TRUTHS = {"true": True, "false": False, "": None}


Offered = Callable[[str], list[tuple[str, str]]]


def widget(words: Words, a: Argument, offered: Offered | None = None, **props: Any) -> Any:
    """The component of an argument, labelled and explained in every language; `offered` gives choices found on disk."""
    said: dict[str, Any] = {"label": label(a.name), "info": tip(a.name)}
    props = {"elem_id": f"arg-{a.name}", "elem_classes": ["field", f"of-{a.group}"], "interactive": True, **props}
    value = shown(a, a.default)
    if a.kind is Kind.BOOL and not a.optional:
        return words(gr.Checkbox, said, value=value, **props)
    if offered is not None:
        said["choices"] = offered
        return words(
            gr.Dropdown, said, value=value, multiselect=a.name in MULTIPLE or None, allow_custom_value=True, **props
        )
    if a.choices or a.kind is Kind.BOOL:
        said["choices"] = choices(a)
        return words(
            gr.Dropdown, said, value=value, allow_custom_value=a.open_choices, filterable=len(a.choices) > 9, **props
        )
    said["placeholder"] = placeholder(a)
    lines = {"lines": 2, "max_lines": 6} if a.name == "default_system" else {"lines": 1, "max_lines": 1}
    return words(gr.Textbox, said, value=value, **lines, **props)


def label(name: str) -> Callable[[str], str]:
    """The label of an argument; its name until it has words."""
    return lambda lang: _said(lang, f"arguments.{name}.label", name)


def tip(name: str) -> Callable[[str], str | None]:
    """What the argument does, with its name for those who know it from recipes."""
    return lambda lang: say(lang, "page.form.tip", name=name, tip=_said(lang, f"arguments.{name}.tip", ""))


def placeholder(a: Argument) -> Callable[[str], str]:
    """What holds when the field is left empty."""
    if not a.optional and a.default not in (None, [], {}, ""):
        return lambda lang: say(lang, "page.form.default", value=shown(a, a.default))
    return lambda lang: _said(lang, f"page.form.empty_{a.name}", say(lang, "page.form.empty"))


def choices(a: Argument) -> Callable[[str], list[tuple[str, Any]]]:
    """The choices of an argument as each language names them."""
    if a.kind is Kind.BOOL:
        return lambda lang: [
            (say(lang, f"page.form.{word}"), value) for word, value in (("auto", _NO), ("yes", "true"), ("no", "false"))
        ]
    none = [(_NO, "page.form.none")] if a.optional else []
    return lambda lang: [
        *((say(lang, key), value) for value, key in none),
        *((_said(lang, f"choices.{a.name}.{value}", str(value)), str(value)) for value in a.choices),
    ]


def shown(a: Argument, value: Any) -> Any:
    """A spec's value as its widget holds it; what was typed and is no value yet stays as it was typed."""
    if a.kind is Kind.BOOL:
        return value if not a.optional else {True: "true", False: "false"}.get(value, _NO)
    if isinstance(value, str):
        return value
    if a.kind is Kind.LIST:
        return _listed(a, [str(part) for part in value or []])
    if a.kind is Kind.DICT:
        return _line(value)
    if value is None:
        return _NO
    if a.kind is Kind.FLOAT:
        return _number(value)
    return str(value)


def typed(a: Argument, held: Any) -> Any:
    """A widget's value as a draft holds it; LEFT_OUT when the field is empty and the default holds."""
    if a.kind is Kind.BOOL:
        return _TRUTHS.get(str(held).lower(), held) if a.optional else bool(held)
    if a.kind is Kind.LIST:
        return held if isinstance(held, list) else _split(held or "")
    text = "" if held is None else str(held).strip()
    if not text:
        return None if a.optional else {} if a.kind is Kind.DICT else LEFT_OUT
    if a.kind is Kind.DICT:
        return _mapping(text)
    if a.choices and a.kind is Kind.INT:
        return document.scalar(text)
    return text


def _listed(a: Argument, parts: list[str]) -> Any:
    if a.name in MULTIPLE:
        return parts
    return _line(parts) if any("," in part or part != part.strip() for part in parts) else ", ".join(parts)


def _split(text: str) -> Any:
    """`a, b` or `["a, b", c]` as a list of names."""
    if text.lstrip().startswith("["):
        try:
            return document.loads(text)
        except InputError:
            return text
    return [part.strip() for part in text.split(",") if part.strip()]


def _mapping(text: str) -> Any:
    """`a: 1, b: 2` or `{a: 1}` as a mapping; the text itself when it is neither."""
    try:
        return document.loads(text if text.startswith("{") else f"{{{text}}}")
    except InputError:
        return text


def _line(value: Any) -> str:
    return document.line(value) if value else _NO


def _number(value: float) -> str:
    """A number as people write it: 0.05, 2e-3, 1000."""
    plain = repr(value)
    if value and abs(value) < 0.01:
        mantissa, _, power = f"{value!r}".partition("e") if "e" in plain else f"{value:.12e}".partition("e")
        short = f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(power)}"
        return short if float(short) == value else plain
    return plain[:-2] if plain.endswith(".0") else plain


def _said(lang: str, key: str, fallback: str) -> str:
    return say(lang, key) if has(lang, key) else fallback
