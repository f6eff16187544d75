"""The lanes above the conversation: which weights answer, what loading them takes, how far it is."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from studio.chats import lanes as known
from studio.chats import presence
from studio.chats.engine import is_remote
from studio.chats.tree import SLOTS
from studio.errors import InputError, StudioError
from studio.texts.errors import of_error
from studio.ui import amounts
from studio.ui.markup import Html, tag
from studio.ui.tabs.chat import load
from studio.ui.tabs.chat.answer import lane_mark
from studio.ui.tabs.chat.place import Place
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.data import controls

_OTHER = "?"
# Of so many runs every checkpoint is offered, of older ones the result.
_MOST_OPENED = 10


def draw(visit: Visit) -> Html:
    """A head for every lane, in the column of its answers; how to add one; what the engine takes."""
    blind = bool(visit.settings.get("blind")) and visit.seen is not None and any(
        turn.hidden for turn in visit.seen.turns)
    if blind:
        return tag("div", controls.note(visit.say("lanes.hidden")), class_="lanes-of hidden-ones", data_key="lanes")
    heads = [_head(visit, slot, name) for slot, name in visit.lanes.items()]
    more = _adding(visit) if len(visit.lanes) < len(SLOTS) else None
    return tag("div", tag("div", *heads, class_="heads"), tag("div", more, load.draw(visit), class_="under-heads"),
               class_="lanes-of", data_key="lanes")


def _head(visit: Visit, slot: str, name: str) -> Html:
    """One lane: its weights to be chosen, what they are, whether they are in memory."""
    away = controls.button("×", "drop", kind="quiet", slot=slot, title=visit.say("lanes.drop")) \
        if len(visit.lanes) > 1 else None
    offered = [(one, words) for one, words in choices(visit, name)]
    choose = controls.choose("lane", offered, name, name_for=visit.say("lanes.choose", place=slot), change="lane",
                             slot=slot)
    return tag("div", tag("div", lane_mark(slot), choose, away, class_="lane-line"), _about(visit, slot, name),
               class_="lane-head", data_key=f"lane-{slot}")


def choices(visit: Visit, chosen: str = "") -> list[tuple[str, str]]:
    """What there is to talk to, and the way to what is not listed; each step of the newest runs and of the chosen."""
    runs = list(dict.fromkeys(one.run for one in visit.offered if one.run))[:_MOST_OPENED]
    opened = {*runs, chosen.partition("/")[0]}
    names = [one.name for one in visit.offered if one.run in opened or one.name == one.run or not one.run]
    mine = [chosen] if chosen and chosen not in names else []
    return [*((name, name) for name in (*mine, *names)), (_OTHER, visit.say("lanes.other"))]


def _before(visit: Visit, slot: str) -> dict[str, known.Lane]:
    """The lanes in the columns before this one, as far as they are there."""
    found = {}
    for one, name in visit.lanes.items():
        if one < slot and not is_remote(name):
            with contextlib.suppress(StudioError):
                found[one] = known.lane(name, visit.workspace)
    return found


def _about(visit: Visit, slot: str, name: str) -> Html:
    """What a lane is, and where it is; why it cannot answer."""
    if is_remote(name):
        return tag("p", visit.say("lanes.remote"), class_="quiet about")
    try:
        lane = known.lane(name, visit.workspace)
        cost = known.estimate(lane, lane.quantization_bit)
    except StudioError as error:
        return tag("p", of_error(visit.lang, error), class_="problem about", role="alert")
    there = presence.presence(load.engine(visit)).look(name)
    shares = presence.shared(lane, _before(visit, slot))
    waits = visit.seen is not None and visit.seen.is_live and there.state != presence.LOADED
    facts = [visit.say(f"lanes.kind_{lane.kind}")]
    if lane.step:
        chosen = visit.say(f"lanes.chosen_{lane.chosen}") if lane.chosen else ""
        facts.append(visit.say("lanes.step", step=amounts.count(lane.step), chosen=chosen))
    if lane.quantization_bit:
        facts.append(visit.say("lanes.bits", count=lane.quantization_bit))
    where = load.state(visit, name, there, cost, shares)
    return tag("p", tag("span", " · ".join(facts)), " · ", where, class_="quiet about",
               data_poll=True if there.state == presence.LOADING or waits else None)


def _adding(visit: Visit) -> Html:
    """The way to one more lane; the box for a folder or another machine's address."""
    if visit.place.of("lanes").get("other") is None:
        offered = [("", visit.say("lanes.add")), *choices(visit)]
        return controls.choose("more", offered, "", name_for=visit.say("lanes.add"), change="lane", slot="")
    slot = str(visit.place.of("lanes").get("other"))
    name = controls.labelled(visit.say("lanes.other_name"), controls.field(
        "name", "", hint=visit.say("lanes.other_hint"), data_focus="other"), class_="grow")
    key = controls.labelled(visit.say("lanes.key"), controls.field("key", "", kind="password",
                                                                   hint=visit.say("lanes.key_hint")))
    leave = controls.button(visit.say("talk.leave"), "other", kind="quiet")
    return controls.form("other", name, key, controls.submit(visit.say("lanes.take"), kind="strong"), leave,
                         class_="inline other-lane", slot=slot, event=None)


# ---- presses

def lane(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Another lane in a column, or one more."""
    name, slot = str(said.get("value", "")), str(said.get("slot", ""))
    if name == _OTHER:
        return visit.place.keep("lanes", other=slot)
    return _put(visit, slot, name) if name else visit.place


def other(visit: Visit, said: Mapping[str, Any]) -> Place:
    """A lane by its folder, its name on a hub or another machine's address; without a name, the box is closed."""
    fields = said.get("fields") or {}
    name, key = str(fields.get("name", "")).strip(), str(fields.get("key", "")).strip()
    if not name:
        return visit.place.keep("lanes", other=None)
    if is_remote(name):
        if key:
            load.engine(visit).remember_key(name, key)
    else:
        known.lane(name, visit.workspace)
    return _put(visit, str(said.get("slot", "")), name).keep("lanes", other=None)


def drop(visit: Visit, said: Mapping[str, Any]) -> Place:
    """One lane less."""
    left = {slot: name for slot, name in visit.lanes.items() if slot != said.get("slot")}
    return settle(visit, left) if left else visit.place


def _put(visit: Visit, slot: str, name: str) -> Place:
    free = next((one for one in SLOTS if one not in visit.lanes), "")
    where = slot or free
    if where not in SLOTS:
        raise InputError("lanes_many", count=len(SLOTS) + 1, most=len(SLOTS))
    return settle(visit, {**visit.lanes, where: name})


def settle(visit: Visit, chosen: Mapping[str, str]) -> Place:
    """Keep the lanes with the conversation; a column in the middle may stay free, those behind it keep their letter."""
    last = max(SLOTS.index(slot) for slot in chosen)
    lanes = [chosen.get(slot, "") for slot in SLOTS[: last + 1]]
    if visit.conversation is not None:
        visit.conversation.settle(lanes=lanes)
        return visit.place
    return visit.place.prepared({**visit.settings, "lanes": lanes})


ACTIONS = {"lane": lane, "other": other, "drop": drop, **load.ACTIONS}
