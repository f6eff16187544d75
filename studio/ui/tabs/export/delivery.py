"""A hub's token: a password box that is kept nowhere; what stands in it reaches the export by environment only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from studio.plugins import exporters, plugin
from studio.specs.export import ARGUMENTS
from studio.ui.markup import Html
from studio.ui.tabs.data import controls
from studio.ui.tabs.export import settings
from studio.ui.tabs.export.visit import Visit

_BOX = "token"


def password(visit: Visit, form: str, typed: Mapping[str, Any]) -> Html | None:
    """The box, for a form that needs a token; what was typed into it is never sent back to the page."""
    values = {name: a.default for name, a in ARGUMENTS.items()} | settings.draft(typed)
    name = variable(SimpleNamespace(**{**values, "export_to": form}))
    if not name:
        return None
    has_one = bool(os.environ.get(name))
    box = controls.field(_BOX, kind="password", hint=visit.say("token.there" if has_one else "token.empty"))
    return controls.labelled(visit.say("token.label", name=name), box, visit.say("token.note", name=name))


def secrets(spec: Any, said: Mapping[str, Any]) -> dict[str, str]:
    """The environment that the export is given beside the user's own."""
    name, token = variable(spec), str((said.get("fields") or {}).get(_BOX, "")).strip()
    return {name: token} if name and token else {}


def variable(spec: Any) -> str:
    """The environment variable in which the form looks for a token, "" where it needs none."""
    hubs = getattr(exporters.exporter(spec.export_to), "HUBS", ())
    return str(plugin("hubs", spec.hub_name).TOKEN) if hubs and spec.hub_name in hubs else ""
