"""What is done with a finished export: where it stands, how it is run, its files, its model card, and the ways on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from studio.chats import lanes
from studio.errors import StudioError
from studio.exports import acceptance, source
from studio.exports.work import Work
from studio.plugins import exporters
from studio.records import read_json
from studio.runs.state import State
from studio.specs import works
from studio.specs.frozen import without_header
from studio.texts import has, say
from studio.ui import amounts, prose
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls
from studio.ui.tabs.export.visit import Visit

CARDS = {"en": "README.md", "zh": "README_zh.md"}
CURVES = {"en": "curves.svg", "zh": "curves_zh.svg"}
ALONE = (".gguf", ".zip")  # a file that is the whole export by itself
_BESIDE = re.compile(r"!?\[[^\]]*\]\([\w.]+\)")
_MOST_CARD, _MOST_FILES, _SHORT, _TWO = 60_000, 200, 12, 2


def ways(visit: Visit) -> Html | None:
    """Open in Chat, Download, Delete, as far as the export has come."""
    one = visit.opened
    if one is None or one.state.is_live:
        return None
    away = controls.button(visit.say("take.remove"), "remove", kind="quiet", title=visit.say("take.remove_tip"))
    if one.state is not State.FINISHED or not one.is_there:
        return tag("span", away, class_="ways-of")
    talk = controls.button(visit.say("take.chat"), "chat", kind="strong", event="submit",
                           title=visit.say("take.chat_tip")) if opens_here(visit) else None
    return tag("span", talk, _download(visit), away, class_="ways-of")


def opens_here(visit: Visit) -> bool:
    """Whether the studio's own Chat can talk to what was made."""
    one = visit.opened
    if one is None or one.path is None:
        return False
    try:
        return bool(lanes.lane(str(one.path), visit.workspace))
    except StudioError:
        return False


def lanes_of(visit: Visit) -> list[str]:
    """What a talk with the export is held with: the export, and what it was made of as long as that answers."""
    one = visit.opened
    if one is None or not opens_here(visit):
        return []
    try:
        lanes.lane(one.source, visit.workspace)
    except StudioError:
        return [str(one.path)]
    return [one.source, str(one.path)]


def draw(visit: Visit) -> Html | None:
    """Everything below the verdict."""
    one = visit.opened
    if one is None or one.state is not State.FINISHED:
        return None
    if one.path is None or not one.is_there:
        return tag("div", controls.problem(visit.say("take.gone")), data_key="gone-files")
    return tag("div", _place(visit, one.path), _commands(visit), _files(visit), _card(visit, one.path),
               class_="inside", data_key="takeaway")


def _download(visit: Visit) -> Html | None:
    """The one file where there is only one that matters, else everything in an archive."""
    one = visit.opened
    assert one is not None
    here = f"./studio/export/{quote(one.name)}"
    alone = [str(file["name"]) for file in one.files if str(file["name"]).endswith(ALONE)]
    href = f"{here}/file/{quote(alone[0])}" if len(alone) == 1 else f"{here}/archive"
    return tag("a", visit.say("take.download"), href=href, download=True, class_="press",
               title=visit.say("take.download_tip", size=amounts.size(one.bytes)))


def _copied(visit: Visit, name: str, text: str, words: str = "") -> Html:
    """A text with a press that copies it."""
    press = tag("button", words or visit.say("take.copy"), type="button", class_="tool", data_copy=name)
    return tag("div", tag("pre", text, id=f"text-{name}", tabindex="0"), tag("div", press, class_="tools"),
               class_="code wide" if words else "code", data_key=f"code-{name}")


def _place(visit: Visit, path: Path) -> Html:
    """The folder, and the address of what was pushed to a hub."""
    pushed = str((read_json(visit.folder.results / "hub.json") or {}).get("url") or "")
    link = tag("p", visit.say("take.pushed"), " ", tag("a", pushed, href=pushed, target="_blank", rel="noopener")) \
        if pushed.startswith(("https://", "http://")) else None
    return tag("section", tag("h3", visit.say("take.place")), _copied(visit, "export-path", str(path)), link,
               data_key="place")


# ---- how it is run

def _commands(visit: Visit) -> Html | None:
    """The exact lines for every program, each with its own press."""
    found = commands(visit)
    if not found:
        return None
    blocks = [tag("div", tag("h4", _program(visit, program)),
                  _copied(visit, f"export-run-{place}", "\n".join(lines),
                          visit.say("take.copy_both") if len(lines) == _TWO else ""),
                  class_="run-with", data_key=f"run-{program}") for place, (program, lines) in enumerate(found.items())]
    return tag("section", tag("h3", visit.say("take.run")), tag("div", *blocks, class_="ways-to-run"), data_key="run")


def _program(visit: Visit, name: str) -> str:
    """What a program is called."""
    key = f"exports.card.run.programs.{name}"
    return say(visit.lang, key) if has(visit.lang, key) else acceptance.runtime(visit.lang, name)


def commands(visit: Visit) -> dict[str, list[str]]:
    """{program: lines}; nothing where the source or the form cannot be told any more."""
    one = visit.opened
    if one is None or one.path is None:
        return {}
    try:
        spec = works.check(without_header(visit.told))
        module = exporters.exporter(spec.export_to)
        if not hasattr(module, "commands"):
            return {}
        work = Work(spec, source.find(spec, visit.workspace), visit.workspace, visit.folder, one.path, one.path,
                    _silent, _silent, _silent, visit.lang)
        return {str(program): list(lines) for program, lines in module.commands(work).items()}
    except (StudioError, OSError):
        return {}


def _silent(*said: Any, **values: Any) -> None:
    """Nobody listens: nothing is being made."""


# ---- files and card

def _files(visit: Visit) -> Html:
    one = visit.opened
    assert one is not None
    here = f"./studio/export/{quote(one.name)}/file"
    head = tag("tr", *(tag("th", visit.say(f"take.{word}"), scope="col") for word in ("file", "size", "sha256")))
    rows = [tag("tr", tag("td", tag("a", file["name"], href=f"{here}/{quote(str(file['name']))}", download=True)),
                tag("td", amounts.size(file["bytes"]), class_="number"),
                tag("td", tag("code", str(file["sha256"])[:_SHORT], title=file["sha256"])))
            for file in one.files[:_MOST_FILES]]
    words = visit.say("take.files", count=len(one.files), size=amounts.size(one.bytes))
    table = tag("table", tag("thead", head), tag("tbody", *rows))
    inside = tag("div", table, class_="scroll files-of", tabindex="0")
    return tag("section", controls.fold(words, inside, key="files"), data_key="files-of")


def _card(visit: Visit, path: Path) -> Html | None:
    """The model card as people will read it; its head for machines is left out."""
    file = path / CARDS.get(visit.lang, CARDS["en"])
    try:
        text = file.read_text(encoding="utf-8")[:_MOST_CARD]
    except OSError:
        return None
    name = CURVES.get(visit.lang, CURVES["en"])
    curves = tag("img", src=f"./studio/export/{quote(visit.place.run)}/picture/{name}", alt=visit.say("take.curves"),
                 class_="card-curves", loading="lazy") if (path / name).is_file() else None
    inside = join(curves, tag("div", prose.render(_body(text), visit.lang), class_="model-card as-said"))
    return tag("section", controls.fold(visit.say("take.card"), inside, key="card"), data_key="card-of")


def _body(text: str) -> str:
    """The card without its head, and without what points to files beside it: the page has those itself."""
    if text.startswith("---\n"):
        text = text[4:].partition("\n---\n")[2]
    return "\n".join(line for line in text.splitlines() if not _BESIDE.fullmatch(line))
