"""On the right: an export's head, how far it is or why it ended, its verdict, and the ways to take it along."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from studio.exports import shelf as exported
from studio.plugins import exporters, kinds
from studio.runs import stop as stopping
from studio.runs.state import State
from studio.texts import has, say
from studio.ui import amounts, status
from studio.ui.markup import Html, join, tag
from studio.ui.run_exports import label
from studio.ui.tabs.data import controls
from studio.ui.tabs.export import delivery, takeaway, verdict
from studio.ui.tabs.export.place import Place
from studio.ui.tabs.export.visit import Visit

_PHASES = ("exporting", "accepting", "describing", "packing", "checking", "delivering")
_ONLY_WITH = {"packing": "pack", "delivering": "deliver"}  # phases that only some forms have
_BYTES_FROM = 1_000_000  # whoever counts so far counts bytes


def draw(visit: Visit) -> Html:
    """The opened export."""
    if visit.opened is None or visit.glimpse is None:
        return tag("div", controls.problem(visit.say("opened.gone", name=visit.place.run)),
                   controls.button(visit.say("opened.back"), "open", to="", kind="quiet"), data_key="gone")
    return tag("div", _head(visit), _course(visit), verdict.draw(visit), takeaway.draw(visit),
               class_="inside of-export", data_key=f"export-{visit.place.run}")


def _head(visit: Visit) -> Html:
    one, glimpse = visit.opened, visit.glimpse
    assert one is not None and glimpse is not None
    back = controls.button(visit.say("opened.back"), "open", to="", kind="link back")
    title = tag("h2", one.source or one.name, " ", tag("span", visit.say("opened.as", form=label(visit.lang, one.form)),
                                                       class_="as-form"))
    about = [tag("span", amounts.moment(one.created))]
    if one.step is not None:
        about.append(tag("span", visit.say("setup.step_of", step=amounts.count(one.step))))
    if one.bytes:
        about.append(tag("span", amounts.size(one.bytes)))
    if one.seconds and one.state is State.FINISHED:
        about.append(tag("span", visit.say("opened.took", time=amounts.duration(one.seconds))))
    way = tag("a", one.name, href=f"?{urlencode({'tab': 'runs', 'run': one.name})}", data_run=one.name, data_go=True,
              title=visit.say("opened.run_tip"))
    return tag("header", back, tag("div", title, takeaway.ways(visit), class_="line-up apart"),
               tag("p", status.dot(glimpse.state, visit.lang), *about, way, class_="quiet facts-line"),
               class_="set-head", data_key="head", data_of_set=True)


# ---- its course

def _course(visit: Visit) -> Html | None:
    """How far it is; how it ended, unless it has simply finished."""
    glimpse = visit.glimpse
    assert glimpse is not None
    if glimpse.state.is_live:
        return _progress(visit, glimpse)
    if glimpse.state is State.FINISHED:
        return None
    if glimpse.state is State.FAILED:
        said = status.failure(glimpse, visit.lang) if (glimpse.failure or {}).get("code") \
            else visit.say("opened.failed")
        told = controls.problem(said)
    else:
        told = controls.note(visit.say("opened.lost" if glimpse.state is State.LOST else "opened.stopped"))
    again = controls.form("resume", delivery.password(visit, _form(visit), visit.told),
                          controls.submit(visit.say("opened.resume"), kind="strong"), key="resume")
    return tag("div", told, again, class_="trouble", data_key="course")


def _progress(visit: Visit, glimpse: Any) -> Html:
    """The phases with the one that goes on; what is being written just now; the way to stop."""
    now, told = glimpse.phase, visit.progress
    words = visit.say("opened.stopping") if glimpse.state is State.STOPPING else _phase(visit, now)
    done, total = (glimpse.step, glimpse.total) if not glimpse.of else (glimpse.done, glimpse.of)
    share = min(100.0, 100 * done / total) if total else 0.0
    press = controls.button(visit.say("opened.stop_now" if glimpse.state is State.STOPPING else "opened.stop"), "stop",
                            kind="stop")
    line = tag("div", tag("span", words or visit.say("opened.begins")),
               tag("span", _figures(done, total), class_="quiet figure-of"), press, class_="line-up")
    bar = tag("div", tag("span", style=f"width:{share:.1f}%"), class_="bar", role="progressbar", aria_valuemin=0,
              aria_valuemax=100, aria_valuenow=round(share), aria_label=words)
    item = tag("small", str(told.get("name") or "\u00a0"), class_="quiet being-written")
    return tag("div", _phases(visit, now), tag("div", line, bar, item, class_="working", data_poll=True),
               class_="course", data_key="course")


def _phases(visit: Visit, now: str) -> Html:
    """What is done, what goes on, what comes, as a short list."""
    module = exporters.exporter(_form(visit)) if _form(visit) else SimpleNamespace()
    mine = [one for one in _PHASES if one not in _ONLY_WITH or hasattr(module, _ONLY_WITH[one])]
    at = mine.index(now) if now in mine else -1
    items = [tag("li", visit.say(f"phases.{one}"), class_="past" if place < at else "now" if place == at else None,
                 aria_current="step" if place == at else None) for place, one in enumerate(mine)]
    return tag("ol", *items, class_="phases")


def _phase(visit: Visit, name: str) -> str:
    key = f"page.phase.{name}"
    return say(visit.lang, key) if has(visit.lang, key) else ""


def _figures(done: int, total: int) -> str:
    if not total:
        return ""
    shown = amounts.size if total >= _BYTES_FROM else amounts.count
    return f"{shown(done)} / {shown(total)}"


def _form(visit: Visit) -> str:
    form = visit.opened.form if visit.opened is not None else ""
    return form if form in kinds("exporters") else ""


# ---- presses

def stop(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Ask the export to stop, harder each time."""
    stopping.ask(visit.folder)
    return visit.place


def resume(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Go on with an export that has ended early."""
    spec = SimpleNamespace(**{**visit.told, "export_to": _form(visit)})
    visit.desk.resume(visit.folder, visit.lang, delivery.secrets(spec, said) if _form(visit) else {})
    return visit.place


def remove(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Take the export away; the bin has it until somebody wants it back."""
    gone = exported.delete(visit.place.run, visit.workspace)
    return visit.place.open("").keep("bin", name=gone.name, original=gone.original)


def restore(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Take what was removed last out of the bin again."""
    name = str(visit.place.of("bin").get("name", ""))
    found = exported.restore(name, visit.workspace)
    return visit.place.keep("bin", name="").open(found.name)


def undo(visit: Visit) -> Html | None:
    """The bar that takes a removal back."""
    held = visit.place.of("bin")
    if not held.get("name"):
        return None
    press = controls.button(visit.say("opened.undo"), "restore", kind="quiet")
    return tag("p", join(visit.say("opened.removed", name=held.get("original", "")), " ", press), class_="undo",
               role="status")


ACTIONS = {"stop": stop, "resume": resume, "remove": remove, "restore": restore}
