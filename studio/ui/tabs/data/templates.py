"""Templates: which spelling this model wants, what each makes of a conversation, and one's own, written beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.errors import StudioError
from studio.texts import has, say
from studio.texts.errors import of_error
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls, eyes
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit

_OWN = "own"


def draw(visit: Visit) -> Html:
    """The list on one side; on the other the chosen one with what it renders, or one's own being written."""
    from studio.data import templates

    held = visit.place.of("templates")
    listed = templates.listed(visit.desk.workspace)
    wanted, why = _wanted(visit)
    chosen = str(held.get("chosen") or wanted or _OWN)
    shelf = [_line(visit, one, chosen, wanted) for one in listed]
    new = controls.button(visit.say("templates.new"), "new", kind="quiet")
    inside = _writing(visit, held) if held.get("source") is not None else _shown(visit, chosen)
    return join(
        why,
        tag(
            "div",
            tag(
                "div",
                tag("nav", *shelf, class_="shelf", aria_label=visit.say("parts.templates")),
                new,
                class_="template-list",
            ),
            inside,
            class_="template-room",
        ),
    )


def choose(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Show another template."""
    return visit.place.keep("templates", chosen=str(said.get("to", "")), source=None)


def new(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Begin one's own, from the template that is shown."""
    from studio.data import templates

    name = str(visit.place.of("templates").get("chosen") or _wanted(visit)[0] or _OWN)
    own = name in templates.own(visit.desk.workspace)
    return visit.place.keep("templates", source=_source(visit, name) or "", name=name if own else "")


def write(visit: Visit, said: Mapping[str, Any]) -> Place:
    """What has been written so far, to be rendered beside it."""
    return visit.place.keep(
        "templates", source=str(said.get("value", "")), name=str((said.get("fields") or {}).get("name", ""))
    )


def save(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Keep one's own template under its name."""
    from studio.data import templates

    fields = said.get("fields") or {}
    name, source = str(fields.get("name", "")).strip(), str(fields.get("source", ""))
    place = visit.place.keep("templates", source=source, name=name)
    try:
        templates.save(visit.desk.workspace, name, source)
    except StudioError as error:
        return place.fail(error)
    return place.keep("templates", source=None, chosen=name).tell("page.data.templates.saved", good=True, name=name)


def leave(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Forget what was written."""
    return visit.place.keep("templates", source=None)


ACTIONS = {"choose": choose, "new": new, "write": write, "save": save, "leave": leave}


def template_name(lang: str, name: str) -> str:
    """A template as people call it."""
    key = f"choices.template.{name}"
    return say(lang, key) if has(lang, key) else name


def _wanted(visit: Visit) -> tuple[str, Html]:
    """The template that the model in the top bar wants, and the sentence that says so."""
    from studio.data import templates

    model = str(visit.reading["model_name_or_path"]).rstrip("/").split("/")[-1]
    try:
        wanted = templates.wanted(eyes.folder(visit))
    except StudioError as error:
        return "", controls.problem(of_error(visit.lang, error))
    if wanted == _OWN:
        return wanted, controls.note(visit.say("templates.brings", model=model))
    return wanted, controls.note(visit.say("templates.wants", model=model, name=template_name(visit.lang, wanted)))


def _line(visit: Visit, one: Any, chosen: str, wanted: str) -> Html:
    signs = [
        visit.say(f"templates.{sign}")
        for sign, on in (("mine", one.is_own), ("no_system", not one.system), ("tools", one.tools))
        if on
    ]
    star = tag("span", visit.say("templates.wanted"), class_="chip") if one.name == wanted else None
    return tag(
        "button",
        tag("span", template_name(visit.lang, one.name), star, class_="name"),
        tag("small", controls.joined(visit.lang, signs) or one.name, class_="quiet"),
        type="button",
        data_do="choose",
        data_to=one.name,
        data_key=f"template-{one.name}",
        aria_current="page" if one.name == chosen else None,
    )


def _source(visit: Visit, name: str) -> str | None:
    from studio.data import templates
    from studio.data.tokenizer_files import TokenizerFiles

    source = templates.chosen(name, visit.desk.workspace).source
    return source if source is not None else TokenizerFiles.of(eyes.folder(visit)).chat_template


def _shown(visit: Visit, name: str) -> Html:
    source = _source(visit, name)
    if not source:
        return tag("div", controls.problem(visit.say("templates.model_has_none")), class_="template-shown")
    use = controls.button(visit.say("templates.use"), "use", kind="strong", event="submit", template=name)
    in_use = str(visit.reading["template"]) == name
    press = tag("span", visit.say("templates.in_use"), class_="chip") if in_use else use
    change = controls.button(visit.say("templates.change"), "new", kind="quiet")
    return tag(
        "div",
        controls.row(tag("h3", template_name(visit.lang, name)), press, change),
        _rendered(visit, source),
        controls.fold(visit.say("templates.source"), tag("pre", source, class_="raw"), key="source"),
        class_="template-shown",
        data_key=f"shown-{name}",
    )


def _rendered(visit: Visit, source: str) -> Html:
    """What the template makes of a short conversation; why it cannot, with the line."""
    from studio.data import templates
    from studio.data.tokenizer_files import TokenizerFiles
    from studio.sample import Message

    talk = [
        Message(role, visit.say(f"templates.talk_{name}"))
        for role, name in (
            ("system", "system"),
            ("user", "asks"),
            ("assistant", "answers"),
            ("user", "asks_again"),
            ("assistant", "answers_again"),
        )
    ]
    try:
        special = TokenizerFiles.of(eyes.folder(visit)).special
    except StudioError:
        special = None
    title = tag("h4", visit.say("templates.rendered"))
    refused: Html | None = None
    for messages in (talk, talk[1:]):
        try:
            text = templates.preview(source, messages, special=special or None)
        except StudioError as error:
            refused = refused or controls.problem(of_error(visit.lang, error))
            continue
        note = controls.note(visit.say("templates.without_system")) if refused is not None else None
        return join(title, note, tag("pre", text, class_="raw rendered"))
    return join(title, refused)


def _writing(visit: Visit, held: Mapping[str, Any]) -> Html:
    source = str(held.get("source", ""))
    editor = controls.form(
        "save",
        controls.labelled(
            visit.say("templates.jinja"),
            tag(
                "textarea",
                f"\n{source}",
                name="source",
                rows=18,
                spellcheck="false",
                class_="line code-line",
                data_input="write",
            ),
        ),
        controls.labelled(visit.say("templates.name"), controls.field("name", held.get("name", ""))),
        controls.row(
            controls.submit(visit.say("templates.save"), kind="strong"),
            controls.button(visit.say("templates.leave"), "leave", kind="quiet"),
        ),
        key="own-template",
    )
    return tag("div", editor, tag("div", _rendered(visit, source)), class_="template-shown writing", data_key="writing")
