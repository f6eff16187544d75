"""The frame of a part: the opened set's name, version and facts, the ways to its other parts, and what was said."""

from __future__ import annotations

import json
from typing import Any

from studio.data.catalogue import Catalogue
from studio.data.versions import Versions
from studio.errors import StudioError
from studio.texts import has
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls, shelf
from studio.ui.tabs.data.place import OF_A_SET
from studio.ui.tabs.data.visit import Visit


def frame(visit: Visit, inside: Html) -> Html:
    """The part below its head; the address travels along."""
    place = visit.place
    stands = tag("div", data_stands=json.dumps(place.address, ensure_ascii=False), hidden=True)
    head = _of_a_set(visit) if place.set else _of_a_part(visit)
    return join(
        stands,
        head,
        _said(visit),
        shelf.removed(visit),
        tag("div", inside, class_=f"inside of-{place.part}", data_key=f"{place.set}/{place.part}"),
    )


def _of_a_set(visit: Visit) -> Html:
    place = visit.place
    back = controls.button(visit.say("opened.back"), "part", to="bring", kind="link back")
    train = controls.button(
        visit.say("opened.train"), "train", kind="primary", event="submit", title=visit.say("opened.train_tip")
    )
    ways = controls.tabs(
        visit.say("opened.parts"), [(part, visit.say(f"parts.{part}")) for part in OF_A_SET], place.part, "part"
    )
    title = controls.row(tag("h2", place.name), _versions(visit), _columns(visit), _remove(visit))
    return tag(
        "header",
        back,
        tag("div", title, train, class_="line-up apart"),
        ways,
        class_="set-head",
        data_key="head",
        data_of_set=True,
    )


def _columns(visit: Visit) -> Html | None:
    """The way to another reading of the set's own file; what comes with the studio stays as it is."""
    try:
        entry = visit.entry
    except StudioError:
        return None
    is_ours = entry.path is not None and entry.path.resolve().is_relative_to(visit.desk.workspace.data.resolve())
    if entry.shipped or visit.place.version or not is_ours:
        return None
    return controls.button(visit.say("opened.columns"), "map", kind="link")


def _remove(visit: Visit) -> Html | None:
    """The way out of the list, for a set of the user's own."""
    try:
        entries = Catalogue(visit.desk.workspace).entries()
    except StudioError:
        return None
    if not any(one.name == visit.place.name and not one.shipped for one in entries):
        return None
    tip = visit.say("opened.remove_tip")
    return controls.button(visit.say("opened.remove"), "remove", kind="link", title=tip)


def _versions(visit: Visit) -> Html | None:
    """The choice among versions, once there are several."""
    try:
        found = Versions(visit.desk.workspace).of(visit.place.name)
    except StudioError:
        return None
    if len(found) < 2:
        return None
    offered = [(one.key, visit.say("opened.version", number=one.number)) for one in reversed(found)]
    return tag(
        "span",
        controls.choose("version", offered, visit.place.set, name_for=visit.say("parts.versions"), change="open"),
        class_="version",
    )


def _of_a_part(visit: Visit) -> Html:
    part = visit.place.part
    return tag(
        "header",
        tag("h2", visit.say(f"parts.{part}")),
        tag("p", visit.say(f"ways.{part}"), class_="quiet"),
        class_="set-head",
        data_key="head",
    )


def _said(visit: Visit) -> Html:
    """What the last press has to say: a failure, or what was done."""
    said: dict[str, Any] = dict(visit.place.said)
    if "code" in said:
        return tag("div", controls.failure(visit.lang, said), class_="told", data_key="told")
    if "key" in said and has(visit.lang, str(said["key"])):
        words = visit.say(str(said["key"]).removeprefix("page.data."), **said.get("values", {}))
        told = controls.good(words) if said.get("good") else controls.note(words)
        return tag("div", told, class_="told", data_key="told")
    return tag("div", class_="told", data_key="told")
