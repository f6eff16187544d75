"""The card "This run": what Start would do, in plain words and figures, before it happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.texts import listed, say
from studio.ui import amounts
from studio.ui.markup import Html, join, tag


def card(spec: Any, forecast: Any, lang: str) -> Html:
    """Rows, steps, time, trained share and memory of a spec."""
    rows = say(
        lang,
        "page.card.rows_held" if forecast.eval_rows else "page.card.rows",
        rows=amounts.count(forecast.rows),
        held=amounts.count(forecast.eval_rows),
    )
    data = tag("strong", listed(lang, list(spec.dataset)))
    return tag(
        "div",
        tag("p", data, " · ", rows),
        tag("p", _steps(forecast, lang)),
        tag("p", _share(forecast, lang)),
        _memory(forecast, lang),
        class_="forecast",
        aria_live="polite",
    )


def _steps(forecast: Any, lang: str) -> str:
    words = say(lang, "page.card.steps", epochs=f"{forecast.epochs:.3g}", steps=amounts.count(forecast.steps))
    return (
        words
        if forecast.seconds is None
        else say(lang, "page.card.steps_time", steps=words, time=amounts.about(lang, forecast.seconds))
    )


def _share(forecast: Any, lang: str) -> str:
    if not forecast.parameters or forecast.trainable is None:
        return say(lang, "page.card.share_unknown")
    return say(
        lang,
        "page.card.share",
        trained=amounts.count(forecast.trainable),
        all=amounts.count(forecast.parameters),
        share=amounts.share(forecast.trainable, forecast.parameters),
    )


def _memory(forecast: Any, lang: str) -> Html:
    need, free = forecast.memory_bytes, forecast.memory_free
    disk = say(lang, "page.card.disk", size=amounts.size(forecast.disk_bytes)) if forecast.disk_bytes else ""
    if not need or not free:
        return tag("p", disk or "\u00a0")
    short = need > free
    key = "page.card.memory_short" if short else "page.card.memory"
    words = say(lang, key, need=amounts.size(need), free=amounts.size(free))
    bar = tag(
        "div",
        tag("span", style=f"width:{min(100.0, 100 * need / free):.1f}%"),
        class_=f"bar memory {'failed' if short else ''}",
        aria_hidden="true",
    )
    return join(bar, tag("p", words, class_="problem" if short else None), tag("p", disk) if disk else None)


def troubles(wrong: Sequence[tuple[str, str]], lang: str) -> Html:
    """Everything that keeps a run from starting; each sentence leads to its field."""
    items = [
        tag("li", tag("a", words, href=f"#arg-{name}", data_field=name) if name else words) for name, words in wrong
    ]
    title = say(lang, "page.card.one_problem" if len(wrong) == 1 else "page.card.problems", count=len(wrong))
    return tag("div", tag("p", tag("strong", title)), tag("ul", *items), class_="forecast problem", role="alert")


def code(text: str, name: str, lang: str, save_as: str = "") -> Html:
    """A text to read, copy and save."""
    buttons = [tag("button", say(lang, "page.card.copy"), type="button", class_="tool", data_copy=name)]
    if save_as:
        buttons.append(
            tag("button", say(lang, "page.card.save"), type="button", class_="tool", data_save=save_as, data_of=name)
        )
    body = tag("pre", text or say(lang, "page.card.no_text"), id=f"text-{name}", tabindex="0")
    return tag("div", tag("div", *buttons, class_="tools"), body, class_="code")
