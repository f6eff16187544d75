"""Bring: files dropped or a folder or hub name pasted, what they are, which column is what, a name, and Save."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.data import fetching, incoming, jobs
from studio.ui import amounts
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls, mapping, work
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit

_FOLDER = "folder"


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
        (_FOLDER, visit.say("bring.hub_folder")),
        *((name, visit.say(f"bring.hub_{name}")) for name in fetching.hubs()),
    ]
    named = controls.form(
        "named",
        controls.labelled(visit.say("bring.where"), controls.choose("hub", hubs, str(held.get("hub", _FOLDER)))),
        controls.labelled(
            visit.say("bring.name_or_folder"),
            controls.field("name", held.get("asked", ""), hint=visit.say("bring.name_hint")),
            class_="wide",
        ),
        controls.submit(visit.say("bring.look")),
        class_="fields-of end",
    )
    job = work.named(visit, held.get("job"))
    words = visit.say("bring.fetching", name=held.get("fetching", ""))
    running = work.drawn(visit, job, words) if job is not None else None
    return join(zone, running, tag("h3", visit.say("bring.or")), named)


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
    page = fetching.named(asked)
    if page is not None and page[0]:  # the address of a set's page says itself where it is
        hub, asked = page
    if hub == _FOLDER:
        return mapping.looked_at(visit, incoming.within(visit.desk.workspace, asked))
    here = fetching.local(asked, hub, visit.desk.workspace)
    if here is not None:
        return mapping.looked_at(visit, here)
    job = work.start(visit, "fetch", name=asked, hub=hub)
    return place.keep("bring", job=job.name, fetching=asked)


def look(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Look at what has been fetched, once it is here."""
    job = work.named(visit, visit.place.of("bring").get("job"))
    found = job.look() if job else None
    if found is None or found.state != jobs.FINISHED or not found.result:
        return visit.place
    return mapping.looked_at(visit, Path(str(found.result["path"])))


ACTIONS = {"dropped": dropped, "named": named, "look": look, **mapping.ACTIONS, **work.ACTIONS}
