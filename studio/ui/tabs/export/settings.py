"""A form's own arguments as fields, and those of every form one press away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from studio.args.fields import Argument, Group, arguments
from studio.exports.source import Source
from studio.plugins import exporters
from studio.specs.export import ARGUMENTS
from studio.ui import amounts, widgets
from studio.ui.markup import Html, tag
from studio.ui.tabs import declared
from studio.ui.tabs.data import controls
from studio.ui.tabs.export import weighing
from studio.ui.tabs.export.visit import Visit

# Where the tab asks in its own way.
_ELSEWHERE = ("stage", "export_to", "model_name_or_path")
# What a form is told that writes the weights as they are; a form with arguments of its own has its own numbers.
WEIGHTS = ("export_dtype", "export_size")
_CHECKED = ("acceptance_rows", "dataset", "dataset_dir")
_MODEL = ("adapter_name_or_path", "adapter_weights", "template", "default_system")
# What has another sense here than where it is declared.
_CALLED = {"dataset": "rows_from", "adapter_name_or_path": "adapters"}
_PLACE = ("output_dir", "export_dir")


def chain(form: str, typed: Mapping[str, Any]) -> tuple[str, ...]:
    """The form, and those that it holds this time, one in the other."""
    values = {name: a.default for name, a in ARGUMENTS.items()} | draft(typed)
    spec, found = SimpleNamespace(**{**values, "export_to": form}), [form]
    while hasattr(exporters.exporter(found[-1]), "inside"):
        found.append(str(exporters.exporter(found[-1]).inside(spec)))
    return tuple(found)


def fitting(form: str, typed: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """What was typed; where a form holds another and nobody chose which, the first that can be made of this kind."""
    holds = getattr(exporters.exporter(form), "HOLDS", ())
    name = next((a.name for a in _declared(form) if holds and a.choices == tuple(holds)), None)
    if name is None or name in typed or kind in exporters.exporter(str(ARGUMENTS[name].default)).TAKES:
        return dict(typed)
    fit = next((one for one in holds if kind in exporters.exporter(one).TAKES), None)
    return {**typed, name: fit} if fit else dict(typed)


def in_sight(form: str, typed: Mapping[str, Any]) -> list[str]:
    """The arguments that are always drawn: the form's own, those of the form inside, and its numbers."""
    forms = chain(form, typed)
    own = [name for one in forms for name in _own(one)]
    return [*own, *(WEIGHTS if not _own(forms[-1]) else ())]


def draw(visit: Visit, form: str, typed: Mapping[str, Any], wrong: Mapping[str, str],
         source: Source | None) -> Html | None:
    """The form's own arguments; where it says so, each choice with the size that it leads to."""
    weighed = {name: one for held in chain(form, typed) for name, one in weighing.sizes(held, source).items()}
    boxes = [_field(visit, name, typed, wrong, weighed.get(name)) for name in in_sight(form, typed)]
    return tag("div", *boxes, class_="fields-of", data_form=True, data_key=f"own-{form}") if boxes else None


def more(visit: Visit, form: str, typed: Mapping[str, Any], wrong: Mapping[str, str]) -> Html:
    """What is rarely wanted: another place, other rows, other adapters, another template, the machine."""
    rest = [name for name in ARGUMENTS if ARGUMENTS[name].group == "hardware"]
    groups = {"place": _PLACE, "checked": _CHECKED, "on_model": _MODEL, "machine": rest}
    names = [name for group in groups.values() for name in group]
    mine = [name for name in read(typed) if name in names]
    words = visit.say("setup.more_changed", count=len(mine)) if mine else visit.say("setup.more")
    parts = [tag("section", tag("h4", visit.say(f"setup.{word}")),
                 tag("div", *(_field(visit, name, typed, wrong) for name in group), class_="fields-of"))
             for word, group in groups.items()]
    inside = tag("div", *parts, class_="more-of")
    return tag("div", controls.fold(words, inside, key="more"), data_form=True, data_key="more-of")


def drawn(form: str, typed: Mapping[str, Any]) -> set[str]:
    """The arguments that stand somewhere, so that a problem can stand beside them."""
    rest = [name for name in ARGUMENTS if ARGUMENTS[name].group == "hardware"]
    return {*in_sight(form, typed), *_PLACE, *_CHECKED, *_MODEL, *rest}


def read(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed into plain fields, by argument; what is as declared is left out."""
    return {name: value for name, value in declared.read(ARGUMENTS, fields).items() if name not in _ELSEWHERE}


def draft(typed: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of what was typed, as a spec's draft holds them."""
    return declared.draft(ARGUMENTS, typed)


def _own(form: str) -> list[str]:
    """The arguments that a form declares itself."""
    return [a.name for a in _declared(form)]


def _declared(form: str) -> Sequence[Argument]:
    return arguments(getattr(exporters.exporter(form), "Arguments", Group))


def _field(visit: Visit, name: str, typed: Mapping[str, Any], wrong: Mapping[str, str],
           weighed: Mapping[str, int] | None = None) -> Html:
    offered = _offered(visit, name)
    if weighed:
        words = {str(value): said for said, value in widgets.choices(ARGUMENTS[name])(visit.lang)}
        offered = [(value, f"{said} · {amounts.size(weighed[value])}" if value in weighed else said)
                   for value, said in words.items()]
    label = visit.say(f"setup.{_CALLED[name]}") if name in _CALLED else ""
    return declared.draw(visit.lang, ARGUMENTS[name], typed, wrong, offered=offered, name=label)


def _offered(visit: Visit, name: str) -> Sequence[tuple[str, str]] | None:
    """What there is to choose from on this machine, for an argument that names such a thing."""
    if name == "dataset" or name.endswith("_dataset"):
        first = visit.say("setup.held_out" if name == "dataset" else "setup.no_dataset")
        return [("", first), *((value, words) for words, value in visit.desk.datasets(visit.lang))]
    if name == "template":
        return [("", visit.say("setup.as_trained")),
                *((value, words) for words, value in visit.desk.templates(visit.lang) if value)]
    return None
