"""What is exported: a run and its step, or a model's folder; and all that was chosen, as the draft of a spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.chats import lanes as known
from studio.errors import StudioError
from studio.exports import source
from studio.exports.source import Source
from studio.plugins import kinds
from studio.runs import checkpoints
from studio.runs.checkpoints import Checkpoint
from studio.runs.files import RunFolder
from studio.specs import export, works
from studio.texts import has, say
from studio.texts.errors import of_error
from studio.ui import amounts
from studio.ui.markup import Html, tag
from studio.ui.tabs import declared
from studio.ui.tabs.data import controls
from studio.ui.tabs.export import settings
from studio.ui.tabs.export.place import Place
from studio.ui.tabs.export.visit import Visit
from studio.workspace import STARTER

OTHER = "?"
_FIRST_FORM = "merged"


# ---- what has been chosen

def model(visit: Visit) -> str:
    """The run or model that is chosen; until somebody chooses, the newest run."""
    held = str(visit.place.of("setup").get("model") or "")
    return held or next(iter(_names(visit)), STARTER)


def form(visit: Visit) -> str:
    """The form that is chosen."""
    held = str(visit.place.of("setup").get("form") or "")
    return held if held in kinds("exporters") else _FIRST_FORM


def typed(visit: Visit) -> dict[str, Any]:
    """What was typed into plain fields."""
    return dict(visit.place.of("setup").get("typed") or {})


def address(visit: Visit) -> str:
    """The source as a spec names it: `<run>/step-<n>` where a step was chosen."""
    if "address" not in visit.found:
        visit.found["address"] = _address(visit)
    return str(visit.found["address"])


def _address(visit: Visit) -> str:
    name, there = model(visit), steps(visit)
    step = str(visit.place.of("setup").get("step") or "")
    if not any(f"step-{one.step}" == step for one in there):
        step = f"step-{there[-1].step}" if there and is_at_work(visit) else ""
    return f"{name}/{step}" if step else name


def is_at_work(visit: Visit) -> bool:
    """Whether the chosen run is still training: then its last complete step is what can be taken."""
    glimpse = visit.desk.look(model(visit)) if model(visit) in _runs(visit) else None
    return glimpse is not None and glimpse.state.is_live


def typed_for(visit: Visit, to: str) -> dict[str, Any]:
    """What was typed, and of a form that holds another the first that can be made of this source."""
    it = known_source(visit)
    return settings.fitting(to, typed(visit), it.kind) if it is not None else typed(visit)


def draft(visit: Visit, to: str = "") -> dict[str, Any]:
    """What has been chosen, as a spec's draft: of the chosen form, or as it would be for another."""
    to = to or form(visit)
    mine = {name: value for name, value in typed_for(visit, to).items() if export.belongs(name, to)}
    return {"stage": export.STAGE, "model_name_or_path": address(visit), "export_to": to, **settings.draft(mine)}


def known_source(visit: Visit) -> Source | None:
    """The source that is chosen; None when it cannot be told."""
    if "source" not in visit.found:
        try:
            visit.found["source"] = found(visit)
        except (StudioError, OSError):
            visit.found["source"] = None
    known: Source | None = visit.found["source"]
    return known


def found(visit: Visit) -> Source:
    """The source that is chosen, with the adapters on top; raises what `source.find` and the spec's check raise."""
    adapters = {name: value for name, value in settings.draft(typed(visit)).items() if name in _OF_SOURCE}
    return source.find(export.check({"stage": export.STAGE, "model_name_or_path": address(visit), **adapters}),
                       visit.workspace)


_OF_SOURCE = ("adapter_name_or_path", "adapter_weights", "template", "default_system")


def steps(visit: Visit) -> list[Checkpoint]:
    """The complete checkpoints of the chosen run, none for a plain model."""
    if model(visit) not in _runs(visit):
        return []
    try:
        return checkpoints.checkpoints(visit.desk.store.find(model(visit)))
    except StudioError:
        return []


def _runs(visit: Visit) -> list[str]:
    """The runs that have something to take home, newest first; a run that trains is among them."""
    if "runs" not in visit.found:
        visit.found["runs"] = [one.name for one in visit.desk.store.summaries()
                               if works.verb(one.stage) == works.TRAIN and RunFolder(
                                   visit.workspace.saves / one.name).complete_steps()]
    return list(visit.found["runs"])


def _names(visit: Visit) -> list[str]:
    """The runs, then the models of this machine."""
    return [*_runs(visit), *(one.name for one in visit.desk.lanes() if not one.run)]


# ---- how it is drawn

def draw(visit: Visit, wrong: Mapping[str, str]) -> Html:
    """The run or model, its step, and in a line what that is."""
    name, names = model(visit), _names(visit)
    offered = [(one, one) for one in dict.fromkeys([*names, name])] + [(OTHER, visit.say("setup.other"))]
    choose = controls.labelled(visit.say("setup.model"), controls.choose("model", offered, name, change="model"))
    said = [controls.problem(wrong[one]) for one in ("model_name_or_path", "stage") if one in wrong]
    boxes = [_adding(visit)] if visit.place.of("setup").get("other") else [choose, _step(visit)]
    return tag("div", tag("div", *boxes, class_="of-origin"), _about(visit), *said, class_="origin", data_key="origin")


def _step(visit: Visit) -> Html | None:
    there = steps(visit)
    if not there:
        return None
    chosen = str(visit.place.of("setup").get("step") or "")
    words = [(f"step-{one.step}", _words(visit, one)) for one in reversed(there)]
    result = there[-1] if is_at_work(visit) else checkpoints.result(visit.desk.store.find(model(visit)))
    first = [("", visit.say("setup.result", step=_words(visit, result)))] if result else []
    box = controls.choose("step", [*first, *words], chosen, change="step")
    return controls.labelled(visit.say("setup.step"), box)


def _words(visit: Visit, one: Checkpoint) -> str:
    words = visit.say("setup.step_of", step=amounts.count(one.step))
    mark = "best" if one.best else "last" if one.last else ""
    parts = [words, visit.say(f"setup.{mark}") if mark else "",
             visit.say("setup.loss", loss=amounts.loss(one.eval_loss)) if one.eval_loss is not None else ""]
    return " · ".join(part for part in parts if part)


def _adding(visit: Visit) -> Html:
    """A folder that somebody names."""
    name = controls.labelled(visit.say("setup.other_name"), controls.field(
        "name", "", hint=visit.say("setup.other_hint"), data_focus="other"), visit.say("setup.other_note"))
    presses = controls.row(controls.submit(visit.say("setup.take"), kind="strong"),
                           controls.button(visit.say("leave"), "other", kind="quiet"))
    return controls.form("other", name, presses, class_="wide", key="other")


def _about(visit: Visit) -> Html:
    """What the source is; a run that is still training says which step is taken."""
    it = known_source(visit)
    if it is None:
        return _why_unknown(visit)
    facts = [visit.say("setup.base", base=_short(it.base_name)) if it.parts else visit.say("setup.whole")]
    if it.parts:
        facts.append(visit.say(f"setup.{it.kind}"))
    facts += [visit.say("setup.on_top", name=part.name) for part in it.parts[1:]]
    if it.quantization_bit:
        facts.append(visit.say("setup.quantized", bits=it.quantization_bit))
    facts.append(visit.say("setup.template", name=_template(visit, it.template)))
    goes_on = controls.note(visit.say("setup.still_training", step=amounts.count(it.step or 0))) \
        if is_at_work(visit) else None
    return tag("div", tag("p", *(tag("span", one) for one in facts), class_="quiet facts-line"), goes_on,
               data_key="about")


def _template(visit: Visit, name: str) -> str:
    key = f"choices.template.{name}"
    return say(visit.lang, key) if has(visit.lang, key) else name


def _why_unknown(visit: Visit) -> Html:
    try:
        found(visit)
    except StudioError as error:
        return controls.problem(of_error(visit.lang, error))
    except OSError as error:
        return controls.problem(str(error))
    return controls.note("")


def _short(name: str) -> str:
    return name.rstrip("/").split("/")[-1] or name


def again(place: Place, told: Mapping[str, Any]) -> Place:
    """The place with everything that an earlier export was told; its name and its folder are its own."""
    name, _, step = str(told.get("model_name_or_path") or "").partition("/step-")
    boxes = {one: declared.shown(export.ARGUMENTS[one], value) for one, value in told.items()
             if one in export.ARGUMENTS and one not in ("output_dir", "export_dir")}
    return place.keep("setup", model=name, step=f"step-{step}" if step else "", form=str(told.get("export_to") or ""),
                      typed=settings.read(boxes), wrong={}, other=False)


# ---- presses

def choose(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Another run or model."""
    name = str(said.get("value", ""))
    return visit.place.keep("setup", other=True) if name == OTHER else _at(visit, name)


def step(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Another step of the run."""
    return visit.place.keep("setup", step=str(said.get("value", "")), wrong={})


def other(visit: Visit, said: Mapping[str, Any]) -> Place:
    """A model or adapter by its folder; without one, the box is closed."""
    name = str((said.get("fields") or {}).get("name", "")).strip()
    if not name:
        return visit.place.keep("setup", other=False)
    known.lane(name, visit.workspace)
    return _at(visit, name)


def _at(visit: Visit, name: str) -> Place:
    return visit.place.keep("setup", model=name, step="", other=False, wrong={})


ACTIONS = {"model": choose, "step": step, "other": other}
