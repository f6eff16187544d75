"""The acceptance in a model card: what was looked at when the result was opened by the program it is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from studio.exports import acceptance
from studio.exports.card import page
from studio.exports.card.facts import Facts
from studio.texts import has, listed
from studio.texts.markdown import code, fenced, inline, table

MOST_SHOWN = 400  # characters of a question or an answer


def section(facts: Facts, lang: str) -> Iterator[str]:
    """The verdict, its figures, its reasons and a few answers."""
    if not facts.verdict.get("state"):
        return
    yield from page.section("acceptance", lang)
    headline, reasons = acceptance.told(lang, facts.verdict)
    yield f"**{inline(headline)}**"
    rows = list(_figures(facts.verdict, lang))
    if rows:
        yield ""
        yield from table([page.said(lang, f"acceptance.{name}") for name in ("measure", "value")], rows)
    if reasons:
        yield from ("", *(f"- {inline(one)}" for one in reasons))
    yield from _chat(facts.verdict.get("chat"), lang)


def _figures(told: Mapping[str, Any], lang: str) -> Iterator[Sequence[str]]:
    def row(name: str, value: str) -> Sequence[str]:
        return page.said(lang, f"acceptance.{name}"), value

    if origin := _origin(told, lang):
        yield row("rows", origin)
    for name, key in (("agreement", "token_agreement"), ("answers", "answer_agreement")):
        if (share := _number(told.get(key))) is not None:
            yield row(name, f"{100 * share:.4g} %")
    if (logit := _number(told.get("max_logit_difference"))) is not None:
        yield row("logit", f"{logit:.3g}")
    both = told.get("perplexity")
    values = [_number(both.get(name)) for name in ("source", "result")] if isinstance(both, Mapping) else [None]
    if None not in values:
        yield row("perplexity", " → ".join(f"{value:.5g}" for value in values))
    for name in ("template", "ends"):
        if isinstance(told.get(name), bool):
            yield row(name, page.said(lang, f"acceptance.{'yes' if told[name] else 'no'}"))


def _origin(told: Mapping[str, Any], lang: str) -> str:
    """How many rows were asked, and whose they are."""
    where, rows = told.get("from"), told.get("rows")
    if not isinstance(where, Mapping) or not rows:
        return ""
    if not has(lang, f"exports.card.acceptance.origin.{where.get('origin')}"):
        return ""
    names = listed(lang, [code(name) for name in where.get("names") or ()])
    return page.said(lang, f"acceptance.origin.{where['origin']}", rows=rows, names=names)


def _chat(talk: Any, lang: str) -> Iterator[str]:
    """A few questions with the answers of the result."""
    turns = [one for one in talk or () if isinstance(one, Mapping) and one.get("result") is not None]
    if turns:
        yield from ("", page.said(lang, "acceptance.chat"))
    for one in turns:
        question = "\n".join(f"> {line}" for line in _cut(one.get("prompt")).splitlines())
        yield ""
        yield from fenced(f"{question}\n{_cut(one['result'])}", "text")


def _cut(text: Any) -> str:
    text = str(text or "")
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value == value else None
