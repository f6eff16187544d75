"""Bring: files dropped or a folder or hub name pasted, what they are, which column is what, a name, and Save."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.data import incoming
from studio.ui import amounts
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls, mapping
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit


def draw(visit: Visit) -> Html:
    """The ways in; or, once something lies there, what it is and how it is to be read."""
    held = visit.place.of("bring")
    if held.get("path"):
        return mapping.draw(visit, held)
    most = amounts.size(incoming.MOST_BYTES)
    zone = tag(
        "label",
        tag("input", type="file", multiple=True, aria_label=visit.say("bring.drop")),
        tag("strong", visit.say("bring.drop")),
        tag("span", visit.say("bring.kinds"), class_="quiet"),
        tag("small", visit.say("bring.limit", most=most, folder=str(visit.desk.workspace.data)), class_="quiet"),
        tag("div", tag("span"), class_="bar"),
        class_="drop",
        data_drop="dropped",
        data_most=incoming.MOST_BYTES,
    )
    hubs = [
        ("huggingface", visit.say("bring.hub_huggingface")),
        ("modelscope", visit.say("bring.hub_modelscope")),
        ("folder", visit.say("bring.hub_folder")),
    ]
    named = controls.form(
        "named",
        controls.labelled(visit.say("bring.where"), controls.choose("hub", hubs, str(held.get("hub", "folder")))),
        controls.labelled(
            visit.say("bring.name_or_folder"),
            controls.field("name", held.get("asked", ""), hint=visit.say("bring.name_hint")),
            class_="wide",
        ),
        controls.submit(visit.say("bring.look")),
        class_="fields-of end",
    )
    return join(zone, tag("h3", visit.say("bring.or")), named)


def dropped(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Files that the browser has sent; they are taken into the data folder at once."""
    files = [one for one in said.get("files") or [] if isinstance(one, dict)]
    if said.get("refused") is not None:
        size = sum(int(one.get("size", 0)) for one in files)
        return visit.place.tell(
            "page.data.bring.too_large" if said["refused"] == 413 else "page.data.bring.not_sent",
            size=amounts.size(size),
            most=amounts.size(incoming.MOST_BYTES),
        )
    taken = incoming.take(visit.desk.workspace, [(Path(str(one.get("path"))), str(one.get("name"))) for one in files])
    return mapping.looked_at(visit, taken)


def named(visit: Visit, said: Mapping[str, Any]) -> Place:
    """A folder or file of the workspace, or the name of a set on a hub."""
    fields = said.get("fields") or {}
    asked, hub = str(fields.get("name", "")).strip(), str(fields.get("hub", ""))
    place = visit.place.keep("bring", asked=asked, hub=hub)
    if not asked:
        return place.tell("page.data.bring.nothing_named")
    if hub == "folder":
        return mapping.looked_at(visit, incoming.within(visit.desk.workspace, asked))
    return place.tell("page.data.bring.nothing_named")


ACTIONS = {"dropped": dropped, "named": named, **mapping.ACTIONS}
