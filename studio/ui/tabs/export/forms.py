"""The forms as cards to choose from: what each is for, how large it gets, what opens it, why one cannot be made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.errors import InputError, SpecError
from studio.exports import acceptance
from studio.exports.source import Source
from studio.plugins import exporters, kinds
from studio.prepare import parts
from studio.specs import export
from studio.texts import has, say
from studio.texts.errors import of_problem
from studio.ui import amounts
from studio.ui.markup import Html, tag
from studio.ui.run_exports import label
from studio.ui.tabs.data import controls
from studio.ui.tabs.export import optional, origin, settings, weighing
from studio.ui.tabs.export.place import Place
from studio.ui.tabs.export.visit import Visit

# What no other setting of the form would cure; all else is told beside its field when it begins.
_OF_SOURCE = ("export_to", "model_name_or_path", "adapter_name_or_path")


def draw(visit: Visit, source: Source | None, wrong: Mapping[str, str]) -> Html:
    """A card for every form; what cannot be made of this source stands last and says why."""
    chosen = origin.form(visit)
    said = {name: why_not(visit, source, name) for name in ordered()}
    cards = [_card(visit, source, name, name == chosen, None) for name in ordered() if not said[name]]
    others = [_card(visit, source, name, name == chosen, said[name]) for name in ordered() if said[name]]
    legend = tag("legend", visit.say("forms.title"))
    beside = controls.problem(wrong["export_to"]) if "export_to" in wrong and not said.get(chosen) else None
    rest = tag("div", tag("h4", visit.say("forms.not_for_this")), tag("div", *others, class_="form-cards off"),
               class_="forms-off", data_key="off") if others else None
    return tag("fieldset", legend, tag("div", *cards, class_="form-cards"), rest, beside, class_="forms",
               data_key="forms")


def ordered() -> list[str]:
    """The forms as they stand in lists."""
    return sorted(kinds("exporters"), key=lambda name: (int(exporters.exporter(name).ORDER), name))


def spec_of(visit: Visit, form: str) -> Any:
    """The spec of what has been chosen, as it would be for a form; what is wrong in it is left as declared."""
    if (spec := visit.found.get(f"spec {form}")) is None:
        spec = visit.found[f"spec {form}"] = _checked(origin.draft(visit, form), form)
    return spec


def _checked(draft: Mapping[str, Any], form: str) -> Any:
    try:
        return export.check(draft)
    except SpecError as error:
        wrong = {problem.field for problem in error.problems}
        try:
            return export.check({name: value for name, value in draft.items() if name not in wrong})
        except SpecError:
            return export.check({"stage": export.STAGE, "export_to": form})


def why_not(visit: Visit, source: Source | None, form: str) -> str:
    """Why a form cannot be made of a source, "" when it can: another kind, another family, quantized already."""
    if source is None:
        return ""
    module, spec = exporters.exporter(form), spec_of(visit, form)
    inner = exporters.innermost(spec)
    if source.kind not in getattr(inner, "TAKES", ()):
        return visit.say(f"forms.of_{source.kind}")
    for one in dict.fromkeys((module, inner)):
        final = [problem for problem in weighing.refusals(one, source, spec) if problem.field in _OF_SOURCE]
        if final:
            return of_problem(visit.lang, final[0])
    return ""


def missing(visit: Visit, form: str) -> str:
    """The optional part that a form needs and that is not installed, else ""."""
    for one in dict.fromkeys((exporters.exporter(form), exporters.innermost(spec_of(visit, form)))):
        try:
            if hasattr(one, "needs"):
                one.needs()
        except InputError as error:
            return str(error.values.get("part", "")) if error.code == "part_missing" else ""
    return ""


def unchecked(visit: Visit, form: str) -> str:
    """The optional part without which the result is made but not opened and compared, else ""."""
    runtime = str(getattr(exporters.innermost(spec_of(visit, form)), "RUNTIME", ""))
    part = next((one.name for one in parts.PARTS if runtime in one.modules), "")
    return part if part and not parts.is_installed(part) else ""


def _card(visit: Visit, source: Source | None, name: str, is_chosen: bool, why: str | None) -> Html:
    box = tag("input", type="radio", name="export_to", value=name, checked=is_chosen, data_change="form",
              disabled=bool(why) and not is_chosen)
    head = tag("span", box, tag("strong", label(visit.lang, name)), tag("span", _size(visit, source, name, why),
                                                                         class_="size-of"), class_="card-line")
    part = "" if why else missing(visit, name)
    needs = tag("small", visit.say("forms.needs", part=optional.label(visit.lang, part)), class_="needs") \
        if part else None
    said = tag("small", why, class_="why-not") if why else tag("small", _help(visit, name), class_="quiet")
    opens = None if why else tag("small", _opened_by(visit, name), class_="opens")
    return tag("label", head, said, opens, needs, data_key=f"form-{name}",
               class_=" ".join(["form-card", *(["chosen"] if is_chosen else []), *(["off"] if why else [])]))


def _help(visit: Visit, name: str) -> str:
    key = f"exporters.{name}.help"
    return say(visit.lang, key) if has(visit.lang, key) else ""


def _size(visit: Visit, source: Source | None, name: str, why: str | None) -> str:
    bytes_ = weighing.size(source, spec_of(visit, name)) if source is not None and not why else None
    return "" if bytes_ is None else amounts.size(bytes_)


def _opened_by(visit: Visit, name: str) -> str:
    """The programs that the form is for."""
    key = f"page.export.opens.{name}"
    if has(visit.lang, key):
        return say(visit.lang, key)
    runtime = str(getattr(exporters.innermost(spec_of(visit, name)), "RUNTIME", ""))
    return acceptance.runtime(visit.lang, runtime)


# ---- presses

def choose(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Another form; what was typed for others is kept for when they are chosen again."""
    return visit.place.keep("setup", form=str(said.get("value", "")), wrong={})


def settle(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Keep what stands in the fields that were sent."""
    sent = dict(said.get("fields") or {})
    kept = {name: value for name, value in origin.typed(visit).items() if name not in sent}
    wrong = {name: one for name, one in (visit.place.of("setup").get("wrong") or {}).items() if name not in sent}
    return visit.place.keep("setup", typed={**kept, **settings.read(sent)}, wrong=wrong)


ACTIONS = {"form": choose, "settle": settle}
