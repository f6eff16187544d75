"""The eyes of the model in the top bar: its tokenizer with the form's template, and the form's way of cutting rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.data import model
from studio.errors import InputError
from studio.specs.train import ARGUMENTS
from studio.texts import has, say
from studio.ui.tabs.data.visit import Visit

if TYPE_CHECKING:
    from studio.data.chat import ChatTokenizer

_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "chat_template.jinja")
_MOST_KEPT = 4
_LOADED: dict[tuple[Any, ...], Any] = {}


def folder(visit: Visit) -> Path:
    """The model's folder; raises InputError model_missing, model_not_here."""
    name = str(visit.reading["model_name_or_path"])
    found = model.locate(name, visit.desk.workspace, str(visit.reading["model_revision"] or "main"))
    if found is None:
        raise InputError("model_not_here", name=name)
    return found


def chat(visit: Visit) -> ChatTokenizer:
    """The tokenizer and template, loaded once for each state of their files; raises what loading them raises."""
    from studio.data.chat import ChatTokenizer

    place, template, system = folder(visit), str(visit.reading["template"]), visit.reading["default_system"]
    own = visit.desk.workspace.data / "templates" / f"{template}.jinja"
    files = [path for path in (*(place / name for name in _FILES), own) if path.is_file()]
    key = (str(place), template, system, tuple((path.name, path.stat().st_mtime_ns) for path in files))
    if key not in _LOADED:
        while len(_LOADED) >= _MOST_KEPT:
            _LOADED.pop(next(iter(_LOADED)))
        _LOADED[key] = ChatTokenizer.load(place, template, system, visit.desk.workspace)
    return _LOADED[key]  # type: ignore[no-any-return]


def cutoff_len(visit: Visit) -> int:
    """The form's cutoff length; its default while something else stands in the field."""
    said = str(visit.reading["cutoff_len"]).strip()
    return int(said) if said.isdigit() and int(said) else int(ARGUMENTS["cutoff_len"].default)


def options(visit: Visit) -> dict[str, bool]:
    """What the form says about which turns are learned."""
    return {name: visit.reading[name] in (True, "true") for name in ("train_on_prompt", "mask_history")}


def terms(visit: Visit) -> str:
    """Model, template and cutoff length in words."""
    name, template = str(visit.reading["model_name_or_path"]), str(visit.reading["template"])
    key = f"choices.template.{template}"
    spelled = say(visit.lang, key) if has(visit.lang, key) else template
    return visit.say("seen.terms", model=name.rstrip("/").split("/")[-1], template=spelled, cutoff=cutoff_len(visit))
