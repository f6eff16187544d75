"""What takes long: jobs in processes of their own, found again by what they work on, drawn while they go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.data import jobs
from studio.errors import StudioError
from studio.ui.markup import Html
from studio.ui.tabs.data import controls
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit


def start(visit: Visit, kind: str, **arguments: Any) -> jobs.Job:
    """Start a job, or go on with the one that is already at the very same work."""
    found = latest(visit, kind, **arguments)
    if found is not None and found.look().state == jobs.RUNNING and found.about.get("arguments") == arguments:
        return found
    return jobs.start(visit.desk.workspace, kind, arguments)


def latest(visit: Visit, kind: str, **alike: Any) -> jobs.Job | None:
    """The newest job of a kind whose arguments hold these, wherever and whenever it was started."""
    for job in jobs.listed(visit.desk.workspace, kind):
        arguments = job.about.get("arguments") or {}
        if all(arguments.get(name) == value for name, value in alike.items()):
            return job
    return None


def named(visit: Visit, name: Any) -> jobs.Job | None:
    """The job of this name, None when it is gone."""
    try:
        return jobs.find(visit.desk.workspace, str(name)) if name else None
    except StudioError:
        return None


def drawn(visit: Visit, job: jobs.Job, words: str) -> Html | None:
    """A job that goes on, with its way to end it; a failure in a sentence; nothing once it has finished."""
    look = job.look()
    if look.state == jobs.RUNNING:
        cancel = controls.button(visit.say("work.cancel"), "cancel", kind="quiet", to=job.name)
        return controls.progress(visit.lang, words, look.done, look.total, cancel)
    if look.state == jobs.FAILED:
        return controls.failure(visit.lang, look.failure or {})
    return controls.note(visit.say("work.cancelled")) if look.state == jobs.CANCELLED else None


def cancel(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Ask a job to stop."""
    job = named(visit, said.get("to"))
    if job is not None:
        job.cancel()
    return visit.place


ACTIONS = {"cancel": cancel}
