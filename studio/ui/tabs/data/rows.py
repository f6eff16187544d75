"""Rows: a page of a set's rows, as conversations or raw; found, ordered, edited, deleted, restored, and saved anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from studio.data.browse import Browser, Row, View
from studio.data.edits import DELETED, EDITED
from studio.texts import say
from studio.ui import amounts
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls, doctor, editing, indexing, readers, talk
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit

PAGE_ROWS = 10
_ORDERS = ("", "longest", "shortest")


def draw(visit: Visit) -> Html:
    """The tools, and one page of rows; while a large set is being indexed, how far that is."""
    waiting = indexing.working(visit)
    if waiting is not None:
        return waiting
    browser = indexing.opened(visit)
    view, held = _view(visit), visit.place.of("rows")
    if view.order and not indexing.can_order(visit, browser):
        view = View(view.only)
    count = browser.count(view)
    page = min(max(0, int(held.get("page", 0))), max(0, (count - 1) // PAGE_ROWS))
    rows = [_row(visit, browser, one) for one in browser.page(view, page, PAGE_ROWS)]
    empty = controls.note(visit.say("rows.none_found" if browser.index.rows else "rows.none")) if not rows else None
    return join(
        _tools(visit, indexing.can_order(visit, browser), doctor.findings(visit)),
        indexing.note(visit),
        _narrowed(visit, count),
        _choice(visit),
        editing.bar(visit, browser.draft),
        _pager(visit, count, page, "above"),
        empty,
        tag("ol", *rows, class_="rows", start=page * PAGE_ROWS + 1),
        _pager(visit, count, page, "below") if len(rows) > 3 else None,
    )


def turn(visit: Visit, said: Mapping[str, Any]) -> Place:
    """To another page, counted from 0."""
    return visit.place.keep("rows", page=_whole(said.get("to"), 0), open="")


def jump(visit: Visit, said: Mapping[str, Any]) -> Place:
    """To the row whose number, counted from 1, was typed."""
    wanted = _whole((said.get("fields") or {}).get("number"), 1) - 1
    page = indexing.opened(visit).page_of(wanted, _view(visit), PAGE_ROWS)
    if page is None:
        return visit.place.tell("page.data.rows.not_there", number=amounts.count(wanted + 1))
    return visit.place.keep("rows", page=page, marked=wanted)


def view(visit: Visit, said: Mapping[str, Any]) -> Place:
    """As conversations, or as they stand in the file."""
    return visit.place.keep("rows", view=str(said.get("to", "")))


def order(visit: Visit, said: Mapping[str, Any]) -> Place:
    """As in the file, or by length."""
    chosen = str(said.get("value", ""))
    return visit.place.keep("rows", order=chosen if chosen in _ORDERS else "", page=0)


def search(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Only the rows that hold the words; a long search goes on by itself."""
    return indexing.search(visit, str((said.get("fields") or {}).get("words", "")).strip())


def everything(visit: Visit, said: Mapping[str, Any]) -> Place:
    """All rows again."""
    return visit.place.keep("rows", only=None, why="", words="", page=0)


def seen(visit: Visit, said: Mapping[str, Any]) -> Place:
    """This row under the microscope."""
    return visit.place.keep("seen", number=_whole(said.get("to"), 0)).turn("seen")


def choose(visit: Visit, said: Mapping[str, Any]) -> Place:
    """One row more, or one less, among the chosen ones."""
    number, chosen = int(said.get("number", 0)), set(_chosen(visit))
    chosen = chosen | {number} if said.get("value") in (True, "true") else chosen - {number}
    return visit.place.keep("rows", chosen=sorted(chosen))


def choose_page(visit: Visit, said: Mapping[str, Any]) -> Place:
    """All rows of the page in sight among the chosen ones."""
    page = _whole(visit.place.of("rows").get("page"), 0)
    there = [one.place.number for one in indexing.opened(visit).page(_view(visit), page, PAGE_ROWS)]
    return visit.place.keep("rows", chosen=sorted({*_chosen(visit), *there}))


def choose_none(visit: Visit, said: Mapping[str, Any]) -> Place:
    """No row chosen."""
    return visit.place.keep("rows", chosen=[])


def delete_chosen(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Leave the chosen rows out, in one step that one press undoes."""
    editing.draft(visit).delete(_chosen(visit))
    return visit.place.keep("rows", chosen=[])


def delete_found(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Leave out all rows that were found or filtered, in one step that one press undoes."""
    only = visit.place.of("rows").get("only")
    if only is None:
        return visit.place
    numbers = np.load(only) if isinstance(only, str) else only
    editing.draft(visit).delete(int(number) for number in numbers)
    return visit.place


def problem(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Only the rows of one of the doctor's findings."""
    code = str(said.get("value", ""))
    return doctor.rows(visit, {"code": code}) if code else everything(visit, said)


ACTIONS = {
    "choose": choose,
    "choose_page": choose_page,
    "choose_none": choose_none,
    "delete_chosen": delete_chosen,
    "delete_found": delete_found,
    "problem": problem,
    "turn": turn,
    "jump": jump,
    "view": view,
    "order": order,
    "search": search,
    "everything": everything,
    "seen": seen,
    **editing.ACTIONS,
    **indexing.ACTIONS,
}


def _view(visit: Visit) -> View:
    held = visit.place.of("rows")
    only = held.get("only")
    return View(Path(only) if isinstance(only, str) else only, str(held.get("order", "")))


def _chosen(visit: Visit) -> list[int]:
    """The numbers of the chosen rows, on whatever page they stand."""
    return list(visit.place.of("rows").get("chosen") or [])


def _choice(visit: Visit) -> Html | None:
    """How many rows are chosen and what can be done with them; nothing while none is."""
    count = len(_chosen(visit))
    if not count:
        return None
    return tag(
        "div",
        tag("span", visit.say("rows.chosen", count=amounts.count(count))),
        controls.button(visit.say("rows.choose_page"), "choose_page", kind="link"),
        controls.button(visit.say("rows.choose_none"), "choose_none", kind="link"),
        controls.button(visit.say("rows.delete_chosen", count=amounts.count(count)), "delete_chosen"),
        class_="line-up narrowed",
        data_key="chosen",
    )


def _whole(value: Any, otherwise: int) -> int:
    text = str(value or "").replace(",", "").strip()
    return int(text) if text.isdigit() else otherwise


def _tools(visit: Visit, ordered: bool, found: list[tuple[str, str]]) -> Html:
    held = visit.place.of("rows")
    views = controls.tabs(
        visit.say("rows.views"),
        [("talk", visit.say("rows.as_talk")), ("raw", visit.say("rows.as_raw"))],
        "raw" if held.get("view") == "raw" else "talk",
        "view",
    )
    words = controls.form(
        "search",
        controls.field(
            "words",
            held.get("words", ""),
            kind="search",
            hint=visit.say("rows.search"),
            name_for=visit.say("rows.search"),
        ),
        class_="inline grow",
    )
    orders = tag(
        "div",
        controls.choose(
            "order",
            [(one, visit.say(f"rows.order_{one or 'file'}")) for one in _ORDERS],
            str(held.get("order", "")),
            name_for=visit.say("rows.order"),
            change="order",
        ),
        class_="order",
    )
    number = controls.field(
        "number", "", hint=visit.say("rows.number"), inputmode="numeric", name_for=visit.say("rows.number")
    )
    jump_to = controls.form("jump", number, class_="inline short")
    return controls.row(views, words, _problems(visit, found), orders if ordered else None, jump_to, class_="tools")


def _problems(visit: Visit, found: list[tuple[str, str]]) -> Html | None:
    """The choice among what the doctor has found."""
    if not found:
        return None
    held = visit.place.of("rows")
    chosen = str(held.get("code", "")) if held.get("why") else ""
    offered = [("", visit.say("rows.any_problem")), *found]
    name = visit.say("rows.problem")
    return tag("div", controls.choose("problem", offered, chosen, name_for=name, change="problem"), class_="order")


def _narrowed(visit: Visit, count: int) -> Html | None:
    """Why not all rows are here, and the way back to all."""
    held = visit.place.of("rows")
    if held.get("only") is None:
        return None
    why = (
        visit.say("rows.found", count=amounts.count(count), words=held["words"])
        if held.get("words")
        else (
            visit.say(
                "rows.filtered", count=amounts.count(count), why=say(visit.lang, held["why"]) if held.get("why") else ""
            )
        )
    )
    return controls.row(
        tag("span", why),
        controls.button(visit.say("rows.everything"), "everything", kind="link"),
        controls.button(visit.say("rows.delete_found", count=amounts.count(count)), "delete_found", kind="link"),
        class_="narrowed",
    )


def _pager(visit: Visit, rows: int, page: int, where: str) -> Html:
    first, last = page * PAGE_ROWS, min(rows, (page + 1) * PAGE_ROWS)
    end = max(0, (rows - 1) // PAGE_ROWS)
    steps = (
        ("first", "«", 0, page == 0),
        ("before", "‹", page - 1, page == 0),
        ("after", "›", page + 1, page >= end),
        ("last", "»", end, page >= end),
    )
    buttons = [
        controls.button(sign, "turn", to=to, off=off, title=visit.say(f"rows.{name}"), key=f"{where}-{name}")
        for name, sign, to, off in steps
    ]
    words = visit.say(
        "rows.range", first=amounts.count(first + 1 if rows else 0), last=amounts.count(last), rows=amounts.count(rows)
    )
    return tag("div", *buttons[:2], tag("span", words, class_="quiet"), *buttons[2:], class_="pager", data_key=where)


def _row(visit: Visit, browser: Browser, row: Row) -> Html:
    number, held = row.place.number, visit.place.of("rows")
    if held.get("open") == str(number):
        return tag("li", _head(visit, row), editing.editor(visit, row), class_="row open", data_key=f"row-{number}")
    as_raw = held.get("view") == "raw" or row.sample is None
    why = None
    if row.skipped:
        why = controls.problem(visit.say("rows.unused", reason=readers.reason(visit.lang, row.skipped)))
    inside = talk.raw(row.text) if as_raw or row.sample is None else talk.conversation(visit, row.sample)
    marked = str(held.get("marked", "")) == str(number)
    return tag(
        "li",
        _head(visit, row),
        why,
        inside,
        class_=" ".join(filter(None, ("row", row.state, "marked" if marked else ""))),
        data_key=f"row-{number}",
    )


def _head(visit: Visit, row: Row) -> Html:
    number = row.place.number
    name = visit.say("rows.added") if number < 0 else amounts.count(number + 1)
    where = None
    if number >= 0:
        where = tag(
            "small",
            visit.say("rows.where", file=row.place.file, line=amounts.count(row.place.line)),
            class_="quiet where",
        )
    state = tag("span", visit.say(f"rows.state_{row.state}"), class_="chip") if row.state in (EDITED, DELETED) else None
    press = [controls.button(visit.say("rows.seen"), "seen", kind="link", to=number)] if row.state == "" else []
    if row.state == DELETED:
        press.append(controls.button(visit.say("rows.restore"), "restore", kind="link", to=number))
    else:
        if row.state == EDITED:
            press.append(controls.button(visit.say("rows.restore"), "restore", kind="link", to=number))
        press += [
            controls.button(visit.say("rows.edit"), "edit", kind="link", to=number),
            controls.button(visit.say("rows.delete"), "delete", kind="link", to=number),
        ]
    box = tag(
        "input",
        type="checkbox",
        checked=number in _chosen(visit),
        aria_label=visit.say("rows.choose", number=name),
        data_change="choose",
        data_number=number,
        data_key=f"choose-{number}",
    )
    presses = tag("span", *press, class_="presses")
    return tag("header", tag("label", box, class_="tick"), tag("strong", name), where, state, presses, class_="line-up")
