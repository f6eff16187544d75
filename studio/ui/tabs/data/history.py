"""Versions of a set: each with what it changed and why, the rows that differ, and the way to open or train on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from studio.data.versions import Version, Versions
from studio.ui import amounts
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls, talk
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit

_SHOWN = 20
_MOST = 1200


def draw(visit: Visit) -> Html:
    """All versions, the newest first, and the rows in which the chosen one differs from its parent."""
    place, versions = visit.place, Versions(visit.desk.workspace)
    found = versions.of(place.name)
    if len(found) == 1:
        return controls.note(visit.say("versions.only_one"))
    cards = [_version(visit, one) for one in reversed(found)]
    return join(
        controls.note(visit.say("versions.intro")),
        tag("ol", *cards, class_="versions", reversed=True),
        _difference(visit, versions, found),
    )


def difference(visit: Visit, said: Mapping[str, Any]) -> Place:
    """The rows in which a version differs from its parent, from the first."""
    return visit.place.keep("versions", of=_whole(said.get("to")), first=_whole(said.get("first")))


def bring(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Have one row as an older version has it, among the unsaved changes of the opened version."""
    place = visit.place
    Versions(visit.desk.workspace).bring(
        place.name, place.version or 1, _whole(said.get("version")), [_whole(said.get("number"))]
    )
    return place.tell("page.data.versions.brought", good=True)


ACTIONS = {"difference": difference, "bring": bring}


def _whole(value: Any) -> int:
    return int(value) if str(value or "").isdigit() else 0


def _version(visit: Visit, one: Version) -> Html:
    is_open = (visit.place.version or 1) == one.number
    counts = [(name, getattr(one, name)) for name in ("edited", "deleted", "added")]
    changed = [visit.say(f"edit.{name}", count=amounts.count(count)) for name, count in counts if count]
    said = [amounts.moment(one.made)]
    if one.rows is not None:
        said.append(visit.say("amount.rows", count=amounts.count(one.rows)))
    if one.parent:
        said.append(visit.say("versions.from", number=one.parent))
    presses = [controls.button(visit.say("versions.open"), "open", to=one.key, part="rows")] if not is_open else []
    if one.parent:
        presses.append(controls.button(visit.say("versions.difference"), "difference", to=one.number, kind="quiet"))
    return tag(
        "li",
        tag(
            "header",
            tag("strong", one.key),
            tag("span", visit.say("versions.opened"), class_="chip") if is_open else None,
            tag("small", " · ".join(said), class_="quiet"),
            tag("span", *presses, class_="presses"),
            class_="line-up",
        ),
        tag(
            "p",
            controls.joined(visit.lang, changed)
            if changed
            else visit.say("versions.original")
            if not one.parent
            else visit.say("versions.same"),
        ),
        controls.note(one.why) if one.why else None,
        class_="row",
        data_key=f"version-{one.number}",
    )


def _difference(visit: Visit, versions: Versions, found: list[Version]) -> Html | None:
    held = visit.place.of("versions")
    number = int(held.get("of", 0))
    one = next((version for version in found if version.number == number and version.parent), None)
    if one is None:
        return None
    changes = versions.difference(one.name, one.parent, one.number)
    first = min(int(held.get("first", 0)), max(0, len(changes) - 1) // _SHOWN * _SHOWN)
    title = tag("h3", visit.say("versions.differs", one=one.key, other=one.parent, count=amounts.count(len(changes))))
    rows = [_change(visit, change, one) for change in changes.changes(first, _SHOWN)]
    steps = (
        controls.row(
            controls.button(
                "‹",
                "difference",
                to=number,
                first=max(0, first - _SHOWN),
                off=first == 0,
                title=visit.say("rows.before"),
            ),
            tag(
                "span",
                visit.say(
                    "rows.range",
                    first=amounts.count(first + 1),
                    last=amounts.count(first + len(rows)),
                    rows=amounts.count(len(changes)),
                ),
                class_="quiet",
            ),
            controls.button(
                "›",
                "difference",
                to=number,
                first=first + _SHOWN,
                off=first + _SHOWN >= len(changes),
                title=visit.say("rows.after"),
            ),
            class_="pager",
        )
        if len(changes) > _SHOWN
        else None
    )
    return tag("section", title, steps, *rows, class_="differences", data_key=f"difference-{number}")


def _change(visit: Visit, change: Any, one: Version) -> Html:
    number = change.number_before if change.number_before is not None else change.number_after
    name = tag("span", visit.say(f"versions.kind_{change.kind}"), class_=f"chip {change.kind}")
    back = None
    if change.number_before is not None and (visit.place.version or 1) == one.number:
        back = controls.button(
            visit.say("versions.bring"), "bring", kind="link", version=one.parent, number=change.number_before
        )
    head = tag("header", tag("strong", amounts.count(number + 1)), name, back, class_="line-up")
    if change.kind == "edited":
        return tag("div", head, _edited(change.before, change.after), class_="row")
    return tag("div", head, talk.columns(change.before if change.before is not None else change.after), class_="row")


def _edited(before: Any, after: Any) -> Html:
    """Only what differs, column by column, when both rows have columns."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        return join(
            *(
                tag(
                    "div",
                    tag("h4", name),
                    tag("del", _text(before.get(name))),
                    tag("ins", _text(after.get(name))),
                    class_="changed-cell",
                )
                for name in names
            )
        )
    return tag("div", tag("del", _text(before)), tag("ins", _text(after)), class_="changed-cell")


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    return text if len(text) <= _MOST else f"{text[:_MOST]} …"
