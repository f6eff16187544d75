"""One row opened: what was asked, every answer with all its scores, what differs, token by token, and on to Chat."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.chats.lanes import BASE, Lane, lane
from studio.errors import InputError, StudioError
from studio.sample import ROLES, Message, Sample
from studio.scores import compare, models, words
from studio.scores.browse import Shown, View
from studio.scores.predictions import LENGTH, Prediction
from studio.scores.report import wording
from studio.scores.summary import written
from studio.specs import frozen
from studio.texts.errors import of_error
from studio.ui import amounts, prose
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls, seen
from studio.ui.tabs.data.place import Place as DataPlace
from studio.ui.tabs.data.visit import Visit as DataVisit
from studio.ui.tabs.evaluate import scores
from studio.ui.tabs.evaluate.place import Place
from studio.ui.tabs.evaluate.visit import Visit

_MOST = 20_000  # characters of a text


def draw(visit: Visit, view: View, one: Shown) -> Html:
    """The whole row; the last answer against the first word by word, where they differ."""
    found = {name: visit.predictions.prediction(name, one.row) for name in visit.models}
    given = [answer for answer in found.values() if answer is not None]
    if not given:
        return controls.note(visit.say("rows.unanswered"))
    asked = given[0]
    where = tag("small", f"{asked.place[0]}:{asked.place[1]}", class_="quiet") if asked.place else None
    talk = controls.button(visit.say("row.chat"), "chat", kind="strong", to=one.row, event="submit",
                           title=visit.say("row.chat_tip"))
    return tag("div", *_asked(visit, asked),
               _text(visit, visit.say("rows.reference"), asked.reference, visit.say("rows.empty")),
               tag("div", *(_answer(visit, name, answer, one.row) for name, answer in found.items()), class_="columns"),
               _change(visit, view, one), _tokens(visit, found, one.row), controls.row(talk, where, class_="apart"),
               class_="one-row")


def _asked(visit: Visit, asked: Prediction) -> list[Html]:
    """Everything that stood before the answer."""
    turns = [turn for turn in asked.prompt if str(turn.get("content", "")).strip()]
    if len(turns) == 1:
        return [_text(visit, visit.say("rows.question"), str(turns[0].get("content", "")), "")]
    names = [(str(turn.get("role", "")), str(turn.get("content", ""))) for turn in turns]
    return [_text(visit, visit.say(f"row.{role}") if role in ROLES else role, text, "") for role, text in names]


def _text(visit: Visit, name: Any, text: str, empty: str, *more: Any) -> Html:
    shown = text if len(text) <= _MOST else f"{text[:_MOST]} …"
    inside = tag("div", *prose.blocks(shown, visit.lang), class_="as-said words") if shown.strip() \
        else tag("p", empty, class_="quiet")
    return tag("div", tag("h4", name), inside, *more, class_="said")


def _answer(visit: Visit, name: str, one: Prediction | None, row: int) -> Html:
    title = join(scores.mark(list(visit.models).index(name)), " ", name)
    if one is None:
        return tag("div", tag("h4", title), controls.note(visit.say("rows.unanswered")), class_="said")
    thinking = tag("details", tag("summary", visit.say("row.thinking")), tag("p", one.thinking[:_MOST],
                   class_="as-said"), class_="thinking", data_key=f"thinking-{name}") if one.thinking else None
    facts = [visit.say("row.tokens", count=amounts.count(one.tokens)) if one.tokens else "",
             visit.say("row.seconds", seconds=f"{one.seconds:.2g}") if one.seconds else "",
             visit.say("rows.ended") if one.finish == LENGTH else ""]
    scored = [f"{wording.label(metric)(visit.lang)} {_score(metric, value)}" for metric, value in one.scores.items()]
    lens = controls.button(visit.say("row.lens"), "tokens", kind="link", model=name, row=row,
                           title=visit.say("row.lens_tip"), pressed=str(_lens(visit) == name).lower()) \
        if not models.is_address(name) else None
    return _text(visit, title, one.answer, visit.say("rows.empty"), thinking,
                 tag("p", " · ".join(filter(None, facts)), " ", lens, class_="quiet"),
                 tag("details", tag("summary", visit.say("row.scores")), tag("p", " · ".join(scored), class_="quiet"),
                     data_key=f"scores-{name}") if scored else None)


def _score(metric: str, value: float | None) -> str:
    scale = compare.scale_of(metric)
    return "–" if value is None else wording.unit(metric, written(value * scale, 0 if scale == 100 else 3))


def _change(visit: Visit, view: View, one: Shown) -> Html | None:
    """The first answer turned into the last one, word by word."""
    before, after = (one.answers.get(name) for name in (view.models[0], view.models[-1]))
    if before is None or after is None or before.model == after.model or before.answer == after.answer:
        return None
    marks = {words.GONE: "del", words.NEW: "ins"}
    parts = [tag(marks.get(kind, "span"), text) for kind, text in words.difference(before.answer[:_MOST],
                                                                                  after.answer[:_MOST])]
    title = visit.say("row.change", a=before.model, b=after.model)
    return tag("div", tag("h4", title), tag("p", *parts, class_="as-said compared"), class_="said")


# ---- token by token

def _lens(visit: Visit) -> str:
    return str(visit.place.of("rows").get("tokens") or "")


def _tokens(visit: Visit, found: Mapping[str, Prediction | None], row: int) -> Html | None:
    """What the model was given and gave, as its tokenizer and template spell it."""
    from studio.data.chat import ChatTokenizer
    from studio.data.microscope import look

    one = found.get(_lens(visit))
    if one is None:
        return None
    try:
        mine = lane_of(visit, one.model)
        chat = ChatTokenizer.load(mine.base, mine.template, mine.default_system, visit.workspace)
        turns = [Message(role if (role := str(turn.get("role"))) in ROLES else "user", str(turn.get("content", "")))
                 for turn in one.prompt]
        slide = look(chat, Sample(messages=(*turns, Message("assistant", one.answer))))
    except StudioError as error:
        return controls.problem(of_error(visit.lang, error))
    there = DataVisit(visit.lang, visit.desk, DataPlace(), {})
    return tag("div", tag("h4", visit.say("row.lens_of", model=one.model)), seen.legend(there),
               seen.slide(there, slide, row, 0, False), class_="said", data_key=f"lens-{one.model}")


def lane_of(visit: Visit, name: str) -> Lane:
    """The weights that answered under a name in the opened evaluation; raises what looking them up raises."""
    spec, _ = frozen.thaw(visit.folder.spec)
    base = models.base_of(spec, visit.workspace)
    if name == BASE:
        return base
    return lane(name, visit.workspace, base if (Path(name) / "adapter_config.json").is_file() else None, paths=True)


# ---- presses

def tokens(visit: Visit, said: Mapping[str, Any]) -> Place:
    """An answer under the microscope; once more, not any more."""
    name = str(said.get("model", ""))
    return visit.place.keep("rows", tokens="" if name == _lens(visit) else name)


def question(visit: Visit, row: int) -> tuple[list[str], str, str]:
    """(lanes, system prompt, question) with which Chat goes on from a row; raises InputError row_gone."""
    names = [name for name in visit.models if visit.predictions.has(name, row)]
    one = visit.predictions.prediction(names[-1], row) if names else None
    if one is None:
        raise InputError("row_gone", row=row + 1)
    lanes = [lane_of(visit, name).base_name if name == BASE else name for name in names]
    system = next((str(turn.get("content", "")) for turn in one.prompt if turn.get("role") == "system"), "")
    return lanes[:4], system, one.question


ACTIONS = {"tokens": tokens}
