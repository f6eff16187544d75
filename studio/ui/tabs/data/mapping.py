"""What was brought: encoding, format and columns as they look, the first rows beside, and another reading by choice."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from studio.data import catalogue, catalogue_file, incoming, reading
from studio.data.recognise import recognise
from studio.errors import InputError
from studio.plugins import kinds, plugin
from studio.texts import has, say
from studio.ui import amounts
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls, readers, talk
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit

_FIRST_ROWS = 6
_LOOKED_AT = 20
_MOST_CELL = 160


def looked_at(visit: Visit, path: Path) -> Place:
    """The place at which something that lies there is shown with what it looks like."""
    found = recognise(_first(path))
    return visit.place.forget("bring").keep(
        "bring",
        path=str(path),
        format=found.format or "",
        columns=dict(found.columns),
        sure=found.sure,
        name=_free_name(visit, path),
    )


def again(visit: Visit) -> Place:
    """The mapping of a set that is in the data folder already, as the catalogue has it or as its rows look."""
    entry = visit.entry
    assert entry.path is not None
    found = recognise(_first(entry.path))
    return visit.place.turn("bring").keep(
        "bring",
        path=str(entry.path),
        format=entry.formatting or found.format or "",
        columns=dict(entry.columns or found.columns),
        name=entry.name,
    )


def draw(visit: Visit, held: Mapping[str, Any]) -> Html:
    """What it is, how it is read, its first rows, a name and Save."""
    path = Path(str(held["path"]))
    rows = _first(path)
    names = list(dict.fromkeys(str(name) for row in rows if isinstance(row, dict) for name in row))
    return tag(
        "div",
        tag("div", _is(visit, path), _choices(visit, held, names), _naming(visit, held), class_="how"),
        tag("div", _understood(visit, held, rows), _table(visit, held, names, rows), class_="beside"),
        class_="mapping",
    )


def format_(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Read as another format, with the columns that it would take by itself."""
    held = visit.place.of("bring")
    chosen = str(said.get("value", ""))
    chosen = chosen if chosen in kinds("formats") else ""
    return _kept(visit, said).keep("bring", format=chosen, columns=_guess(chosen, _first(Path(str(held["path"])))))


def column(visit: Visit, said: Mapping[str, Any]) -> Place:
    """A role given to another column."""
    columns = {**visit.place.of("bring").get("columns", {}), str(said.get("role", "")): str(said.get("value", ""))}
    return _kept(visit, said).keep("bring", columns=columns)


def leave(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Drop what was brought."""
    incoming.leave(visit.desk.workspace, Path(str(visit.place.of("bring").get("path", ""))))
    return visit.place.forget("bring")


def save(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Into the catalogue under its name; the set is opened."""
    place = _kept(visit, said)
    held = place.of("bring")
    name = str(held.get("name", "")).strip()
    workspace = visit.desk.workspace
    about: dict[str, Any] = {}
    list_ = catalogue.Catalogue(workspace)
    _refuse_name(name, _taken(list_, Path(str(held["path"]))))
    about["file_name"] = incoming.settle(workspace, Path(str(held["path"])), name)
    if held.get("format"):
        about["formatting"] = held["format"]
        about["columns"] = {role: one for role, one in held.get("columns", {}).items() if one}
    list_.save(name, about)
    return place.forget("bring").open(name, "rows").tell("page.data.bring.saved", good=True, name=name)


ACTIONS = {"format": format_, "column": column, "leave": leave, "save": save}


def _kept(visit: Visit, said: Mapping[str, Any]) -> Place:
    """The place with the name that stands in the form."""
    name = (said.get("fields") or {}).get("name")
    return visit.place if name is None else visit.place.keep("bring", name=str(name)[:80])


def _refuse_name(name: str, taken: set[str]) -> None:
    catalogue_file.check_name(name)
    if name in taken:
        raise InputError("dataset_name_taken", name=name)


def _first(path: Path) -> list[Any]:
    """The first rows of the first file that has any; lines that are none are passed over."""
    for source in reading.sources(path):
        found = list(islice((row for _, row in reading.numbered(source, broken=lambda *_: None)), _LOOKED_AT))
        if found:
            return found
    return []


def _guess(format_: str | None, rows: list[Any]) -> dict[str, str]:
    """Which column has which role, as the format reads the first row that it knows."""
    if not format_:
        return {}
    asked = plugin("formats", format_)
    named = next((row for row in rows if isinstance(row, dict) and asked.recognises(row)), None)
    named = named or next((row for row in rows if isinstance(row, dict)), None)
    return dict(asked.columns_of(named)) if named and hasattr(asked, "columns_of") else {}


def _free_name(visit: Visit, path: Path) -> str:
    taken = _taken(catalogue.Catalogue(visit.desk.workspace), path)
    stem = incoming.file_name(path.name).split(".")[0] if path.is_file() else path.name
    if path.is_dir() and path.parent.name == incoming.ASIDE:
        stem = "data"
    name, number = stem.replace("@", "-").replace(",", "-"), 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    return name


def _taken(list_: catalogue.Catalogue, path: Path) -> set[str]:
    """The names of all sets but the one that this very path is, of removed ones with versions too if it is new."""
    is_new = incoming.ASIDE in path.parts
    kept = {one.parent.name for one in (list_.workspace.data / "versions").glob("*/2")} if is_new else set[str]()
    others = (entry for entry in list_.entries() if entry.path is None or entry.path.resolve() != path.resolve())
    return kept | {entry.name for entry in others}


def _is(visit: Visit, path: Path) -> Html:
    sources = reading.sources(path)
    if not sources:
        raise InputError("dataset_empty", name=path.name, path=path.name)
    about = reading.describe(sources[0])
    pairs = [
        (visit.say("bring.file"), sources[0].name),
        (visit.say("bring.size"), amounts.size(sum(one.size for one in sources))),
    ]
    if len(sources) > 1:
        pairs.append((visit.say("bring.files"), visit.say("bring.files_more", count=len(sources))))
    pairs.append((visit.say("bring.kind"), " · ".join(filter(None, (about.kind, about.compression)))))
    if about.encoding:
        pairs.append((visit.say("bring.encoding"), about.encoding))
    return controls.facts(pairs)


def _choices(visit: Visit, held: Mapping[str, Any], names: list[str]) -> Html:
    chosen = str(held.get("format", ""))
    offered = [
        ("", visit.say("bring.no_format")),
        *((kind, format_name(visit.lang, kind)) for kind in kinds("formats")),
    ]
    controls_ = [
        controls.labelled(visit.say("bring.format"), controls.choose("format", offered, chosen, change="format"))
    ]
    columns = held.get("columns", {})
    for role in getattr(plugin("formats", chosen), "COLUMNS", ()) if chosen else ():
        options = [("", visit.say("bring.no_column")), *((name, name) for name in names)]
        controls_.append(
            controls.labelled(
                role_name(visit.lang, role),
                controls.choose(f"column-{role}", options, str(columns.get(role, "")), change="column", role=role),
            )
        )
    return tag("div", *controls_, class_="fields-of", data_form=True, data_key=f"format-{chosen}")


def _naming(visit: Visit, held: Mapping[str, Any]) -> Html:
    return controls.form(
        "save",
        controls.labelled(visit.say("bring.name"), controls.field("name", held.get("name", ""))),
        controls.row(
            controls.submit(visit.say("bring.save"), kind="primary"),
            controls.button(visit.say("bring.leave"), "leave", kind="quiet"),
        ),
        class_="naming",
    )


def _table(visit: Visit, held: Mapping[str, Any], names: list[str], rows: list[Any]) -> Html:
    if not names:
        return tag("div", *(talk.raw(row) for row in rows[:_FIRST_ROWS]))
    roles: dict[str, list[str]] = {}
    for role, name in held.get("columns", {}).items():
        roles.setdefault(name, []).append(role_name(visit.lang, role))
    head = [
        join(tag("span", name), *(tag("small", role, class_="chip") for role in roles.get(name, ()))) for name in names
    ]
    cells = [
        [tag("div", _cell(row.get(name))) for name in names] for row in rows[:_FIRST_ROWS] if isinstance(row, dict)
    ]
    return join(tag("h3", visit.say("bring.first_rows")), controls.table(head, cells, class_="first-rows"))


def _cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else repr(value)
    return text if len(text) <= _MOST_CELL else text[:_MOST_CELL] + " …"


def _understood(visit: Visit, held: Mapping[str, Any], rows: list[Any]) -> Html | None:
    """The first row that can be read so, as a conversation; or why none can."""
    if not rows:
        return controls.problem(visit.say("bring.no_rows"))
    chosen = str(held.get("format", ""))
    if not chosen:
        return controls.note(visit.say("bring.choose_format"))
    columns = {role: name for role, name in held.get("columns", {}).items() if name}
    read = readers.by(chosen, columns, {})
    found = [read(row) for row in rows]
    title = tag("h3", visit.say("bring.read_so"))
    sample = next((one for one in found if not isinstance(one, str)), None)
    if sample is None:
        return join(
            title, controls.problem(visit.say("bring.none_read", reason=readers.reason(visit.lang, str(found[0]))))
        )
    return join(title, talk.conversation(visit, sample))


def format_name(lang: str, kind: str) -> str:
    """A format as people call it."""
    key = f"page.data.format.{kind}"
    return say(lang, key) if has(lang, key) else kind


def role_name(lang: str, role: str) -> str:
    """What a column is for."""
    key = f"page.data.role.{role}"
    return say(lang, key) if has(lang, key) else role
