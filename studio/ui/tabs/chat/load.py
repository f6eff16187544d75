"""What the engine holds and takes: loading and unloading a lane, memory and processor, and the limit beside a run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from studio.chats import presence, talks
from studio.chats.engine import Engine
from studio.chats.lanes import Cost
from studio.errors import WorkError
from studio.texts.errors import of_error
from studio.ui import amounts
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.chat.place import Place
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.data import controls

_THREADS = (1, 2, 4, 8)


def engine(visit: Visit) -> Engine:
    """The engine of this page; a look does not start it."""
    found: Engine = talks.engine(visit.workspace, visit.lang)
    return found


def state(visit: Visit, name: str, there: presence.There, cost: Cost, shares: tuple[str, int] | None) -> Html:
    """Where a lane is; before it is loaded, what that takes beside what is `shared`, and whether there is room."""
    if there.state == presence.LOADED:
        out = controls.button(visit.say("load.unload"), "unload", kind="link", lane=name,
                              title=visit.say("load.unload_tip"))
        said = visit.say("load.loaded_bytes", size=amounts.size(there.bytes)) if there.bytes \
            else visit.say("load.loaded")
        return join(tag("span", tag("i", aria_hidden="true"), said, class_="dot finished"), " ", out)
    if there.state == presence.LOADING:
        said = visit.say("load.loading", seconds=amounts.duration(there.seconds))
        return tag("span", tag("i", aria_hidden="true"), said, class_="dot running", role="status")
    need = amounts.size(cost.bytes)
    press = controls.button(visit.say("load.load"), "load", kind="link", lane=name, title=visit.say("load.load_tip"))
    if there.state == presence.FAILED:
        failed = of_error(visit.lang, WorkError(there.code, **there.values))
        return join(tag("span", failed, class_="problem"), " ", press)
    if shares is not None:
        return join(tag("span", visit.say("load.shares", place=shares[0], need=amounts.size(shares[1]))), " ", press)
    if not cost.fits:
        free = amounts.size(cost.available_bytes or 0)
        return join(tag("span", visit.say("load.no_room", need=need, free=free), class_="problem"), " ", press)
    free = amounts.size(cost.available_bytes) if cost.available_bytes is not None else ""
    said = visit.say("load.needs", need=need, free=free) if free else visit.say("load.needs_only", need=need)
    return join(tag("span", said), " ", press)


def draw(visit: Visit) -> Html | None:
    """What the engine takes now; while a run is at work, how much of the processor it may have beside it."""
    usage = presence.presence(engine(visit)).usage()
    live = visit.desk.live()
    if usage is None and not live:
        return None
    said = visit.say("load.idle")
    if usage is not None:
        cores = presence.presence(engine(visit)).cores(usage)
        said = visit.say("load.takes", size=amounts.size(usage.bytes), cores=f"{cores:.1f}", all=os.cpu_count() or 1)
    if not live:
        return tag("p", said, class_="quiet engine")
    now = engine(visit).settings.get("cpu_threads")
    offered = [("", visit.say("load.no_limit")), *((str(count), visit.say("load.threads", count=count))
                                                   for count in _THREADS)]
    limit = controls.choose("threads", offered, str(now or ""), name_for=visit.say("load.limit"), change="limit")
    beside = visit.say("load.beside", run=live[0].name)
    choice = tag("span", visit.say("load.limit"), " ", limit)
    return tag("p", tag("span", f"{said} "), tag("span", f"{beside} "), choice, class_="quiet engine")


# ---- presses

def load(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Begin to load a lane."""
    presence.presence(engine(visit)).load(str(said.get("lane", "")))
    return visit.place


def unload(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Let a lane go."""
    presence.presence(engine(visit)).unload(str(said.get("lane", "")))
    return visit.place


def limit(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Let the engine use so many threads; it begins anew if it was at work."""
    value = str(said.get("value", ""))
    engine(visit).limit(cpu_threads=int(value) if value.isdigit() else None)
    return visit.place


ACTIONS = {"load": load, "unload": unload, "limit": limit}
