"""Answers row by row: fixed and broken as filters, sorted, searched, paged, whatever their number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.scores import compare
from studio.scores.browse import ORDERS, Page, Shown, View
from studio.scores.predictions import LENGTH, Prediction
from studio.scores.report import wording
from studio.scores.summary import written
from studio.texts import say
from studio.ui import amounts
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls
from studio.ui.tabs.evaluate import row as opened
from studio.ui.tabs.evaluate import scores
from studio.ui.tabs.evaluate.place import Place
from studio.ui.tabs.evaluate.visit import Visit

PAGE_ROWS = 20
_CUT = 280  # characters of a text in the table


def draw(visit: Visit) -> Html | None:
    """The filters and one page of rows; nothing before the first answer."""
    if not len(visit.predictions.rows):
        return None
    view, held = view_of(visit), visit.place.of("rows")
    at = max(0, int(held.get("page") or 0))
    page = visit.predictions.page(view, at * PAGE_ROWS, PAGE_ROWS)
    if at and not page.rows:
        at = max(0, (page.total - 1) // PAGE_ROWS)
        page = visit.predictions.page(view, at * PAGE_ROWS, PAGE_ROWS)
    empty = controls.note(visit.say("rows.none")) if not page.rows else None
    return tag("section", tag("h3", visit.say("rows.title")), _buckets(visit, view, page), _tools(visit, view),
               _pager(visit, page.total, at, "above"), empty, _table(visit, view, page) if page.rows else None,
               _pager(visit, page.total, at, "below") if len(page.rows) > 8 else None, class_="answers-section",
               data_key="rows")


def view_of(visit: Visit) -> View:
    """What of the answers is in sight."""
    held, models = visit.place.of("rows"), list(visit.models)
    first = str(held.get("a") or "")
    last = str(held.get("b") or "")
    first = first if first in models else models[0] if models else ""
    last = last if last in models else models[-1] if models else ""
    order = str(held.get("order") or "row")
    return View(tuple(dict.fromkeys(one for one in (first, last) if one)), scores.metric_of(visit), None,
                str(held.get("bucket") or ""), LENGTH if held.get("cut") else "", str(held.get("words") or ""),
                order.removeprefix("-"), order.startswith("-"))


# ---- the filters

def _buckets(visit: Visit, view: View, page: Page) -> Html | None:
    """How many rows are fixed, broken, the same; each a filter, all of them the way back."""
    if not page.counts:
        return None
    every = sum(page.counts.values())
    names = [one for one in compare.ALL_BUCKETS if one != compare.UNKNOWN or page.counts[one]]
    presses = [_bucket(visit, "", visit.say("rows.every"), every, view.bucket)]
    presses += [_bucket(visit, one, say(visit.lang, f"scores.bucket.{one}"), page.counts[one], view.bucket)
                for one in names]
    strip = [tag("i", class_=one, style=f"flex:{page.counts[one] / max(1, every):.4f}") for one in compare.BUCKETS
             if page.counts[one]]
    return tag("div", tag("div", *strip, class_="strip", aria_hidden="true"),
               tag("div", *presses, class_="buckets", role="group", aria_label=visit.say("rows.buckets")),
               _rule(visit, view), class_="by-bucket", data_key="buckets")


def _bucket(visit: Visit, name: str, words: str, count: int, now: str) -> Html:
    return tag("button", tag("b", amounts.count(count)), tag("span", words), type="button", data_do="bucket",
               data_to=name, data_key=f"bucket-{name or 'every'}", class_=f"press bucket {name}".strip(),
               aria_pressed="true" if name == now else "false")


def _rule(visit: Visit, view: View) -> Html:
    """Between whom and by what the rows are told apart."""
    found = visit.summary
    metrics = [(one, wording.label(one)(visit.lang)) for one in (found.metrics if found else ()) if found
               and one in found.buckets]
    by = controls.choose("metric", metrics, view.metric, name_for=visit.say("rows.by"), change="metric")
    threshold = visit.predictions.buckets(view)
    scale = compare.scale_of(view.metric)
    figure = "" if threshold is None else wording.unit(view.metric, f"{threshold.threshold * scale:g}")
    way = "rows.right_from" if compare.is_higher(view.metric) else "rows.right_to"
    right = tag("span", visit.say(way, threshold=figure))
    return tag("p", visit.say("rows.by"), " ", by, " ", right, class_="quiet rule")


def _tools(visit: Visit, view: View) -> Html:
    held = visit.place.of("rows")
    hint = visit.say("rows.search")
    search = controls.form("search", controls.field("words", view.words, kind="search", hint=hint, name_for=hint),
                           class_="inline grow")
    orders = [(one, visit.say(f"rows.order.{one.replace('-', 'down_')}")) for one in _orders(visit)]
    order = tag("div", controls.choose("order", orders, str(held.get("order") or "row"), change="order",
                                       name_for=visit.say("rows.order_name")), class_="order")
    cut = controls.tick("cut", visit.say("rows.cut"), bool(held.get("cut")), change="cut") \
        if any(visit.predictions.endings(one).get(LENGTH) for one in view.models) else None
    return controls.row(search, order, _sides(visit, view), cut, class_="tools")


def _sides(visit: Visit, view: View) -> Html | None:
    """Which two of several models are compared."""
    if len(visit.models) < 3:
        return None
    offered = [(one, one) for one in visit.models]
    sides = [controls.choose("side", offered, name, name_for=visit.say(f"rows.side_{side}"), change="side", side=side)
             for side, name in (("a", view.models[0]), ("b", view.models[-1]))]
    return tag("div", sides[0], " → ", sides[1], class_="sides")


def _orders(visit: Visit) -> list[str]:
    """The orders that make sense here; a minus is downwards."""
    without = {"row", *(() if visit.summary else ("score", "change")), *(() if len(visit.models) > 1 else ("change",))}
    found = [one for one in ORDERS if one not in without]
    return ["row", *(way + one for one in found for way in ("", "-"))]


def _pager(visit: Visit, total: int, at: int, where: str) -> Html | None:
    if total <= PAGE_ROWS:
        return None
    end = max(0, (total - 1) // PAGE_ROWS)
    steps = (("first", "«", 0, at == 0), ("before", "‹", at - 1, at == 0), ("after", "›", at + 1, at >= end),
             ("last", "»", end, at >= end))
    presses = [controls.button(sign, "page", to=to, off=off, title=say(visit.lang, f"page.data.rows.{name}"),
                               key=f"{where}-{name}") for name, sign, to, off in steps]
    first, last = at * PAGE_ROWS + 1 if total else 0, min(total, (at + 1) * PAGE_ROWS)
    words = say(visit.lang, "page.data.rows.range", first=amounts.count(first), last=amounts.count(last),
                rows=amounts.count(total))
    return tag("div", *presses[:2], tag("span", words, class_="quiet"), *presses[2:], class_="pager", data_key=where)


# ---- the table

def _table(visit: Visit, view: View, page: Page) -> Html:
    names = list(view.models)
    places = {name: list(visit.models).index(name) for name in names}
    heads = [visit.say("rows.row"), visit.say("rows.question"), visit.say("rows.reference")]
    cells = [tag("th", one, scope="col") for one in heads]
    cells += [tag("th", scores.mark(places[name]), " ", name, scope="col") for name in names]
    threshold = visit.predictions.buckets(view)
    right = threshold.threshold if threshold is not None else compare.threshold_of(view.metric) if view.metric else None
    body = [part for one in page.rows for part in _row(visit, view, one, right)]
    return tag("div", tag("table", tag("thead", tag("tr", *cells)), tag("tbody", *body)), class_="scroll answers-of",
               data_key="answers")


def _row(visit: Visit, view: View, one: Shown, right: float | None) -> list[Html]:
    is_open = str(visit.place.of("rows").get("open", "")) == str(one.row)
    found = (one.answers.get(name) or visit.predictions.prediction(name, one.row) for name in visit.models)
    given = next((answer for answer in found if answer is not None), None)
    question = controls.button(_short(given.question if given else ""), "row", to=one.row, kind="link question-of",
                               title=visit.say("rows.close" if is_open else "rows.open"),
                               expanded="true" if is_open else "false")
    bucket = tag("span", say(visit.lang, f"scores.bucket.{one.bucket}"), class_=f"bucket-of {one.bucket}") \
        if one.bucket else None
    cells = [tag("td", tag("span", amounts.count(one.row + 1)), bucket, class_="number"),
             tag("td", question, data_label=visit.say("rows.question")),
             tag("td", _short(given.reference if given else ""), data_label=visit.say("rows.reference"))]
    cells += [tag("td", _answer(visit, answer, view.metric, right), data_label=name)
              for name, answer in one.answers.items()]
    lines = [tag("tr", *cells, class_=f"answer-row {'open' if is_open else ''}".strip(), data_key=f"row-{one.row}")]
    if is_open:
        lines.append(tag("tr", tag("td", opened.draw(visit, view, one), colspan=len(cells)), class_="row-opened",
                         data_key=f"opened-{one.row}"))
    return lines


def _answer(visit: Visit, one: Prediction | None, metric: str, right: float | None) -> Html:
    """The answer with its mark: right, wrong, or how much of it."""
    if one is None:
        return tag("span", visit.say("rows.unanswered"), class_="quiet")
    said = _short(one.answer) if one.answer.strip() else tag("span", visit.say("rows.empty"), class_="quiet")
    cut = tag("small", visit.say("rows.ended"), class_="chip") if one.finish == LENGTH else None
    return join(judged(visit, one, metric, right), tag("span", said, class_="said-of"), cut)


def judged(visit: Visit, one: Prediction, metric: str, right: float | None) -> Html | None:
    """✓ or ✗ by the metric; beside it the score where there is more than yes and no."""
    value = one.scores.get(metric)
    if value is None or right is None or not compare.has_sides(metric):
        return None
    is_right = value >= right if compare.is_higher(metric) else value <= right
    word = visit.say("rows.right" if is_right else "rows.wrong")
    sign = tag("i", "✓" if is_right else "✗", class_="right" if is_right else "wrong", title=word, role="img",
               aria_label=word)
    exact = None if value in (0.0, 1.0) else tag("small", written(value * compare.scale_of(metric), 0 if
                                                  compare.scale_of(metric) == 100 else 2), class_="quiet")
    return tag("span", sign, exact, class_="judged")


def _short(text: str) -> str:
    words = text.strip()
    return words if len(words) <= _CUT else f"{words[:_CUT]} …"


# ---- presses

def bucket(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Only the rows of a bucket, or all."""
    return visit.place.keep("rows", bucket=str(said.get("to", "")), page=0, open="")


def search(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Only the rows that hold the words."""
    return visit.place.keep("rows", words=str((said.get("fields") or {}).get("words", "")).strip()[:400], page=0)


def order(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Another order."""
    wanted = str(said.get("value", ""))
    return visit.place.keep("rows", order=wanted if wanted.removeprefix("-") in ORDERS else "row", page=0)


def cut(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Only the rows whose last answer was cut off, or all."""
    return visit.place.keep("rows", cut=said.get("value") in (True, "true"), page=0)


def side(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Compare another model."""
    name, which = str(said.get("value", "")), "b" if said.get("side") == "b" else "a"
    now = dict(zip("ab", (view_of(visit).models[0], view_of(visit).models[-1])))
    other = "a" if which == "b" else "b"
    swapped = {other: now[which]} if name == now[other] else {}
    return visit.place.keep("rows", page=0, **{which: name, **swapped})


def page(visit: Visit, said: Mapping[str, Any]) -> Place:
    """To another page, counted from 0."""
    to = str(said.get("to", ""))
    return visit.place.keep("rows", page=int(to) if to.isdigit() else 0, open="")


def row(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Open a row, or close it."""
    wanted, now = str(said.get("to", "")), str(visit.place.of("rows").get("open", ""))
    return visit.place.keep("rows", open="" if wanted == now else wanted, tokens="")


ACTIONS = {"bucket": bucket, "search": search, "order": order, "cut": cut, "side": side, "page": page, "row": row,
           **opened.ACTIONS}
