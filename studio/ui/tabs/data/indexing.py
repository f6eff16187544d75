"""Rows of a large set: its index, its lengths, a search and a new version are made by jobs; a small one needs none."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from studio.data import jobs
from studio.data.browse import LENGTHS, Browser
from studio.data.catalogue import sources_of
from studio.data.index import RowIndex
from studio.data.versions import Versions
from studio.errors import StopAsked
from studio.ui import amounts
from studio.ui.markup import Html, join
from studio.ui.tabs.data import controls, work
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit

AT_ONCE_BYTES = 24_000_000


def opened(visit: Visit) -> Browser:
    """The rows of the opened set with its unsaved edits over them."""
    draft = Versions(visit.desk.workspace).draft(visit.place.name, visit.place.version or 1)
    return Browser.of(visit.entry, visit.desk.workspace, draft)


def is_large(visit: Visit) -> bool:
    """Whether looking through all rows would keep somebody waiting."""
    return sum(source.size for source in sources_of(visit.entry)) > AT_ONCE_BYTES


def working(visit: Visit) -> Html | None:
    """How far the index of a large set is; None when its rows can be shown."""
    if not is_large(visit) or _has_index(visit):
        return None
    job = _index(visit)
    if job.look().state == jobs.FINISHED:
        return None
    words = visit.say("rows.indexing", size=amounts.size(sum(one.size for one in sources_of(visit.entry))))
    again = None
    if job.look().state != jobs.RUNNING:
        again = controls.row(controls.button(visit.say("rows.index_again"), "index_again"))
    return join(work.drawn(visit, job, words), again)


def note(visit: Visit) -> Html | None:
    """What goes on behind the rows: a search, a version being saved."""
    held = visit.place.of("rows")
    found = [(work.named(visit, held.get("job")), visit.say(f"rows.{held.get('doing') or 'searching'}"))]
    drawn = [work.drawn(visit, job, words) for job, words in found if job is not None]
    return drawn[0] if drawn else None


def search(visit: Visit, words: str) -> Place:
    """The place with the rows that hold the words; all rows for no words. A large set is searched by a job."""
    place = visit.place.keep("rows", words=words, why="", page=0, job="")
    if not words:
        return place.keep("rows", only=None)
    if is_large(visit):
        job = jobs.start(visit.desk.workspace, "search", {**_named(visit), "words": words})
        return place.keep("rows", job=job.name, doing="searching", only=None)
    return place.keep("rows", only=list(chain.from_iterable(opened(visit).search(words))))


def save_version(visit: Visit, said: Mapping[str, Any]) -> Place:
    """The edits as a new version, which is opened; a large one is written by a job."""
    place = visit.place
    if is_large(visit):
        job = jobs.start(visit.desk.workspace, "version", {"name": place.name, "base": place.version or 1})
        return place.keep("rows", job=job.name, doing="saving")
    return _saved(place, Versions(visit.desk.workspace).save_draft(place.name, place.version or 1).key)


def look(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Take what a job has brought, once it has ended."""
    place = visit.place
    job = work.named(visit, place.of("rows").get("job"))
    found = job.look() if job else None
    if found is None or found.state != jobs.FINISHED or not found.result:
        return place
    if "key" in found.result:
        return _saved(place, str(found.result["key"]))
    return place.keep("rows", job="", only=str(found.result["rows"]), page=0)


def index_again(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Begin once more where the index could not be made."""
    jobs.start(visit.desk.workspace, "index", {**_named(visit), "lengths": True})
    return visit.place


ACTIONS: Mapping[str, Any] = {
    "save_version": save_version,
    "look": look,
    "index_again": index_again,
    **work.ACTIONS,
}


def can_order(visit: Visit, browser: Browser) -> bool:
    """Whether the lengths are known, or quickly counted; those of a large set are counted behind its rows."""
    if not is_large(visit) or Path(browser.index.folder / LENGTHS).is_file():
        return True
    if work.latest(visit, "index", **_named(visit), lengths=True) is None:
        jobs.start(visit.desk.workspace, "index", {**_named(visit), "lengths": True})
    return False


def _saved(place: Place, key: str) -> Place:
    return place.open(key, "rows").tell("page.data.edit.saved", good=True, name=key)


def _named(visit: Visit) -> dict[str, Any]:
    return {"name": visit.place.name, "version": visit.place.version or 1}


def _has_index(visit: Visit) -> bool:
    """Whether the index is there: one that had to be made would stop at once."""
    try:
        RowIndex.of(visit.entry, visit.desk.workspace.cache, should_stop=lambda: True)
    except StopAsked:
        return False
    return True


def _index(visit: Visit) -> jobs.Job:
    """The job that makes the index; it is started when there is none, and once only."""
    wanted = {**_named(visit), "lengths": True}
    job = work.latest(visit, "index", **wanted)
    if job is None or (job.look().state == jobs.FINISHED and not _has_index(visit)):
        return jobs.start(visit.desk.workspace, "index", wanted)
    return job
