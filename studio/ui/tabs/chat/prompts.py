"""A prompt set: many prompts sent through all lanes in one go, the answers in a table that goes on without a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.chats import choices, prompt_files, prompts
from studio.chats.prompts import Cell, PromptSet, Row
from studio.chats.tree import FAILED
from studio.data import incoming
from studio.errors import InputError
from studio.ui import amounts, prose
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.chat import load
from studio.ui.tabs.chat.answer import lane_mark
from studio.ui.tabs.chat.place import Place
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.data import controls

_ROWS = 25
_MOST_SETS = 30
_MOST_BYTES = 50_000_000


def draw(visit: Visit) -> Html:
    """The sets there are, and the opened one; or how to send another."""
    known = prompts.sets(visit.workspace)
    opened = str(visit.place.of("prompts").get("set", ""))
    found = prompts.open_set(visit.workspace, opened) if opened in known else None
    head = tag("header", tag("h2", visit.say("parts.prompts")), tag("p", visit.say("ways.prompts"), class_="quiet"),
               class_="set-head")
    offered = [("", visit.say("prompts.another")), *((one, _title(prompts.open_set(visit.workspace, one)))
                                                   for one in known[:_MOST_SETS])]
    choose = controls.choose("set", offered, opened if found else "", name_for=visit.say("parts.prompts"),
                             change="prompt_set")
    inside = _new(visit) if found is None else _table(visit, found)
    return tag("div", head, choose if known else None, inside, class_="inside of-prompts",
               data_key=f"prompts-{opened}")


def _title(found: PromptSet) -> str:
    return f"{amounts.moment(found.created)} · {found.name}"


def _new(visit: Visit) -> Html:
    """Prompts typed, a dataset of the catalogue, or a file; and the lanes that will answer."""
    lanes = [tag("span", lane_mark(slot), " ", name, class_="chip") for slot, name in visit.lanes.items()]
    text = controls.labelled(visit.say("prompts.text"), controls.area(
        "text", str(visit.place.of("prompts").get("text", "")), rows=6, name_for=visit.say("prompts.text"),
        placeholder=visit.say("prompts.text_hint")))
    sets = controls.labelled(visit.say("prompts.dataset"), controls.choose(
        "rows_of", [("", "–"), *((name, words) for words, name in visit.desk.datasets(visit.lang))], ""))
    most = controls.labelled(visit.say("prompts.most"), controls.field("most", "100", kind="number", min="1"))
    zone = tag(
        "label",
        tag("input", type="file", aria_label=visit.say("prompts.file")),
        tag("strong", visit.say("prompts.file")),
        tag("span", visit.say("prompts.kinds"), class_="quiet"),
        tag("div", tag("span"), class_="bar"),
        class_="drop low",
        data_drop="prompts_file",
        data_most=_MOST_BYTES,
    )
    send = controls.submit(visit.say("prompts.send"), kind="primary")
    note = controls.note(join(visit.say("prompts.lanes"), " ", *lanes))
    return tag("div", note, controls.form("prompts_begin", text, tag("div", sets, most, class_="fields-of"),
                                          controls.row(send)), zone, class_="inside", data_key="new-set")


def _table(visit: Visit, found: PromptSet) -> Html:
    """How far the set is, and its answers, a page at a time."""
    progress = _progress(visit, found)  # before the rows are read: the last tick must not say less than it shows
    rows = found.rows()
    last = max(0, (len(rows) - 1) // _ROWS)
    at = min(int(visit.place.of("prompts").get("page") or 0), last)
    files = [tag("a", form.upper() if form != "md" else "Markdown", download=True, class_="press link",
                 href=f"./studio/prompts/{found.id}/{form}?lang={visit.lang}") for form in prompt_files.FORMS]
    ways = controls.row(*files, controls.button(visit.say("prompts.remove"), "prompts_remove", kind="link"))
    titles = ["#", visit.say("prompts.prompt"), *(join(lane_mark(slot), " ", name)
                                                  for slot, name in found.slots.items())]
    if any(row.prompt.reference for row in rows):
        titles.insert(2, visit.say("prompts.reference"))
    cells = [_row(visit, found, row, len(titles)) for row in rows[at * _ROWS:(at + 1) * _ROWS]]
    pages = controls.tabs(visit.say("prompts.pages"), [(str(one), str(one + 1)) for one in range(last + 1)], str(at),
                          "prompts_page") if 0 < last < 40 else None
    return tag("div", progress, ways, controls.table(titles, cells, "answers-of"), pages,
               class_="inside", data_key=f"set-{found.id}")


def _progress(visit: Visit, found: PromptSet) -> Html:
    if found.is_running:
        stop = controls.button(visit.say("composer.stop"), "prompts_stop", kind="quiet")
        return controls.progress(visit.lang, visit.say("prompts.going"), found.done, found.total, stop)
    if found.done < found.total:
        words = visit.say("prompts.partly", done=amounts.count(found.done), total=amounts.count(found.total))
        return controls.row(tag("span", words), controls.button(visit.say("prompts.resume"), "prompts_resume",
                                                                kind="strong"))
    return controls.good(visit.say("prompts.done", total=amounts.count(found.total)))


def _row(visit: Visit, found: PromptSet, row: Row, width: int) -> list[Any]:
    has_reference = width > 2 + len(found.slots)
    reference = [row.prompt.reference] if has_reference else []
    return [row.number, row.prompt.words, *reference, *(_cell(visit, row.cells.get(slot)) for slot in found.slots)]


def _cell(visit: Visit, cell: Cell | None) -> Html:
    if cell is None:
        return tag("span", "…", class_="quiet")
    if cell.state == FAILED:
        return controls.failure(visit.lang, {"code": cell.code, "values": cell.values})
    said = " · ".join([visit.say("proof.one" if cell.tokens == 1 else "proof.count", count=amounts.count(cell.tokens)),
                       visit.say("proof.took", seconds=f"{cell.seconds:.2g}")])
    return tag("div", tag("div", prose.render(cell.content, visit.lang), class_="words"),
               tag("small", said, class_="quiet"))


# ---- presses

def begin(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Send what was typed, else a dataset's prompts."""
    fields = said.get("fields") or {}
    text, dataset = str(fields.get("text", "")), str(fields.get("rows_of", ""))
    if text.strip():
        return _begun(visit, visit.say("prompts.typed"), prompt_files.of_text(text))
    if not dataset:
        raise InputError("prompts_none", name="–")
    most = str(fields.get("most", "")).strip()
    found = prompt_files.read(dataset, visit.workspace, int(most) if most.isdigit() and int(most) else prompts.MOST)
    return _begun(visit, dataset, found)


def from_file(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Send the prompts of a file that the browser has sent."""
    files = [one for one in said.get("files") or () if isinstance(one, dict)]
    if not files or said.get("refused") is not None:
        return visit.place.tell("page.chat.prompts.not_sent", most=amounts.size(_MOST_BYTES))
    name = str(files[0].get("name", ""))
    path = incoming.take(visit.workspace, [(Path(str(files[0].get("path", ""))), name)])
    try:
        return _begun(visit, name, prompt_files.read(str(path), visit.workspace))
    finally:
        incoming.leave(visit.workspace, path)


def _begun(visit: Visit, name: str, asked: list[prompts.Prompt]) -> Place:
    made = prompts.begin(visit.workspace, name, asked, list(visit.settings.get("lanes") or []),
                         choices.asked(visit.settings), str(visit.settings.get("system") or ""))
    made.start(load.engine(visit))
    return visit.place.keep("prompts", set=made.id, page=0, text="")


def choose(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Open a set, or none."""
    return visit.place.keep("prompts", set=str(said.get("value", "")), page=0)


def page(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Turn to another page of the table."""
    to = str(said.get("to", ""))
    return visit.place.keep("prompts", page=int(to) if to.isdigit() else 0)


def _opened(visit: Visit) -> PromptSet:
    return prompts.open_set(visit.workspace, str(visit.place.of("prompts").get("set", "")))


def stop(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Ask for no more answers."""
    _opened(visit).stop()
    return visit.place


def resume(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Ask for the answers that are missing."""
    _opened(visit).start(load.engine(visit))
    return visit.place


def remove(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Throw a set away."""
    prompts.remove(visit.workspace, _opened(visit).id)
    return visit.place.forget("prompts")


ACTIONS = {"prompts_begin": begin, "prompts_file": from_file, "prompt_set": choose, "prompts_page": page,
           "prompts_stop": stop, "prompts_resume": resume, "prompts_remove": remove}
