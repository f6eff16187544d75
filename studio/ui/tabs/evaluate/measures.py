"""How answers are scored: metrics and what each says, their arguments, a user's function read before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.errors import StudioError
from studio.plugins import kinds, metrics, plugin
from studio.specs.evaluate import ARGUMENTS, CHOICES, GENERATION, HARNESS
from studio.texts.errors import of_error
from studio.ui.markup import Html, tag
from studio.ui.tabs.data import controls
from studio.ui.tabs.evaluate import fields
from studio.ui.tabs.evaluate.place import Place
from studio.ui.tabs.evaluate.visit import Visit

_CUSTOM = "custom"
_OPTIONS = "choice"  # how the names of metrics over options begin


def draw(visit: Visit, task: str, typed: Mapping[str, Any], wrong: Mapping[str, str]) -> Html:
    """The metrics to be ticked; none ticked are those that fit the rows."""
    mine = chosen(visit, task)
    said = controls.joined(visit.lang, [metrics.label(visit.lang, name) for name in mine])
    words = visit.say("metrics.chosen", names=said) if mine else visit.say("metrics.fitting")
    ticks = [_tick(visit, name, name in mine) for name in offered(visit, task)]
    own = [_custom(visit, typed) if name == "custom_function" else fields.draw(visit, name, typed, wrong)
           for name in _arguments(mine)]
    beside = controls.problem(wrong["metrics"]) if "metrics" in wrong else None
    inside = tag("div", controls.note(visit.say("metrics.note")), tag("div", *ticks, class_="metric-ticks"),
                 tag("div", *own, class_="fields-of", data_form=True, data_key="metric-fields") if own else None)
    return tag("div", controls.fold(words, inside, key="metrics"), beside, data_key="measures")


def chosen(visit: Visit, task: str) -> list[str]:
    """The metrics that somebody chose and that the task can have."""
    held = visit.place.of("setup").get("metrics") or ()
    return [name for name in offered(visit, task) if name in held]


def offered(visit: Visit, task: str) -> list[str]:
    """The metrics of a task in their order; a user's own only where there is a file of one."""
    has_own = bool(plugin("metrics", _CUSTOM).offered(visit.workspace))
    ordered = sorted(kinds("metrics"), key=lambda name: int(plugin("metrics", name).ORDER))
    return [name for name in ordered if (name != _CUSTOM or has_own) and _fits(name, task)]


def _fits(name: str, task: str) -> bool:
    """Whether a metric is one of written answers, of likelihood, or of options."""
    is_measured, is_of_options = "likelihood" in plugin("metrics", name).NEEDS, name.startswith(_OPTIONS)
    if task == HARNESS:
        return False
    if task == GENERATION:
        return not is_measured
    return is_of_options if task == CHOICES else is_measured and not is_of_options


def _tick(visit: Visit, name: str, on: bool) -> Html:
    box = controls.tick("measure", metrics.label(visit.lang, name), on, change="measure", metric=name)
    return tag("div", box, tag("small", metrics.explained(visit.lang, name), class_="quiet"), class_="metric-tick",
               data_key=f"metric-{name}")


def _arguments(mine: list[str]) -> list[str]:
    """The own arguments of the chosen metrics."""
    return [name for name in ARGUMENTS if ARGUMENTS[name].group == "metrics" and name not in fields.OWN
            and any(name.startswith(f"{one}_") for one in mine)]


def _custom(visit: Visit, typed: Mapping[str, Any]) -> Html:
    """The user's function: which file, its text, and that it was read."""
    custom = plugin("metrics", _CUSTOM)
    name = str(typed.get("custom_function") or "")
    files = [("", "–"), *((one, f"{one}.py") for one in custom.offered(visit.workspace))]
    choose = controls.labelled(visit.say("metrics.file"), controls.choose("custom_function", files, name,
                                                                         change="settle"))
    if not name:
        return tag("div", choose, class_="wide", data_key="of-custom")
    try:
        source = custom.look(name, visit.workspace)
    except StudioError as error:
        return tag("div", choose, controls.problem(of_error(visit.lang, error)), class_="wide", data_key="of-custom")
    is_read = visit.place.of("setup").get("read") == source.hash
    read = controls.tick("read", visit.say("metrics.read"), is_read, change="measure", hash=source.hash)
    return tag("div", choose, tag("pre", source.text, class_="raw"), read, class_="wide", data_key="of-custom")


def confirmed(visit: Visit, typed: Mapping[str, Any]) -> dict[str, Any]:
    """The hash of a user's function, once somebody has said to have read it."""
    read = visit.place.of("setup").get("read")
    return {"custom_hash": read} if read and typed.get("custom_function") else {}


def tick(visit: Visit, said: Mapping[str, Any]) -> Place:
    """One metric more or less; or that a user's function was read."""
    on = said.get("value") in (True, "true")
    if said.get("hash"):
        return visit.place.keep("setup", read=str(said["hash"]) if on else None)
    name = str(said.get("metric", ""))
    mine = [one for one in visit.place.of("setup").get("metrics") or () if one != name]
    return visit.place.keep("setup", metrics=[*mine, *([name] if on else [])], wrong={})
