"""The small things that all parts are made of: buttons, fields, choices, sentences, progress; all of it plain HTML.

What a press sends is said by attributes (see assets/view.js): `do="turn", to=3` sends {do: "turn", to: "3"}.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from studio.texts import has, listed, say
from studio.texts.errors import of_error
from studio.ui import amounts
from studio.ui.markup import Html, join, tag


def _sent(sent: Mapping[str, Any]) -> dict[str, Any]:
    return {f"data_{key}": value for key, value in sent.items() if value is not None}


def button(words: str, do: str, *, kind: str = "", off: bool = False, title: str | None = None, **sent: Any) -> Html:
    """A press; `kind` is primary, quiet, link or danger; an `off` button says so and does nothing."""
    return tag(
        "button",
        words,
        type="button",
        class_=f"press {kind}".strip(),
        aria_disabled="true" if off else None,
        title=title,
        data_do=do,
        **_sent(sent),
    )


def submit(words: str, *, kind: str = "", key: str | None = None) -> Html:
    """The button that sends its form."""
    return tag("button", words, type="submit", class_=f"press {kind}".strip(), data_key=key)


def form(do: str, *inside: Any, class_: str = "", **sent: Any) -> Html:
    """A form whose submit sends its named fields."""
    return tag(
        "form", *inside, class_=f"form-of {class_}".strip(), data_do=do, data_form=True, novalidate=True, **_sent(sent)
    )


def labelled(words: str, control: Html, hint: str | None = None, class_: str = "") -> Html:
    """A control below its label."""
    said = tag("small", hint, class_="quiet") if hint else None
    return tag("label", tag("span", words, class_="label"), control, said, class_=f"labelled {class_}".strip())


def field(
    name: str,
    value: Any = "",
    *,
    kind: str = "text",
    hint: str | None = None,
    name_for: str | None = None,
    change: str | None = None,
    typed: str | None = None,
    **more: Any,
) -> Html:
    """A line to type in; `change` and `typed` are sent when it is left, or while it is written."""
    return tag(
        "input",
        name=name,
        type=kind,
        value=str(value),
        placeholder=hint,
        aria_label=name_for,
        data_change=change,
        data_input=typed,
        autocomplete="off",
        spellcheck="false",
        class_="line",
        **more,
    )


def area(name: str, value: str, rows: int = 4, name_for: str | None = None, **more: Any) -> Html:
    """Several lines to type in."""
    return tag(
        "textarea",
        f"\n{value}" if value.startswith("\n") else value,
        name=name,
        rows=rows,
        aria_label=name_for,
        spellcheck="false",
        class_="line",
        **more,
    )


def choose(
    name: str,
    offered: Iterable[tuple[str, str]],
    chosen: str,
    *,
    name_for: str | None = None,
    change: str | None = None,
    **sent: Any,
) -> Html:
    """One of several; `offered` are (value, words)."""
    options = [tag("option", words, value=value, selected=value == chosen) for value, words in offered]
    return tag(
        "select",
        *options,
        name=name,
        class_="line",
        aria_label=name_for,
        data_change=change,
        data_chosen=chosen,
        **_sent(sent),
    )


def tick(name: str, words: str, on: bool, *, change: str | None = None, **sent: Any) -> Html:
    """A box to tick."""
    return tag(
        "label",
        tag("input", type="checkbox", name=name, checked=on, aria_label=words, data_change=change, **_sent(sent)),
        tag("span", words),
        class_="tick",
    )


def tabs(words: str, offered: Sequence[tuple[str, str]], chosen: str, do: str, **sent: Any) -> Html:
    """A row of presses of which one is chosen."""
    inside = [
        tag(
            "button",
            name,
            type="button",
            data_do=do,
            data_to=value,
            aria_current="page" if value == chosen else None,
            **_sent(sent),
        )
        for value, name in offered
    ]
    return tag("nav", *inside, class_="parts", aria_label=words)


def facts(pairs: Iterable[tuple[str, Any]]) -> Html:
    """Terms and what they are."""
    return tag("dl", *(join(tag("dt", name), tag("dd", value)) for name, value in pairs), class_="facts")


def numbers(pairs: Iterable[tuple[str, Any]]) -> Html:
    """Counters in a row."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs), class_="figures")


def problem(words: str) -> Html:
    """What went wrong, in a sentence."""
    return tag("p", words, class_="problem", role="alert")


def note(words: Any) -> Html:
    """A quiet sentence."""
    return tag("p", words, class_="quiet note")


def good(words: Any) -> Html:
    """A sentence about what has just been done."""
    return tag("p", words, class_="done", role="status")


def row(*inside: Any, class_: str = "") -> Html:
    """Things side by side that wrap where there is no room."""
    return tag("div", *inside, class_=f"line-up {class_}".strip())


def card(*inside: Any, class_: str = "", **more: Any) -> Html:
    """A framed piece of a part."""
    return tag("section", *inside, class_=f"piece {class_}".strip(), **more)


def fold(words: Any, *inside: Any, key: str | None = None) -> Html:
    """What is one click away."""
    return tag("details", tag("summary", words), *inside, data_key=key)


def table(head: Sequence[Any], rows: Iterable[Sequence[Any]], class_: str = "") -> Html:
    """A table that scrolls inside itself."""
    top = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head)))
    body = tag("tbody", *(tag("tr", *(tag("td", cell) for cell in cells)) for cells in rows))
    return tag("div", tag("table", top, body), class_=f"scroll {class_}".strip(), tabindex="0")


def failure(lang: str, failed: Mapping[str, Any]) -> Html:
    """The sentence of a failure as a job or a place tells it: {code, values}."""
    code, values = str(failed.get("code", "")), dict(failed.get("values") or {})
    if not has(lang, f"errors.{code}"):
        return problem(say(lang, "errors.unexpected", kind=code or "?", reason=values.get("reason", "")))
    from studio.errors import WorkError

    return problem(of_error(lang, WorkError(code, **values)))


def progress(lang: str, words: str, done: int, total: int, cancel: Html | None = None) -> Html:
    """How far something is: words, a bar, figures, and the way to end it."""
    share = min(100.0, 100 * done / total) if total else 0.0
    figures = f"{amounts.count(done)} / {amounts.count(total)}" if total else ""
    bar = tag(
        "div",
        tag("span", style=f"width:{share:.1f}%"),
        class_="bar",
        role="progressbar",
        aria_valuemin=0,
        aria_valuemax=100,
        aria_valuenow=round(share),
        aria_label=words,
    )
    return tag(
        "div",
        tag("div", tag("span", words), tag("span", figures, class_="quiet figure-of"), cancel, class_="line-up"),
        bar,
        class_="working",
        data_poll=True,
    )


def joined(lang: str, parts: Sequence[str]) -> str:
    """Names as a list of this language."""
    return listed(lang, list(parts))
