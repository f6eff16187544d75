"""The acceptance in a model card: what was looked at when the result was opened by the program it is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from studio.exports.card import page
from studio.exports.card.facts import Facts
from studio.texts import has, say
from studio.texts.markdown import fenced, inline, table

STATES = ("passed", "lossy", "failed", "unchecked")
MOST_TURNS, MOST_SHOWN = 3, 400


def section(facts: Facts, lang: str) -> Iterator[str]:
    """The verdict, its figures, its reasons and a few answers."""
    told = facts.verdict
    state = told.get("state")
    if state not in STATES:
        return
    yield from page.section("acceptance", lang)
    yield page.said(lang, f"acceptance.{state}", runtime=inline(str(told.get("runtime") or page.form(facts, lang))),
                    rows=_whole(told.get("rows")))
    rows = list(_figures(told, lang))
    if rows:
        yield ""
        yield from table([page.said(lang, f"acceptance.{name}") for name in ("measure", "value")], rows)
    reasons = [reason for one in told.get("reasons") or [] if (reason := _reason(one, lang))]
    if reasons:
        yield from ("", *(f"- {inline(one)}" for one in reasons))
    yield from _chat(told.get("chat"), lang)


def _figures(told: Mapping[str, Any], lang: str) -> Iterator[Sequence[str]]:
    def row(name: str, value: str) -> Sequence[str]:
        return page.said(lang, f"acceptance.{name}"), value

    if (share := _number(told.get("token_agreement"))) is not None:
        yield row("agreement", f"{100 * share:.4g} %")
    if (logit := _number(told.get("max_logit_difference"))) is not None:
        yield row("logit", f"{logit:.3g}")
    both = told.get("perplexity")
    if isinstance(both, Mapping):
        values = [_number(both.get(name)) for name in ("source", "result")]
        if None not in values:
            yield row("perplexity", " → ".join(f"{value:.5g}" for value in values))
    for name in ("template", "ends"):
        if isinstance(told.get(name), bool):
            yield row(name, page.said(lang, f"acceptance.{'yes' if told[name] else 'no'}"))


def _reason(one: Any, lang: str) -> str:
    """The sentence of a reason; "" for one that this studio has no words for."""
    if not isinstance(one, Mapping) or not has(lang, key := f"exports.acceptance.{one.get('code')}"):
        return ""
    values = {name: value for name, value in one.items() if name != "code"}
    try:
        return say(lang, key, **values)
    except (KeyError, IndexError, ValueError):
        return ""


def _chat(talk: Any, lang: str) -> Iterator[str]:
    """A few questions with the answers of source and result."""
    turns = [one for one in talk if isinstance(one, Mapping)] if isinstance(talk, list) else []
    turns = [one for one in turns if one.get("prompt") and one.get("result") is not None][:MOST_TURNS]
    if not turns:
        return
    yield from ("", page.said(lang, "acceptance.chat"))
    for one in turns:
        yield ""
        yield from fenced("\n".join([f"> {one['prompt']}", str(one["result"])]), "text", MOST_SHOWN)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value == value else None


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
