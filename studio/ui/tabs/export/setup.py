"""On the right while none is open: what is exported, in which form, what that takes, and the press that begins it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from studio.errors import SpecError, StudioError
from studio.exports import forecast as forecasting
from studio.exports.admission import admit, fingerprints
from studio.exports.forecast import Forecast
from studio.exports.source import Source
from studio.runs.store import RunStore
from studio.texts.errors import of_problem
from studio.ui import amounts
from studio.ui.markup import Html, tag
from studio.ui.run_exports import label
from studio.ui.tabs.data import controls
from studio.ui.tabs.export import delivery, forms, optional, origin, settings
from studio.ui.tabs.export.place import Place
from studio.ui.tabs.export.visit import Visit


def draw(visit: Visit) -> Html:
    """Source, forms and settings on one side, what that takes and the one primary button on the other."""
    wrong = visit.place.of("setup").get("wrong") or {}
    form, source = origin.form(visit), origin.known_source(visit)
    typed = origin.typed_for(visit, form)
    own = settings.draw(visit, form, typed, wrong, source)
    options = tag("div", tag("h3", label(visit.lang, form)), _lacks(visit, form),
                  own or controls.note(visit.say("setup.no_settings")), settings.more(visit, form, typed, wrong),
                  class_="options-of", data_key="options")
    return tag("div", tag("h2", visit.say("setup.title")), origin.draw(visit, wrong), forms.draw(visit, source, wrong),
               tag("div", options, _before(visit, source, wrong), class_="export-foot"),
               class_="inside of-export-setup", data_key="setup")


def _lacks(visit: Visit, form: str) -> Html | None:
    """What is not installed: the form's own part, else the program that would open the result."""
    return optional.draw(visit, forms.missing(visit, form)) or optional.draw(visit, forms.unchecked(visit, form),
                                                                             "unchecked")


# ---- what it takes

def _before(visit: Visit, source: Source | None, wrong: Mapping[str, str]) -> Html:
    """Numbers before anything happens, what stands against it, and the press."""
    form = origin.form(visit)
    typed = origin.typed_for(visit, form)
    beside = {*settings.drawn(form, typed), "export_to", "model_name_or_path", "stage"}
    rest = [controls.problem(said) for name, said in wrong.items() if name not in beside]
    elsewhere = controls.problem(visit.say("setup.some_wrong", count=len(wrong))) if wrong and not rest else None
    begin = controls.form("begin", delivery.password(visit, form, typed), *rest, elsewhere,
                          tag("button", visit.say("setup.begin"), type="submit", class_="press primary wide",
                              data_starts=True, data_key="begin"), once=begun(visit), key="begin-form")
    return tag("aside", tag("h3", visit.say("setup.takes")), _forecast(visit, source, form), begin,
               class_="takes", data_key="takes")


def _forecast(visit: Visit, source: Source | None, form: str) -> Html:
    if source is None:
        return controls.note(visit.say("setup.no_forecast"))
    try:
        wanted = forecasting.forecast(forms.spec_of(visit, form), source, visit.workspace)
    except (StudioError, OSError):
        return controls.note(visit.say("setup.no_forecast"))
    time = visit.say("setup.unknown") if wanted.seconds is None else visit.say(
        "setup.measured" if wanted.measured else "setup.about", time=amounts.about(visit.lang, wanted.seconds))
    rows = [("size", amounts.size(wanted.bytes)), ("memory", amounts.size(wanted.memory_bytes)), ("time", time),
            ("free", amounts.size(wanted.free_bytes))]
    return tag("div", controls.facts((visit.say(f"setup.{word}"), value) for word, value in rows),
               *_warnings(visit, wanted), class_="forecast-of", data_key="forecast")


def _warnings(visit: Visit, wanted: Forecast) -> list[Html]:
    """What will not fit."""
    found = []
    if not wanted.fits:
        found.append(controls.problem(visit.say("setup.disk_short", needed=amounts.size(wanted.bytes),
                                                free=amounts.size(wanted.free_bytes))))
    if not wanted.can_be_checked:
        found.append(controls.note(visit.say("setup.unchecked", needed=amounts.size(wanted.check_bytes),
                                             free=amounts.size(wanted.memory_free or 0))))
    return found


def begun(visit: Visit) -> int:
    """How many exports this person has begun here: the same press once more begins none."""
    return int(visit.place.of("setup").get("begun") or 0)


# ---- presses

def begin(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Begin the export and open it; what is wrong stands beside its field, and nothing is begun."""
    if str(said.get("once", "")) != str(begun(visit)):
        return visit.place
    try:
        spec = admit(origin.draft(visit), visit.workspace)
    except SpecError as error:
        wrong: dict[str, str] = {}
        for problem in error.problems:
            wrong.setdefault(problem.field, of_problem(visit.lang, problem))
        return visit.place.keep("setup", wrong=wrong)
    folder = RunStore(visit.workspace).create(spec, None, fingerprints(spec, visit.workspace))
    visit.desk.start(folder, visit.lang, delivery.secrets(spec, said))
    place = visit.place.keep("setup", wrong={}, begun=begun(visit) + 1)
    return replace(place.open(folder.name), said={})


ACTIONS = {"begin": begin}

