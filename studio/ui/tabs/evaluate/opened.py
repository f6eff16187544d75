"""On the right: an evaluation's head, how far it is or why it ended, and its report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from studio.runs import stop as stopping
from studio.runs.state import State
from studio.scores.predictions import NAME as PREDICTIONS
from studio.scores.report import HTML, MARKDOWN, TABLE
from studio.texts import has, say
from studio.ui import amounts, status
from studio.ui.markup import Html, tag
from studio.ui.tabs.data import controls
from studio.ui.tabs.evaluate import rows, scores, shelf
from studio.ui.tabs.evaluate.place import Place
from studio.ui.tabs.evaluate.visit import Visit


def draw(visit: Visit) -> Html:
    """The opened evaluation; what will stand here while none is open."""
    if not visit.place.run:
        return tag("div", tag("h2", visit.say("opened.none")), controls.note(visit.say("opened.how")),
                   class_="empty-talk nothing-yet", data_key="nothing")
    if visit.line is None or visit.glimpse is None:
        return tag("div", controls.problem(visit.say("opened.gone", name=visit.place.run)),
                   controls.button(visit.say("opened.back"), "open", to="", kind="quiet"), data_key="gone")
    inside = scores.draw(visit) if visit.summary is not None else None
    return tag("div", _head(visit), _course(visit), inside, rows.draw(visit), class_="inside of-evaluation",
               data_key=f"evaluation-{visit.place.run}")


def _head(visit: Visit) -> Html:
    glimpse, line = visit.glimpse, visit.line
    assert glimpse is not None and line is not None
    back = controls.button(visit.say("opened.back"), "open", to="", kind="link back")
    title = visit.say("shelf.against").join(visit.models) or line.name
    about = [tag("span", amounts.moment(line.created)), tag("span", shelf.asked(visit, line.name))]
    if visit.summary is not None:
        about.append(tag("span", visit.say("opened.rows", rows=amounts.count(visit.summary.rows))))
    way = tag("a", line.name, href=f"?{urlencode({'tab': 'runs', 'run': line.name})}", data_run=line.name, data_go=True,
              title=visit.say("opened.run_tip"))
    return tag("header", back, tag("div", tag("h2", title), _report(visit), class_="line-up apart"),
               tag("p", status.dot(glimpse.state, visit.lang), *about, way, class_="quiet facts-line"),
               class_="set-head", data_key="head", data_of_set=True)


def _report(visit: Visit) -> Html | None:
    """The report to be opened, the rest to be taken along."""
    if visit.summary is None or not (visit.folder.results / HTML).is_file():
        return None
    here = f"./studio/evaluation/{quote(visit.place.run)}"
    names = {HTML: "html", MARKDOWN.get(visit.lang, MARKDOWN["en"]): "markdown", TABLE: "table",
             PREDICTIONS: "predictions"}
    files = [tag("a", visit.say(f"report.{word}"), href=f"{here}/{name}?take=1", download=True)
             for name, word in names.items()]
    take = tag("details", tag("summary", visit.say("report.take")), tag("div", *files), class_="menu", data_key="take")
    look = tag("a", visit.say("report.open"), href=f"{here}/{HTML}", target="_blank", rel="noopener",
               class_="press strong")
    return tag("span", look, take, class_="ways-of")


def _course(visit: Visit) -> Html | None:
    """How far it is; how it ended, unless it has simply finished."""
    glimpse = visit.glimpse
    assert glimpse is not None
    if glimpse.state.is_live:
        return _progress(visit, glimpse)
    if glimpse.state is State.FINISHED:
        return None
    again = controls.button(visit.say("opened.resume"), "resume", kind="strong")
    done = {"done": amounts.count(glimpse.step), "total": amounts.count(glimpse.total)}
    if glimpse.state is State.FAILED:
        failed = status.failure(glimpse, visit.lang) if (glimpse.failure or {}).get("code") \
            else visit.say("opened.failed", **done)
        return tag("div", controls.problem(failed), again, class_="trouble", data_key="course")
    words = visit.say("opened.lost" if glimpse.state is State.LOST else "opened.stopped", **done)
    return tag("div", controls.note(words), again, class_="trouble", data_key="course")


def _progress(visit: Visit, glimpse: Any) -> Html:
    key = f"page.phase.{glimpse.phase}"
    words = say(visit.lang, key) if has(visit.lang, key) else ""
    if glimpse.state is State.STOPPING:
        words = visit.say("opened.stopping")
    elif glimpse.phase == "answering" and glimpse.eta_seconds:
        words = visit.say("opened.left", phase=words, left=amounts.duration(glimpse.eta_seconds))
    done, total = (glimpse.step, glimpse.total) if glimpse.phase == "answering" else (glimpse.done, glimpse.of)
    again = "opened.stop_now" if glimpse.state is State.STOPPING else "opened.stop"
    stop = controls.button(visit.say(again), "stop", kind="stop")
    return tag("div", controls.progress(visit.lang, words or visit.say("opened.begins"), done, total, stop),
               class_="course", data_key="course")


# ---- presses

def stop(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Ask the evaluation to stop, harder each time."""
    stopping.ask(visit.folder)
    return visit.place


def resume(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Go on with the rows that are not answered yet."""
    visit.desk.resume(visit.folder, visit.lang)
    return visit.place


ACTIONS = {"stop": stop, "resume": resume}
