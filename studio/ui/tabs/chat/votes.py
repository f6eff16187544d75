"""Blind votes: which place was better while nobody knows who stood there; who wins how often, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.chats import votes
from studio.chats.tree import ANSWERING
from studio.chats.views import TurnView
from studio.ui import amounts
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.chat import rows
from studio.ui.tabs.chat.place import Place
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.data import controls

_SHORT = 8  # letters of a hash


def ballot(visit: Visit, turn: TurnView) -> Html | None:
    """The vote below a blind round; after it, what was said."""
    if not turn.hidden:
        choice = str((turn.vote or {}).get("choice", ""))
        if not choice:
            return None
        is_word = choice in (votes.TIE, votes.BAD)
        words = visit.say(f"votes.was_{choice}") if is_word else visit.say("votes.was", place=choice)
        way = controls.button(visit.say("votes.results"), "part", to="votes", kind="link")
        return tag("div", tag("p", words, class_="quiet"), way, class_="below-turn", data_key=f"ballot-{turn.id}")
    going = len(turn.answers) < 2 or any(one.state == ANSWERING for one in turn.answers)
    offered = [*((one.place, visit.say("votes.better", place=one.place)) for one in turn.answers),
               (votes.TIE, visit.say("votes.tie")), (votes.BAD, visit.say("votes.bad"))]
    presses = [controls.button(words, "vote", message=turn.id, choice=choice, off=going) for choice, words in offered]
    return tag("div", *presses, class_="ballot", role="group", aria_label=visit.say("votes.ask"),
               data_key=f"ballot-{turn.id}")


def draw(visit: Visit) -> Html:
    """Who wins how often, two by two and against all; whether length decides; the datasets to be made of it."""
    found = votes.tally(visit.shelf)
    corrected = len(visit.shelf.corrected())
    fixed = controls.card(
        tag("h3", visit.say("votes.corrections")),
        controls.note(visit.say("votes.corrected_in", count=amounts.count(corrected)) if corrected
                      else visit.say("votes.none_corrected")),
        controls.row(controls.button(visit.say("votes.save_corrections"), "saving", what="corrections"))
        if corrected else None,
        rows.form(visit, "corrections"),
    )
    head = tag("header", tag("h2", visit.say("parts.votes")), tag("p", visit.say("ways.votes"), class_="quiet"),
               class_="set-head")
    if not found.rounds:
        return tag("div", head, controls.note(visit.say("votes.none")), fixed, class_="inside", data_key="votes")
    won = [(_name(visit, one.one), *_row(visit, one)) for one in found.lanes]
    pairs = [(join(_name(visit, one.one), tag("span", " – ", class_="quiet"), _name(visit, one.other)),
              *_row(visit, one)) for one in found.pairs if one.other is not None]
    titles = [visit.say(f"votes.{name}") for name in ("lane", "wins", "losses", "ties", "bads", "share")]
    return tag(
        "div",
        head,
        controls.note(visit.say("votes.rounds", count=amounts.count(found.rounds))),
        controls.table(titles, won, "results"),
        tag("h3", visit.say("votes.pairs")) if len(pairs) > 1 else None,
        controls.table(titles, pairs, "results") if len(pairs) > 1 else None,
        _length(visit, found.longer),
        controls.row(controls.button(visit.say("votes.save"), "saving", kind="strong", what="preferences")),
        rows.form(visit, "preferences"),
        fixed,
        class_="inside",
        data_key="votes",
    )


def _name(visit: Visit, one: votes.Contender | None) -> Html:
    """The weights that were voted on."""
    if one is None:
        return Html("")
    step = visit.say("proof.at_step", step=amounts.count(one.step)) if one.step else ""
    about = " · ".join(part for part in (step, one.hash[:_SHORT]) if part)
    return tag("span", one.lane, tag("small", f" {about}", class_="quiet"), title=one.hash)


def _row(visit: Visit, one: votes.Record) -> tuple[Any, ...]:
    return (one.wins, one.losses, one.ties, one.bad, _share(visit, one.share))


def _share(visit: Visit, share: votes.Share) -> Html:
    """A share as a dot with its interval, and in figures."""
    if share.rate is None or share.interval is None:
        return tag("span", "–", class_="quiet")
    low, high = share.interval
    line = tag("span", style=f"left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%", class_="range")
    dot = tag("span", style=f"left:{100 * share.rate:.1f}%", class_="mark")
    figures = visit.say("votes.interval", share=amounts.share(share.count, share.total), low=f"{100 * low:.0f}",
                        high=f"{100 * high:.0f}")
    return tag("div", tag("div", line, dot, class_="scale", aria_hidden="true"), tag("small", figures), class_="share")


def _length(visit: Visit, longer: votes.Share) -> Html | None:
    """Whether the longer answers won, which is a sign that length was voted on."""
    if longer.rate is None or longer.interval is None:
        return None
    low, high = (f"{100 * end:.0f}" for end in longer.interval)
    said = visit.say("votes.longer", count=longer.count, total=longer.total, low=low, high=high)
    warning = visit.say("votes.longer_wins") if longer.is_clear and longer.rate > 0.5 else None
    return controls.note(join(said, " ", tag("strong", warning) if warning else None))


# ---- presses

def vote(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Count a vote; the names are shown."""
    visit.talk.vote(str(said.get("message", "")), str(said.get("choice", "")))
    return visit.place


ACTIONS = {"vote": vote}
