"""Optional parts that a form needs: what they are for, and the press that installs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.data import jobs
from studio.prepare import parts
from studio.texts import has, say
from studio.ui import amounts
from studio.ui.markup import Html, tag
from studio.ui.tabs.data import controls
from studio.ui.tabs.export.place import Place
from studio.ui.tabs.export.visit import Visit

_WORK = "install"


def draw(visit: Visit, name: str, word: str = "missing") -> Html | None:
    """A part that the chosen form lacks (or only its check does) and how to get it; nothing for no name."""
    if not name:
        return None
    part = parts.part(name)
    told = visit.say(f"optional.{word}", part=label(visit.lang, name), size=amounts.size(part.megabytes * 1e6))
    builds = controls.note(visit.say("optional.builds")) if part.builds else None
    job = _latest(visit, name)
    look = job.look() if job is not None else None
    if job is not None and look is not None and look.state == jobs.RUNNING:
        cancel = controls.button(visit.say("leave"), "uninstall", kind="quiet", to=name)
        return tag("div", controls.progress(visit.lang, visit.say("optional.installing", part=label(visit.lang, name)),
                                            look.done, look.total, cancel), tag("small", _last(job), class_="quiet"),
                   class_="trouble", data_key="optional")
    has_failed = look is not None and look.state == jobs.FAILED
    failed = controls.failure(visit.lang, look.failure or {}) if look is not None and has_failed else None
    press = controls.button(visit.say("optional.install"), "install", kind="strong", to=name)
    return tag("div", controls.note(told), builds, failed, press, class_="trouble", data_key="optional")


def label(lang: str, name: str) -> str:
    """What a part is called."""
    key = f"parts.{name}.label"
    return say(lang, key) if has(lang, key) else name


def _latest(visit: Visit, name: str) -> jobs.Job | None:
    found = jobs.listed(visit.workspace, _WORK)
    return next((job for job in found if (job.about.get("arguments") or {}).get("part") == name), None)


def _last(job: jobs.Job) -> str:
    """The last line that the installation printed."""
    try:
        lines = job.console.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:160]


def install(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Install a part, unless that is going on already."""
    name, job = str(said.get("to", "")), _latest(visit, str(said.get("to", "")))
    if name in {one.name for one in parts.PARTS} and (job is None or job.look().state != jobs.RUNNING):
        jobs.start(visit.workspace, _WORK, {"part": name})
    return visit.place


def leave(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Ask a running installation to stop."""
    job = _latest(visit, str(said.get("to", "")))
    if job is not None:
        job.cancel()
    return visit.place


ACTIONS = {"install": install, "uninstall": leave}
