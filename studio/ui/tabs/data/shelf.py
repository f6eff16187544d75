"""The list of sets: name, rows, format, whether it stands on this disk; searched, the opened one marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.data import catalogue
from studio.errors import StudioError
from studio.texts.errors import of_error
from studio.ui import amounts, counting
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls, doctor
from studio.ui.tabs.data.place import FREE, Place
from studio.ui.tabs.data.visit import Visit

_MOST_LISTED = 200


def draw(visit: Visit) -> Html:
    """Ways in, a search, and every set that matches."""
    asked = str(visit.place.of("shelf").get("query", ""))
    ways = [
        controls.button(
            visit.say(f"parts.{part}"),
            "part",
            to=part,
            kind="wide",
            title=visit.say(f"ways.{part}"),
            current="" if visit.place.set or visit.place.part != part else "page",
        )
        for part in FREE
    ]
    search = controls.field(
        "query",
        asked,
        kind="search",
        hint=visit.say("shelf.search"),
        name_for=visit.say("shelf.search"),
        typed="find",
        id="data-search",
    )
    return join(
        tag("div", *ways, class_="ways"), tag("div", search, data_form=True, class_="finding"), _sets(visit, asked)
    )


def find(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Only the sets whose name or format holds the words."""
    return visit.place.keep("shelf", query=str(said.get("value", ""))[:200])


def remove(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Take the opened set out of the list; its files stay, and it can be put back."""
    gone = catalogue.Catalogue(visit.desk.workspace).put_away(visit.place.name)
    return visit.place.turn("bring").forget("bring").keep("shelf", gone=gone)


def put_back(visit: Visit, said: Mapping[str, Any]) -> Place:
    """List again what was removed last, and open it."""
    gone = visit.place.of("shelf").get("gone")
    if gone is None:
        return visit.place
    catalogue.Catalogue(visit.desk.workspace).put_back(gone)
    return visit.place.keep("shelf", gone=None).open(gone.name, "rows")


def removed(visit: Visit) -> Html | None:
    """What was removed last, where its files are, and the way back; until another set is opened."""
    gone = visit.place.of("shelf").get("gone")
    if gone is None or visit.place.set:
        return None
    words = visit.say("shelf.removed" if gone.path else "shelf.removed_remote", name=gone.name, path=gone.path)
    return controls.row(tag("span", words), controls.button(visit.say("shelf.put_back"), "put_back"), class_="narrowed")


ACTIONS = {"find": find, "remove": remove, "put_back": put_back}


def _sets(visit: Visit, asked: str) -> Html:
    try:
        entries = catalogue.Catalogue(visit.desk.workspace).entries()
    except StudioError as error:
        return controls.problem(of_error(visit.lang, error))
    words = asked.lower().split()
    found = [one for one in entries if all(word in f"{one.name} {one.formatting or ''}".lower() for word in words)]
    if not found:
        return controls.note(visit.say("shelf.no_match", query=asked) if entries else visit.say("shelf.empty"))
    counted = counting.Counting()
    own = [_line(visit, one, counted) for one in found[:_MOST_LISTED] if not one.shipped]
    shipped = [_line(visit, one, counted) for one in found[:_MOST_LISTED] if one.shipped]
    more = len(found) - _MOST_LISTED
    return tag(
        "nav",
        *own,
        tag("h3", visit.say("shelf.shipped")) if shipped and own else None,
        *shipped,
        controls.note(visit.say("shelf.more", count=amounts.count(more))) if more > 0 else None,
        aria_label=visit.say("shelf.title"),
        class_="shelf",
        tabindex="-1",
    )


def _line(visit: Visit, entry: catalogue.Entry, counted: counting.Counting) -> Html:
    is_open = entry.name == visit.place.name or entry.name == visit.place.set
    return tag(
        "button",
        tag("span", _health(visit, entry), entry.name, class_="name"),
        tag("small", _facts(visit, entry, counted)),
        type="button",
        data_do="open",
        data_to=entry.name,
        data_key=f"set-{entry.name}",
        aria_current="page" if is_open else None,
        title=entry.name,
    )


def _facts(visit: Visit, entry: catalogue.Entry, counted: counting.Counting) -> Html:
    if entry.path is None:
        return tag("span", visit.say("shelf.remote"), class_="quiet")
    try:
        size = counting.size(entry)
        rows = counted.rows(entry)
    except OSError:
        return tag("span", visit.say("shelf.missing"), class_="problem")
    except StudioError:
        return tag("span", visit.say("shelf.broken"), class_="problem")
    said = visit.say("amount.rows", count=amounts.count(rows)) if rows is not None else amounts.size(size)
    kind = visit.say("amount.pairs") if entry.ranking else None
    return tag("span", " · ".join(part for part in (said, kind) if part), class_="quiet")


def _health(visit: Visit, entry: catalogue.Entry) -> Html | None:
    """A dot for a set that was examined: how bad the worst is that was found."""
    found = doctor.health(visit, entry) if entry.path is not None and entry.path.exists() else ""
    if not found:
        return None
    return tag(
        "i",
        class_=f"health {found}",
        title=visit.say(f"shelf.health_{found}"),
        role="img",
        aria_label=visit.say(f"shelf.health_{found}"),
    )
