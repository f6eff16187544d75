"""The list of conversations: opened, searched, renamed, copied, removed and taken back, taken along as a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.chats.export import FORMS
from studio.chats.heads import Head
from studio.errors import StudioError
from studio.texts.errors import of_error
from studio.ui import amounts
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.chat import rows
from studio.ui.tabs.chat.place import PARTS, Place
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.data import controls

_MOST_LISTED = 100


def draw(visit: Visit) -> Html:
    """The ways in, a search, and every conversation that matches."""
    place = visit.place
    begin = controls.button(visit.say("shelf.begin"), "begin", kind="wide",
                            current="page" if place.part == "talk" and not place.chat else "")
    ways = [controls.button(visit.say(f"parts.{part}"), "part", to=part, kind="wide", title=visit.say(f"ways.{part}"),
                            current="page" if place.part == part else "") for part in PARTS[1:]]
    asked = str(place.of("shelf").get("query", ""))
    hint = visit.say("shelf.search")
    search = controls.field("query", asked, kind="search", hint=hint, name_for=hint, typed="find", id="chat-search")
    return join(
        tag("div", begin, *ways, class_="ways"),
        tag("div", search, data_form=True, class_="finding"),
        _removed(visit),
        _list(visit, asked),
    )


def _list(visit: Visit, asked: str) -> Html:
    try:
        found = visit.shelf.search(asked, _MOST_LISTED) if asked.strip() else visit.shelf.heads(_MOST_LISTED)
    except (StudioError, OSError) as error:
        return controls.problem(of_error(visit.lang, error) if isinstance(error, StudioError) else str(error))
    if not found:
        return controls.note(visit.say("shelf.no_match", query=asked) if asked.strip() else visit.say("shelf.empty"))
    return tag("nav", *(_line(visit, one) for one in found), aria_label=visit.say("shelf.title"), class_="shelf",
               tabindex="-1")


def _line(visit: Visit, head: Head) -> Html:
    about = head.found or " · ".join(part for part in (amounts.moment(head.updated), " ".join(head.lanes)) if part)
    name = head.title or head.first or visit.say("shelf.unnamed")
    return tag(
        "button",
        tag("span", name, class_="name"),
        tag("small", tag("span", about, class_="quiet")),
        type="button",
        data_do="open",
        data_to=head.id,
        data_key=f"chat-{head.id}",
        aria_current="page" if head.id == visit.place.chat else None,
        title=name,
    )


def _removed(visit: Visit) -> Html | None:
    """What was removed last, and the way back."""
    gone = visit.place.of("shelf").get("gone")
    if not gone:
        return None
    undo = controls.button(visit.say("shelf.undo"), "undo", kind="link", to=gone)
    return tag("p", visit.say("shelf.removed"), " ", undo, class_="narrowed", role="status")


def head(visit: Visit) -> Html:
    """The opened conversation's name, and what can be done with the whole of it."""
    if visit.seen is None:
        return tag("header", tag("h2", visit.say("shelf.new")), class_="set-head chat-head", data_key="head")
    back = controls.button(visit.say("shelf.back"), "begin", kind="link back")
    if visit.place.of("shelf").get("renaming"):
        name = controls.field("title", _name(visit), name_for=visit.say("shelf.rename"), data_focus="title")
        save = controls.submit(visit.say("shelf.rename"))
        title = controls.form("rename", name, save, class_="inline")
    else:
        title = tag("h2", _name(visit))
    ways = [controls.button(visit.say(f"shelf.{do}"), do, kind="link") for do in ("renaming", "duplicate", "remove")]
    here = f"./studio/talk/{visit.place.chat}"
    files = [tag("a", visit.say(f"shelf.as_{form}"), href=f"{here}/{form}?lang={visit.lang}", download=True)
             for form in FORMS]
    take = tag("details", tag("summary", visit.say("shelf.take")), tag("div", *files), class_="menu", data_key="take")
    keep = controls.button(visit.say("rows.save_all"), "saving", kind="link", what="conversation",
                           title=visit.say("rows.save_all_tip"))
    presses = tag("span", ways[0], ways[1], take, keep, ways[2], class_="ways-of")
    return tag("header", back, tag("div", title, presses, class_="line-up apart"), rows.form(visit, "conversation"),
               class_="set-head chat-head", data_key="head", data_of_set=True)


def way_out(visit: Visit) -> Html:
    """From a conversation that is gone to a new one."""
    return controls.button(visit.say("shelf.begin"), "begin")


def _name(visit: Visit) -> str:
    seen = visit.seen
    if seen is None:
        return ""
    first = next((turn.content for turn in seen.turns if turn.role == "user"), "")
    return seen.title or " ".join(first.split())[:80] or visit.say("shelf.unnamed")


# ---- presses

def begin(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Before a new conversation, with the lanes of the one that was open."""
    kept = {"lanes": visit.settings.get("lanes")} if visit.place.chat and not _is_gone(visit) else {}
    return visit.place.begin(kept)


def _is_gone(visit: Visit) -> bool:
    try:
        return not visit.settings.get("lanes")
    except StudioError:
        return True


def find(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Only the conversations that hold the words."""
    return visit.place.keep("shelf", query=str(said.get("value", ""))[:200])


def open_(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Open a conversation."""
    return visit.place.open(str(said.get("to", ""))).keep("shelf", renaming=False)


def renaming(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Open the box for another title, or close it."""
    return visit.place.keep("shelf", renaming=not visit.place.of("shelf").get("renaming"))


def rename(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Give the conversation another title."""
    visit.talk.conversation.rename(str((said.get("fields") or {}).get("title", "")))
    return visit.place.keep("shelf", renaming=False)


def duplicate(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Open a copy to go on with."""
    made = visit.shelf.duplicate(visit.place.chat, visit.say("shelf.copy_of", name=_name(visit)))
    return visit.place.open(made.id)


def remove(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Put the conversation into the bin; it can be taken back."""
    visit.talk.stop()
    gone = visit.shelf.remove(visit.place.chat)
    return begin(visit, said).keep("shelf", gone=gone)


def undo(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Take a conversation back and open it."""
    found = visit.shelf.restore(str(said.get("to", "")))
    return visit.place.open(found.id).keep("shelf", gone=None)


ACTIONS = {"begin": begin, "find": find, "open": open_, "renaming": renaming, "rename": rename, "duplicate": duplicate,
           "remove": remove, "undo": undo}
