"""Doctor: one press examines a set; what it finds stands as cards with examples, reasons and, where safe, a mending."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from studio.data import jobs
from studio.errors import StudioError
from studio.ui import amounts
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls, eyes, work
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit

if TYPE_CHECKING:
    from studio.data.doctor import Problem, Report

_SHOWN = 3
_SEVERE = ("error", "warning")


def draw(visit: Visit) -> Html:
    """What runs, then the last report, then the way to a new one."""
    from studio.data.doctor import last

    held = visit.place.of("doctor")
    job = _examining(visit)
    running = work.drawn(visit, job, visit.say("doctor.examining")) if job else None
    mending = work.named(visit, held.get("mending"))
    mended = work.drawn(visit, mending, visit.say("doctor.mending")) if mending else None
    if running is not None and job is not None and job.look().state == jobs.RUNNING:
        return running
    report = last(visit.desk.workspace, visit.entry)
    if report is None:
        return join(running, controls.note(visit.say("doctor.intro")), _asking(visit, None))
    return join(running, mended, _summary(visit, report), _asking(visit, report), _cards(visit, report))


def examine(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Start an examination, with the model's eyes when there is one here."""
    against = str((said.get("fields") or {}).get("against", ""))
    arguments: dict[str, Any] = {"name": visit.place.set, "against": [against] if against else []}
    with suppress(StudioError):  # without a tokenizer, what needs tokens is not looked for, and the report says so
        eyes.chat(visit)
        arguments |= {
            "model": str(eyes.folder(visit)),
            "template": str(visit.reading["template"]),
            "cutoff_len": eyes.cutoff_len(visit),
            "default_system": visit.reading["default_system"],
        }
    job = work.start(visit, "doctor", **arguments)
    return visit.place.keep("doctor", job=job.name, against=against)


def mend(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Take one problem, or all that can be mended, out of the set as a new version."""
    from studio.data.doctor import last

    report = last(visit.desk.workspace, visit.entry)
    if report is None:
        return visit.place
    asked = str(said.get("code", ""))
    codes = [asked] if asked else [one.code for one in _safe(report)]
    why = controls.joined(visit.lang, [one.title(visit.lang) for one in report.problems if one.code in codes])
    job = work.start(visit, "mend", name=visit.place.set, folder=report.folder, codes=codes, why=why)
    return visit.place.keep("doctor", mending=job.name)


def rows(visit: Visit, said: Mapping[str, Any]) -> Place:
    """All rows of one problem, in Rows."""
    from studio.data.doctor import last

    report = last(visit.desk.workspace, visit.entry)
    found = report.problem(str(said.get("code", ""))) if report else None
    if found is None or not found.rows:
        return visit.place
    kept = {"only": found.rows, "why": _title_key(found), "code": found.code, "words": "", "page": 0, "order": ""}
    return visit.place.keep("rows", **kept).turn("rows")


def seen(visit: Visit, said: Mapping[str, Any]) -> Place:
    """One example under the microscope."""
    return visit.place.keep("seen", number=int(said.get("to", 0))).turn("seen")


def look(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Go on to the new version once it is made."""
    job = work.named(visit, visit.place.of("doctor").get("mending"))
    found = job.look() if job else None
    if found is None or found.state != jobs.FINISHED or not found.result:
        return visit.place
    return visit.place.open(str(found.result["key"]), "rows").tell(
        "page.data.doctor.mended",
        good=True,
        name=str(found.result["key"]),
        deleted=amounts.count(found.result.get("deleted", 0)),
        edited=amounts.count(found.result.get("edited", 0)),
    )


ACTIONS = {"examine": examine, "mend": mend, "rows": rows, "seen": seen, "look": look, **work.ACTIONS}


def health(visit: Visit, entry: Any) -> str:
    """How bad the worst is that was found in a set: error, warning, well, or "" for a set not examined."""
    if not (visit.desk.workspace.cache / "doctor").is_dir():
        return ""
    from studio.data.doctor import last

    try:
        report = last(visit.desk.workspace, entry)
    except StudioError:
        return ""
    if report is None:
        return ""
    found = {one.severity for one in report.problems}
    return next((one for one in _SEVERE if one in found), "well")


def findings(visit: Visit) -> list[tuple[str, str]]:
    """(code, title with its count) of what the last examination found and kept the rows of."""
    if not (visit.desk.workspace.cache / "doctor").is_dir():
        return []
    from studio.data.doctor import last

    report = last(visit.desk.workspace, visit.entry)
    kept = [one for one in report.problems if one.rows] if report else []
    return [(one.code, f"{one.title(visit.lang)} · {amounts.count(one.count)}") for one in kept]


def _examining(visit: Visit) -> jobs.Job | None:
    """The newest examination of this set, which may have been started in another window."""
    job = work.latest(visit, "doctor", name=visit.place.set)
    if job is None or job.look().state == jobs.FINISHED:
        return None
    return job if job.look().state == jobs.RUNNING or job.name == visit.place.of("doctor").get("job") else None


def _asking(visit: Visit, report: Report | None) -> Html:
    others = [
        ("", visit.say("doctor.against_none")),
        *(
            (value, name)
            for name, value in visit.desk.datasets(visit.lang)
            if value not in (visit.place.set, visit.place.name)
        ),
    ]
    against = controls.labelled(
        visit.say("doctor.against"),
        controls.choose("against", others, str(visit.place.of("doctor").get("against", ""))),
        class_="narrow",
    )
    press = controls.submit(visit.say("doctor.again" if report else "doctor.examine"), kind="strong")
    return controls.form(
        "examine",
        tag("div", against, press, class_="fields-of end"),
        controls.note(visit.say("doctor.eyes", terms=eyes.terms(visit))),
        class_="asking-form",
    )


def _safe(report: Report) -> list[Problem]:
    """What may be mended together; rows that a person might miss are left out by their own card only."""
    return [one for one in report.problems if one.harmless and one.rows and one.severity in _SEVERE]


def _summary(visit: Visit, report: Report) -> Html:
    pairs = [
        (visit.say("doctor.rows"), amounts.count(report.rows)),
        (visit.say("doctor.usable"), amounts.count(report.usable)),
        (visit.say("doctor.problems"), amounts.count(len(report.problems))),
        (visit.say("doctor.made"), amounts.moment(report.made)),
    ]
    safe = _safe(report)
    both = _together(visit, safe) if len(safe) > 1 else None
    left = controls.note(visit.say("doctor.left_out")) if report.left_out and not report.cutoff_len else None
    return join(controls.numbers(pairs), left, both)


def _together(visit: Visit, safe: list[Problem]) -> Html:
    """The press that mends several findings, and how many rows it leaves out and mends."""
    import numpy as np

    rows = {fix: [one.numbers for one in safe if one.fix == fix] for fix in ("drop", "mend")}
    dropped, mended = (np.unique(np.concatenate([np.zeros(0, np.int64), *some])) for some in rows.values())
    mended = np.setdiff1d(mended, dropped)
    names = controls.joined(visit.lang, [one.title(visit.lang) for one in safe])
    counts = {"dropped": amounts.count(len(dropped)), "mended": amounts.count(len(mended))}
    return controls.row(
        controls.button(visit.say("doctor.mend_all", **counts), "mend", kind="strong"),
        tag("span", visit.say("doctor.mend_all_tip", names=names), class_="quiet"),
    )


def _cards(visit: Visit, report: Report) -> Html:
    if not report.problems:
        return controls.good(visit.say("doctor.well"))
    return tag("div", *(_card(visit, one) for one in report.problems), class_="cards")


def _card(visit: Visit, found: Problem) -> Html:
    lang = visit.lang
    title = found.title(lang)
    head = tag(
        "header",
        tag(
            "span",
            tag("i", aria_hidden="true"),
            visit.say(f"doctor.severity_{found.severity}"),
            class_=f"dot of-{found.severity}",
        ),
        tag("h3", title[:1].upper() + title[1:]),
        tag("strong", amounts.count(found.count), class_="count"),
        class_="line-up",
    )
    examples = [
        tag(
            "li",
            tag("span", found.why(lang, one), class_="why"),
            controls.button(
                visit.say("rows.where", file=one.file, line=amounts.count(one.line)), "seen", kind="link", to=one.number
            ),
        )
        for one in found.examples[:_SHOWN]
    ]
    presses = [controls.button(visit.say("doctor.show_rows"), "rows", code=found.code)] if found.rows else []
    if found.fixable and found.rows:
        words = visit.say(f"doctor.{found.fix}", count=amounts.count(found.count))
        presses.append(controls.button(words, "mend", kind="strong", code=found.code))
    remedy = controls.note(found.remedy(lang)) if found.fixable else None
    return controls.card(
        head,
        tag("p", found.matters(lang)),
        tag("ul", *examples, class_="examples"),
        remedy,
        controls.row(*presses) if presses else None,
        data_key=f"card-{found.code}",
        data_code=found.code,
    )


def _title_key(found: Problem) -> str:
    return f"data.skipped.{found.code}" if found.is_skipped else f"data.doctor.checks.{found.code}.title"
