"""The box at the bottom: what is asked, how it is to be answered, and the way to end it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.args import document
from studio.args.fields import Argument, Kind
from studio.chats import choices
from studio.chats.presets import PRESETS, preset_of
from studio.errors import SpecError, StudioError
from studio.specs.chat import SAMPLING
from studio.texts import say
from studio.texts.errors import of_problem
from studio.ui import widgets
from studio.ui.markup import Html, tag
from studio.ui.tabs.chat.place import Place
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.data import controls


def draw(visit: Visit) -> Html:
    """The settings, folded, above one box for all lanes."""
    is_going = visit.seen is not None and visit.seen.is_live
    hidden = visit.seen is not None and any(turn.hidden for turn in visit.seen.turns)
    draft = str(visit.place.of("composer").get("draft", ""))
    only = str(visit.place.of("talk").get("only") or "")
    asks = visit.say("composer.ask_one", place=only) if only else visit.say("composer.ask")
    box = controls.area("text", draft, rows=1, name_for=asks, placeholder=asks, data_enter=True, data_clears=True,
                        data_key="box", data_focus=f"box-{visit.place.chat}-{only}")
    stop = controls.button(visit.say("composer.stop"), "stop", kind="stop")
    send = controls.submit(visit.say("composer.send"), kind="primary")
    to = controls.button(visit.say("composer.to_one", place=only), "only", kind="link",
                         title=visit.say("composer.to_all")) if only else None
    ask = controls.form("send", to, tag("div", box, stop if is_going else send, class_="ask"), only=only or None)
    return tag("section", _settings(visit, hidden), ask, class_="composer", data_key="composer")


def _settings(visit: Visit, hidden: bool) -> Html:
    """The preset and the blind round in sight; every parameter, the system prompt and the tools one press away."""
    drawn = visit.place.of("composer").get("typed") or {}
    wrong = visit.place.of("composer").get("wrong") or {}
    sampling = visit.settings.get("sampling") or {}
    changed = choices.changed(visit.settings)
    offered = [*((name, say(visit.lang, f"chats.preset.{name}")) for name in PRESETS), ("", visit.say("composer.own"))]
    preset = controls.choose("preset", offered, preset_of({**choices.DEFAULTS, **sampling}), change="preset",
                             name_for=visit.say("composer.preset"))
    blind = controls.tick("blind", visit.say("composer.blind"), bool(visit.settings.get("blind")), change="blind") \
        if len(visit.lanes) > 1 else None
    words = visit.say("composer.settings_changed", count=len(changed)) if changed else visit.say("composer.settings")
    fields = [_field(visit, SAMPLING[name], drawn.get(name), wrong.get(name)) for name in choices.OFFERED]
    system = controls.labelled(visit.say("composer.system"), controls.area(
        "system", str(visit.settings.get("system") or ""), rows=2, name_for=visit.say("composer.system"),
        data_change="settle", placeholder=visit.say("composer.system_hint")), class_="wide")
    tools = drawn.get("tools", document.line(visit.settings["tools"]) if visit.settings.get("tools") else "")
    given = controls.labelled(visit.say("composer.tools"), controls.area(
        "tools", str(tools), rows=2, name_for=visit.say("composer.tools"), data_change="settle",
        placeholder=visit.say("composer.tools_hint")), class_="wide")
    beside = controls.problem(wrong["tools"]) if "tools" in wrong else None
    note = controls.note(visit.say("composer.same_seed"))
    fold = controls.fold(words, tag("div", *fields, class_="fields-of"), note, system, given, beside, key="settings")
    return tag("div", tag("div", preset, blind, class_="quick"), fold, data_form=True, class_="how-to-answer")


def _field(visit: Visit, a: Argument, typed: Any, wrong: str | None) -> Html:
    """A parameter as it was declared: its name, its bounds as a hint, what is wrong with it."""
    value = choices.value_of(visit.settings, a.name)
    shown = typed if typed is not None else widgets.shown(a, value)
    box = controls.field(a.name, shown, hint=str(widgets.placeholder(a)(visit.lang)), change="settle",
                         inputmode="decimal" if a.kind in (Kind.INT, Kind.FLOAT) else None,
                         aria_invalid="true" if wrong else None)
    label = controls.labelled(widgets.label(a.name)(visit.lang), box)
    said = tag("small", wrong, class_="problem") if wrong else None
    return tag("div", label, said, title=widgets.tip(a.name)(visit.lang), data_key=f"of-{a.name}",
               class_="parameter changed" if a.name in choices.changed(visit.settings) else "parameter")


# ---- presses

def send(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Ask all lanes, or one; what could not be asked stays in the box."""
    text = str((said.get("fields") or {}).get("text", ""))
    place = visit.place.keep("composer", draft="")
    if not text.strip():
        return place
    try:
        settings = dict(visit.settings)
        if said.get("only"):
            visit.talk.to(str(said["only"]), text, choices.asked(settings))
            return place
        chat = visit.place.chat or visit.shelf.create(lanes=settings.get("lanes") or []).id
        if not visit.place.chat:
            place = place.moved(chat)
            visit = Visit(visit.lang, visit.desk, place)
            visit.talk.conversation.settle(**settings)
        visit.talk.send(text, settings.get("lanes") or [], choices.asked(settings), str(settings.get("system") or ""),
                        settings.get("tools") or [], bool(settings.get("blind")) and len(visit.lanes) > 1)
    except StudioError as error:
        return place.keep("composer", draft=text).fail(error)
    return place


def settle(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Keep what was set; a value that is none stands beside its field with the reason."""
    fields = {name: value for name, value in (said.get("fields") or {}).items() if name not in ("preset", "blind")}
    try:
        values = choices.read(fields, visit.settings)
    except SpecError as error:
        wrong = {problem.field: of_problem(visit.lang, problem) for problem in error.problems}
        return visit.place.keep("composer", typed=fields, wrong=wrong)
    return _kept(visit, visit.place.keep("composer", typed={}, wrong={}), values)


def preset(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Take a preset's values."""
    chosen = PRESETS.get(str(said.get("value", "")))
    if chosen is None:
        return visit.place
    sampling = {**(visit.settings.get("sampling") or {}), **chosen}
    return _kept(visit, visit.place.keep("composer", typed={}, wrong={}), {"sampling": sampling})


def blind(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Hide the names from the next question on, or show them."""
    return _kept(visit, visit.place, {"blind": bool(said.get("value"))})


def _kept(visit: Visit, place: Place, values: Mapping[str, Any]) -> Place:
    """What was chosen, kept with the conversation, or for the one that is about to begin."""
    if visit.conversation is not None:
        visit.conversation.settle(**values)
        return place
    return place.prepared({**visit.settings, **values})


ACTIONS = {"send": send, "settle": settle, "preset": preset, "blind": blind}
