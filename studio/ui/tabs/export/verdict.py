"""The acceptance of an export: its verdict, what was measured, why, and how both answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from studio.exports import acceptance
from studio.texts import listed
from studio.ui import amounts
from studio.ui.markup import Html, tag
from studio.ui.tabs.data import controls
from studio.ui.tabs.export.visit import Visit

_SIGNS = {"passed": "✓", "lossy": "≈", "failed": "✕", "unchecked": "–"}


def draw(visit: Visit) -> Html | None:
    """The verdict once there is one; what will be looked at before."""
    found = visit.opened.acceptance if visit.opened is not None else {}
    if not found.get("state"):
        return None
    state = str(found["state"])
    headline, lines = acceptance.told(visit.lang, found)
    banner = tag("div", tag("i", _SIGNS.get(state, "–"), aria_hidden="true"),
                 tag("p", headline), class_=f"accepted {state}", role="status")
    reasons = tag("ul", *(tag("li", one) for one in lines), class_="reasons") if lines else None
    figures = list(_figures(visit, found))
    return tag("section", banner, reasons, controls.numbers(figures) if figures else None, _asked(visit, found),
               _template(visit, found), _chat(visit, found), class_="acceptance-of", data_key="acceptance")


def _figures(visit: Visit, found: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    agreement, difference = found.get("token_agreement"), found.get("max_logit_difference")
    if isinstance(agreement, int | float):
        yield visit.say("verdict.agreement"), f"{100 * agreement:.4g} %"
    if isinstance(found.get("answers_same"), int):
        yield visit.say("verdict.answers"), f"{found['answers_same']} / {found.get('rows')}"
    if isinstance(difference, int | float):
        yield visit.say("verdict.logits"), f"{difference:.3g}"
    both = found.get("perplexity") or {}
    if both.get("source") is not None and both.get("result") is not None:
        yield visit.say("verdict.perplexity"), f"{both['source']:.4g} → {both['result']:.4g}"
    for name, good, bad in (("template", "same", "differs"), ("ends", "holds", "lost")):
        if isinstance(found.get(name), bool):
            yield visit.say(f"verdict.{name}"), visit.say(f"verdict.{good if found[name] else bad}")


def _asked(visit: Visit, found: Mapping[str, Any]) -> Html | None:
    """Which rows were replayed, and by what."""
    origin = found.get("from")
    if not isinstance(origin, Mapping) or not found.get("rows"):
        return None
    words = visit.say(f"verdict.from.{origin.get('origin', 'shipped')}", rows=amounts.count(found["rows"]),
                      names=listed(visit.lang, [str(one) for one in origin.get("names") or ()]) or "–")
    runtime = visit.say("verdict.opened_by", runtime=acceptance.runtime(visit.lang, str(found.get("runtime") or "")))
    return controls.note(visit.say("verdict.rows_and_runtime", rows=words, runtime=runtime))


def _template(visit: Visit, found: Mapping[str, Any]) -> Html | None:
    """Where the result's spelling of a conversation parts from that of training."""
    spelling = found.get("spelling")
    if not isinstance(spelling, Mapping) or not (spelling.get("expected") or spelling.get("found")):
        return None
    pairs = [(visit.say("verdict.expected"), tag("code", spelling.get("expected") or " ")),
             (visit.say("verdict.found"), tag("code", spelling.get("found") or " "))]
    return controls.facts(pairs)


def _chat(visit: Visit, found: Mapping[str, Any]) -> Html | None:
    """A short talk with both."""
    talks = [one for one in found.get("chat") or () if isinstance(one, Mapping)]
    if not talks:
        return None
    head = [visit.say(f"verdict.{word}") for word in ("asked", "source", "result")]
    rows = [tag("tr", *(tag("td", cell, data_label=name) for name, cell in zip(head, _row(one), strict=True)))
            for one in talks]
    table = tag("table", tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head))), tag("tbody", *rows))
    return tag("div", tag("h3", visit.say("verdict.talk")), tag("div", table, class_="scroll short-talk", tabindex="0"))


def _row(one: Mapping[str, Any]) -> tuple[Any, ...]:
    same = one.get("source") == one.get("result")
    return (*(tag("span", one.get(name) or "–", class_="said-of") for name in ("prompt", "source")),
            tag("span", one.get("result") or "–", class_="said-of" if same else "said-of other"))
