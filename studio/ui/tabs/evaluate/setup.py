"""On the left: who is asked, which questions, how answers are scored, and the one press that begins it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from studio.chats import lanes as known
from studio.errors import InputError, SpecError
from studio.runs.store import RunStore
from studio.scores import judge
from studio.scores import models as asked
from studio.scores.admission import admit, fingerprints
from studio.specs.evaluate import ARGUMENTS, CHOICES, GENERATION, HARNESS, STAGE, TASKS
from studio.texts import say
from studio.texts.errors import of_problem
from studio.ui import amounts, widgets
from studio.ui.markup import Html, tag
from studio.ui.tabs.data import controls
from studio.ui.tabs.evaluate import fields, harness, measures, questions
from studio.ui.tabs.evaluate.place import Place
from studio.ui.tabs.evaluate.visit import Visit
from studio.workspace import STARTER

_OTHER, _MOST = "?", 8
_SHOWN = ("eval_models", "dataset", "max_samples", "metrics", "task", "guard", *fields.EXAM)


def draw(visit: Visit) -> Html:
    """Models, questions and metrics in sight, everything else one press away."""
    wrong = visit.place.of("setup").get("wrong") or {}
    drawn = {*_SHOWN, *fields.names((*fields.ANSWERING, *fields.MACHINE, *fields.JUDGE, "metrics"))}
    rest = [controls.problem(said) for name, said in wrong.items() if name not in drawn]
    begin = controls.form("begin", *rest, controls.submit(visit.say("setup.begin"), kind="primary wide", key="begin"),
                          once=_begun(visit), key="begin-form")
    return tag("section", tag("h2", visit.say("setup.title")), _models(visit, wrong), _questions(visit, wrong),
               *_scoring(visit, wrong), _judge(visit, wrong), _settings(visit, wrong), _forecast(visit), begin,
               class_="setup", data_key="setup")


def _scoring(visit: Visit, wrong: Mapping[str, str]) -> tuple[Html, ...]:
    """How answers are scored; tasks of the harness bring their own measures."""
    task = task_of(visit)
    return () if task == HARNESS else (measures.draw(visit, task, _typed(visit), wrong), _guard(visit))


# ---- who is asked

def chosen(visit: Visit) -> list[str]:
    """The models that are to be asked; until somebody chooses, a run beside its base."""
    held = visit.place.of("setup")
    if held.get("models"):
        return list(held["models"])
    run = str(held.get("run") or "") or next((one.run for one in visit.offered if one.run and one.name == one.run), "")
    if run:
        return [known.BASE, run]
    return [visit.offered[0].name if visit.offered else STARTER]


def run_of(visit: Visit) -> str:
    """The trained run among the models, whose base is meant by `base`."""
    return next((found for one in chosen(visit) if (found := asked.run_of(one, visit.workspace))), "")


def _models(visit: Visit, wrong: Mapping[str, str]) -> Html:
    names = chosen(visit)
    lines = [_model(visit, place, name, len(names)) for place, name in enumerate(names)]
    more = None
    if visit.place.of("setup").get("other") is not None:
        more = _adding(visit)
    elif len(names) < _MOST:
        offered = [("", visit.say("setup.add")), *_choices(visit, "")]
        more = controls.choose("more", offered, "", name_for=visit.say("setup.add"), change="model", place=len(names),
                               key=f"more-{len(names)}")
    said = controls.problem(wrong["eval_models"]) if "eval_models" in wrong else None
    return tag("div", tag("h3", visit.say("setup.models")), *lines, more, said, class_="asked-ones", data_key="models")


def _model(visit: Visit, place: int, name: str, count: int) -> Html:
    choose = controls.choose("model", _choices(visit, name), name, change="model", place=place,
                             name_for=visit.say("setup.model", number=place + 1))
    away = controls.button("×", "drop", kind="quiet", place=place, title=visit.say("setup.drop")) if count > 1 else None
    note = tag("small", visit.say("setup.compared"), class_="quiet") if place == 0 and count > 1 else None
    return tag("div", tag("div", _mark(place), choose, away, class_="lane-line"), note, data_key=f"model-{place}")


def _mark(place: int) -> Html:
    return tag("b", str(place + 1), class_=f"series s{place % 6}", aria_hidden="true")


def _choices(visit: Visit, mine: str) -> list[tuple[str, str]]:
    """Who can be asked, in words; `mine` is among them in any case."""
    run = run_of(visit)
    taken = {name for name in chosen(visit) if name != mine}
    base = [(known.BASE, visit.say("setup.base", run=run))] if run or mine == known.BASE else []
    lanes = [(one.name, one.name) for one in visit.offered]
    there = {name for name, _ in (*base, *lanes)}
    own = [(mine, mine)] if mine and mine not in there else []
    return [pair for pair in (*base, *own, *lanes) if pair[0] not in taken] + [(_OTHER, visit.say("setup.other"))]


def _adding(visit: Visit) -> Html:
    """A folder, or the address of a model on another machine."""
    hint = visit.say("setup.other_hint")
    name = controls.labelled(visit.say("setup.other_name"), controls.field("name", "", hint=hint, data_focus="other"),
                             visit.say("setup.key_note"))
    presses = controls.row(controls.submit(visit.say("setup.take"), kind="strong"),
                           controls.button(visit.say("leave"), "other", kind="quiet"))
    return controls.form("other", name, presses, key="other")


# ---- what is asked, and how

def _questions(visit: Visit, wrong: Mapping[str, str]) -> Html:
    now = task_of(visit)
    rows = controls.labelled(visit.say("setup.rows"), controls.field(
        "max_samples", visit.place.of("setup").get("most", ""), hint=visit.say("setup.all_rows"), change="settle",
        inputmode="numeric"))
    said = [controls.problem(wrong[name]) for name in ("dataset", "max_samples", "task") if name in wrong]
    tasks = [(one, say(visit.lang, f"choices.task.{one}")) for one in (*TASKS, HARNESS)]
    task = controls.labelled(widgets.label("task")(visit.lang), controls.choose("task", tasks, now, change="settle"))
    named, chosen_ones = (harness.draw(visit), None) if now == HARNESS else (None, _ask(visit))
    is_shot = now == HARNESS or questions.is_exam(visit, run_of(visit))
    shots = [name for name in fields.EXAM if now != HARNESS or name == "n_shot"]
    exam = tag("div", *(fields.draw(visit, name, _typed(visit), wrong) for name in shots), class_="fields-of") \
        if is_shot else None
    what = tag("div", chosen_ones, rows, class_="what-is-asked")
    return tag("div", named, what, task, exam, *said, class_="of-questions", data_form=True, data_key="questions")


def _ask(visit: Visit) -> Html:
    offered = questions.offered(visit, run_of(visit))
    choose = controls.choose("ask", offered, questions.chosen(visit, offered), change="settle")
    return controls.labelled(visit.say("setup.questions"), choose)


def task_of(visit: Visit) -> str:
    """What is measured: chosen, else written answers, and of an exam which option is likeliest."""
    held = str(visit.place.of("setup").get("task") or "")
    return held if held in (*TASKS, HARNESS) else CHOICES if questions.is_exam(visit, run_of(visit)) else GENERATION


def _guard(visit: Visit) -> Html:
    """Whether everyday questions are asked too, so that what was forgotten is seen."""
    on = _typed(visit).get("guard") in (True, "true")
    box = controls.tick("guard", visit.say("setup.guard"), on, change="settle")
    return tag("div", box, data_form=True, title=widgets.tip("guard")(visit.lang), data_key="guard")


def _judge(visit: Visit, wrong: Mapping[str, str]) -> Html | None:
    """Who judges written answers, by what, and what that takes before anybody is asked."""
    if task_of(visit) != GENERATION:
        return None
    typed = _typed(visit)
    name = str(typed.get("judge") or "").partition("#")[2]
    words = visit.say("setup.judge_by", name=name) if name else visit.say("setup.judge")
    boxes = (fields.draw(visit, one, typed, wrong) for one in fields.names(fields.JUDGE))
    inside = tag("div", *boxes, class_="fields-of")
    return tag("div", controls.fold(words, inside, _judging(visit, typed), key="judge"), data_form=True,
               data_key="judge-of")


def _judging(visit: Visit, typed: Mapping[str, Any]) -> Html | None:
    """How often the judge is asked at most."""
    rows = questions.count(visit, run_of(visit))
    if not typed.get("judge") or rows is None:
        return None
    held = {**{name: ARGUMENTS[name].default for name in ("judge_rows", "judge_mode")}, **fields.draft(typed)}
    most = int(held["judge_rows"]) if str(held["judge_rows"]).isdecimal() else rows
    calls = judge.most_calls(len(chosen(visit)), min(most, rows), held["judge_mode"])
    return controls.note(visit.say("setup.judging", calls=amounts.count(calls), tokens=judge.MOST_SAID_TOKENS))


def _settings(visit: Visit, wrong: Mapping[str, str]) -> Html:
    typed = _typed(visit)
    mine = [name for name in fields.changed(typed) if name in fields.names((*fields.ANSWERING, *fields.MACHINE))]
    words = visit.say("setup.settings_changed", count=len(mine)) if mine else visit.say("setup.settings")
    parts = [tag("div", *(fields.draw(visit, name, typed, wrong) for name in fields.names(groups)), class_="fields-of")
             for groups in (fields.ANSWERING, fields.MACHINE)]
    return tag("div", controls.fold(words, parts[0], tag("h4", visit.say("setup.machine")), parts[1], key="settings"),
               data_form=True, data_key="settings-of")


def _forecast(visit: Visit) -> Html:
    """What is about to happen, in numbers."""
    count = len(chosen(visit))
    rows = questions.count(visit, run_of(visit)) if task_of(visit) != HARNESS else None
    if rows is None:
        return controls.note(visit.say("setup.forecast_open", models=count))
    return controls.note(visit.say("setup.forecast", models=count, rows=amounts.count(rows),
                                   answers=amounts.count(count * rows)))


def _typed(visit: Visit) -> dict[str, Any]:
    return dict(visit.place.of("setup").get("typed") or {})


def _begun(visit: Visit) -> int:
    return int(visit.place.of("setup").get("begun") or 0)


# ---- presses

def model(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Another model at a place, or one more."""
    name, place = str(said.get("value", "")), int(said.get("place") or 0)
    if name == _OTHER:
        return visit.place.keep("setup", other=place)
    return _put(visit, name, place) if name else visit.place


def other(visit: Visit, said: Mapping[str, Any]) -> Place:
    """A model by its folder or address; without one, the box is closed."""
    name = str((said.get("fields") or {}).get("name", "")).strip()
    place = visit.place.of("setup").get("other")
    if not name:
        return visit.place.keep("setup", other=None)
    if not asked.is_address(name):
        known.lane(name, visit.workspace)
    return _put(visit, name, int(place or 0)).keep("setup", other=None)


def _put(visit: Visit, name: str, place: int) -> Place:
    names = chosen(visit)
    names[place:place + 1] = [name]
    if len(set(names)) < len(names):
        raise InputError("models_same", name=name)
    return visit.place.keep("setup", models=names, wrong={})


def drop(visit: Visit, said: Mapping[str, Any]) -> Place:
    """One model less."""
    names = chosen(visit)
    del names[int(said.get("place") or 0)]
    return visit.place.keep("setup", models=names, wrong={}) if names else visit.place


def settle(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Keep what stands in the fields that were sent."""
    sent = dict(said.get("fields") or {})
    kept: dict[str, Any] = {}
    if "task" in sent:
        held, task = visit.place.of("setup"), str(sent.pop("task"))
        ask = str(sent.pop("ask", "")) or questions.chosen(visit, questions.offered(visit, run_of(visit)))
        kept |= {"ask": ask, "most": str(sent.pop("max_samples", "")).strip(), "task": _task_for(visit, ask, task),
                 "tasks": str(sent.pop("tasks", held.get("tasks") or "")).strip()}
    typed = {name: value for name, value in _typed(visit).items() if name not in sent}
    return visit.place.keep("setup", typed={**typed, **fields.read(sent)}, **kept)


def _task_for(visit: Visit, ask: str, task: str) -> str:
    """The task that was chosen; other questions bring their own again."""
    return task if ask == questions.chosen(visit, questions.offered(visit, run_of(visit))) else ""


def draft(visit: Visit) -> dict[str, Any]:
    """What has been chosen, as a spec's draft; raises SpecError for what no draft can hold."""
    run, task, typed = run_of(visit), task_of(visit), _typed(visit)
    most = str(visit.place.of("setup").get("most", ""))
    if task == HARNESS:  # its tasks bring their own measures
        alone = ("guard", *fields.names(fields.JUDGE))
        typed = {name: value for name, value in typed.items() if name not in alone}
    what = harness.draft(visit) if task == HARNESS else questions.draft(visit, run)
    found = {"stage": STAGE, "eval_models": chosen(visit), "task": task, "metrics": measures.chosen(visit, task),
             **fields.draft(typed), **what, **measures.confirmed(visit, typed)}
    return found | ({"max_samples": most} if most else {})


def begin(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Begin the evaluation and open it; what is wrong stands beside its field, and nothing is begun."""
    if str(said.get("once", "")) != str(_begun(visit)):  # the same press once more, by a nervous hand
        return visit.place
    try:
        spec = admit(draft(visit), visit.workspace, paths=True)  # the only paths are of the data folder
    except SpecError as error:
        wrong: dict[str, str] = {}
        for problem in error.problems:
            wrong.setdefault(problem.field, of_problem(visit.lang, problem))
        return visit.place.keep("setup", wrong=wrong)
    folder = RunStore(visit.workspace).create(spec, None, fingerprints(spec, visit.workspace))
    visit.desk.start(folder, visit.lang)
    place = visit.place.keep("setup", wrong={}, begun=_begun(visit) + 1)
    return replace(place.open(folder.name), said={})


ACTIONS = {"model": model, "other": other, "drop": drop, "settle": settle, "begin": begin,
           "measure": measures.tick}
